//! Days to dates and back, in the Gregorian calendar of all times.

/// Year, month and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    pub(super) day: i64,
}

impl Date {
    /// The date of a day counted from 1970-01-01.
    pub(super) fn of(days: i64) -> Self {
        // Years here begin in March, so that the leap day is the last of its year.
        let days = days.saturating_add(719_468);
        let era = days.div_euclid(146_097);
        let day = days.rem_euclid(146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        Self { year, month, day: of_year - (153 * from_march + 2) / 5 + 1 }
    }

    /// Days since 1970-01-01; months and days beyond their range count on.
    pub(super) fn days(self) -> i64 {
        let months = self.year.saturating_mul(12).saturating_add(self.month - 1);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let year = year - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let from_march = (month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + self.day - 1;
        let day = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        era.saturating_mul(146_097).saturating_add(day).saturating_sub(719_468)
    }

    /// Day of the year, from 1.
    pub(super) fn year_day(self) -> i64 {
        self.days() - Self { month: 1, day: 1, ..self }.days() + 1
    }
}

/// Number of days of a month.
pub(super) fn days_in(year: i64, month: i64) -> i64 {
    let first = |month| Date { year, month, day: 1 }.days();
    first(month + 1) - first(month)
}

/// Day of the week, from Sunday, of a day counted from 1970-01-01.
pub(super) fn weekday(days: i64) -> usize {
    usize::try_from((days.rem_euclid(7) + 4) % 7).unwrap_or_default()
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(Date::of(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(Date::of(19_782), Date { year: 2024, month: 2, day: 29 });
        for days in (-1_000_000..1_000_000).step_by(997) {
            assert_eq!(Date::of(days).days(), days);
        }
        assert_eq!((days_in(2024, 2), days_in(2023, 12), weekday(0)), (29, 31, 4));
    }
}
