//! A host with the time of this machine's zone data, a fixed clock and predictable randomness.

use std::sync::atomic::{AtomicU64, Ordering};

use gotemplate::{Host, Zone};

/// The host of the tests.
#[derive(Default)]
pub(crate) struct Outside {
    state: AtomicU64,
}

impl Host for Outside {
    fn now(&self) -> Result<(i64, u32), String> {
        Ok((1_700_000_000, 0))
    }

    fn zone(&self, name: &str, at: i64) -> Option<Zone> {
        let name = if name == "Local" { "UTC" } else { name };
        let zone = jiff::tz::TimeZone::get(name).ok()?;
        let info = zone.to_offset_info(jiff::Timestamp::from_second(at).ok()?);
        let name = info.abbreviation().to_owned();
        Some(Zone { offset: info.offset().seconds(), name })
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        for byte in bytes {
            let old = self.state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = ((old ^ (old >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56) as u8;
        }
        Ok(())
    }
}
