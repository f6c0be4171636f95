//! The server's report on a push (`report-status`).

use super::Outcome;
use crate::Error;

/// What the server says of the whole pack and of every reference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    lines: Vec<(String, Result<(), String>)>,
}

impl Report {
    /// Reads the packet lines of a report.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let mut unpacked = None;
        let mut lines = Vec::new();
        while let Some(line) = line(&mut rest)? {
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end_matches('\n');
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("unpack"), Some("ok"), None) => unpacked = Some(Ok(())),
                (Some("unpack"), Some(_), _) => {
                    unpacked = Some(Err(line.trim_start_matches("unpack ").to_owned()));
                }
                (Some("ok"), Some(name), None) => lines.push((name.to_owned(), Ok(()))),
                (Some("ng"), Some(name), why) => {
                    lines.push((name.to_owned(), Err(why.unwrap_or("refused").to_owned())));
                }
                _ => return Err(Error::Protocol(format!("malformed command status: {line}"))),
            }
        }
        match unpacked {
            Some(Ok(())) => Ok(Self { lines }),
            Some(Err(why)) if lines.is_empty() => {
                Err(Error::Protocol(format!("unpack error: {why}")))
            }
            Some(Err(why)) => {
                let failed = lines.into_iter().map(|(name, _)| (name, Err(why.clone())));
                Ok(Self { lines: failed.collect() })
            }
            None => Err(Error::Protocol("the server did not report on the push".to_owned())),
        }
    }

    /// What became of one reference.
    pub(super) fn outcome(&self, reference: &str) -> Outcome {
        match self.lines.iter().find(|(name, _)| name == reference) {
            Some((_, Ok(()))) => Outcome::Ok,
            Some((name, Err(why))) => {
                Outcome::Rejected { reason: format!("command error on {name}: {why}") }
            }
            None => Outcome::Rejected {
                reason: format!("command error on {reference}: the server did not report on it"),
            },
        }
    }
}

/// Takes one packet line; `None` at a flush or the end.
fn line<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Error> {
    let broken = || Error::Protocol("the server's report on the push breaks off".to_owned());
    if rest.is_empty() {
        return Ok(None);
    }
    let digits = rest.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
    let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
    let length = length.ok_or_else(broken)?;
    if length < 4 {
        *rest = &[];
        return Ok(None);
    }
    let found = rest.get(4..length).ok_or_else(broken)?;
    *rest = &rest[length..];
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Report};

    #[test]
    fn reports() {
        let report = Report::parse(
            b"000eunpack ok\n0019ok refs/heads/main\n002cng refs/heads/x pre-receive hook declined\n0000",
        );
        // The second length is one short of the words, so the parser has to notice.
        assert!(report.is_err());
        let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
        let text = [
            line("unpack ok\n"),
            line("ok refs/heads/main\n"),
            line("ng refs/heads/x pre-receive hook declined\n"),
            "0000".to_owned(),
        ];
        let report = Report::parse(text.concat().as_bytes()).unwrap();
        assert_eq!(report.outcome("refs/heads/main"), Outcome::Ok);
        let reason = "command error on refs/heads/x: pre-receive hook declined".to_owned();
        assert_eq!(report.outcome("refs/heads/x"), Outcome::Rejected { reason });
        let failed = line("unpack index-pack abnormal exit\n");
        let why = Report::parse(failed.as_bytes()).unwrap_err().to_string();
        assert_eq!(why, "unpack error: index-pack abnormal exit");
        assert!(Report::parse(b"").is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_a_server_sends_breaks_it(bytes: Vec<u8>) {
            let _ = Report::parse(&bytes);
        }
    }
}
