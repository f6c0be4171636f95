//! Amazon Web Services: credentials of a role, and logins for ECR.

mod credentials;
mod ecr;
mod key;
mod sigv4;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;
use url::Url;

pub(crate) use credentials::{of_account, of_process};
pub(crate) use ecr::registry_login;
pub use key::{AwsKey, Signature};

use crate::Error;

/// An access key of AWS.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) session: Option<String>,
    pub(crate) expires_at: Timestamp,
}

/// A registry of ECR.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Registry {
    /// `public.ecr.aws`.
    Public,
    /// One of an account, in this region.
    Private(String),
}

/// As shown to users: what Flux shows, which is the pattern of AWS' own credential helper.
const SHOWN_PATTERN: &str = r"([0-9+]*).dkr[.-]ecr(?:-fips)?\.([^/.]*)\.(amazonaws\.com[.cn]*|amazonaws\.eu|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov|on\.aws)";

/// Unlike the one shown, this one covers the whole name: `….amazonaws.com.attacker.example` is
/// none of AWS' registries and must never be sent credentials.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^[0-9]+\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov|on\.aws)$",
    )
    .expect("because the pattern is a constant that a test compiles")
});

static ROLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^arn:aws[\w-]*:iam::[0-9]{1,30}:role/.{1,200}$")
        .expect("because the pattern is a constant that a test compiles")
});

/// As shown to users: what Flux shows. It would let other hosts pass that only end in such a path.
const SHOWN_STS: &str = r"^https://(.+\.)?sts(-fips)?(\.[^.]+)?(\.vpce)?\.amazonaws\.com$";

static STS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([a-z0-9-]+\.)*sts(-fips)?(\.[a-z0-9-]+)?(\.vpce)?\.amazonaws\.com$")
        .expect("because the pattern is a constant that a test compiles")
});

impl Registry {
    /// Recognises a registry by its host.
    pub(crate) fn parse(host: &str) -> Result<Self, Error> {
        if host == "public.ecr.aws" {
            return Ok(Self::Public);
        }
        let found = PATTERN.captures(host).map(|it| Self::Private(it[1].to_owned()));
        found.ok_or_else(|| {
            Error::Configuration(format!(
                "invalid AWS registry: '{host}'. must match {SHOWN_PATTERN}"
            ))
        })
    }

    /// Where its logins are made; the public registry has one place for all.
    pub(crate) fn region(&self) -> &str {
        match self {
            Self::Public => "us-east-1",
            Self::Private(region) => region,
        }
    }
}

/// The role a ServiceAccount stands for, by its annotation.
pub(crate) fn role(annotations: &BTreeMap<String, String>) -> Result<String, Error> {
    const KEY: &str = "eks.amazonaws.com/role-arn";
    let role = annotations.get(KEY).map(String::as_str).unwrap_or_default();
    if ROLE.is_match(role) {
        return Ok(role.to_owned());
    }
    Err(Error::Configuration(format!(
        "invalid {KEY} annotation: '{role}'. must match {}",
        ROLE.as_str()
    )))
}

/// The address of the security token service that an object names: one of Amazon's, since it is sent a
/// token.
fn sts_endpoint(text: &str) -> Result<Url, Error> {
    let is_bare =
        |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_amazon = |url: &Url| {
        let alone = url.port().is_none() && url.username().is_empty() && url.password().is_none();
        url.scheme() == "https"
            && alone
            && is_bare(url)
            && STS.is_match(url.host_str().unwrap_or(""))
    };
    Url::parse(text).ok().filter(is_amazon).ok_or_else(|| {
        Error::Configuration(format!("invalid STS endpoint: '{text}'. must match {SHOWN_STS}"))
    })
}

/// The domain under which the services of a region are.
fn domain(region: &str) -> &'static str {
    let partitions = [
        ("cn-", "amazonaws.com.cn"),
        ("us-iso-", "c2s.ic.gov"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("us-isof-", "csp.hci.ic.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("eusc-", "amazonaws.eu"),
    ];
    let found = partitions.iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("amazonaws.com", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_recognised_by_their_whole_name() {
        let region = |host| Registry::parse(host).map(|it| it.region().to_owned()).ok();
        let cases = [
            ("012345678901.dkr.ecr.us-east-1.amazonaws.com", Some("us-east-1")),
            ("012345678901.dkr.ecr-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("012345678901.dkr.ecr.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("012345678901.dkr-ecr.eu-west-1.on.aws", Some("eu-west-1")),
            ("public.ecr.aws", Some("us-east-1")),
            ("gcr.io", None),
            ("012345678901.dkr.ecr.us-east-1.amazonaws.com.attacker.example", None),
            ("evil.example?012345678901.dkr.ecr.us-east-1.amazonaws.com", None),
            ("012345678901.dkr.ecr.us-east-1.amazonaws.com:5000", None),
        ];
        for (host, want) in cases {
            assert_eq!(region(host).as_deref(), want, "{host}");
        }
        let text = Registry::parse("gcr.io").unwrap_err().to_string();
        assert!(text.starts_with("invalid AWS registry: 'gcr.io'. must match ("), "{text}");
    }

    #[test]
    fn token_services_are_amazons() {
        for good in [
            "https://sts.amazonaws.com",
            "https://sts.eu-west-1.amazonaws.com/",
            "https://sts-fips.us-east-1.amazonaws.com",
            "https://vpce-0a.sts.eu-west-1.vpce.amazonaws.com",
        ] {
            assert!(sts_endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "http://sts.amazonaws.com",
            "https://evil.test/.sts.amazonaws.com",
            "https://evil.test/?.sts.amazonaws.com",
            "https://sts.amazonaws.com@evil.test",
            "https://sts.amazonaws.com:8443",
            "https://sts.amazonaws.com.evil.test",
            "https://notsts.amazonaws.com",
            "",
        ] {
            let text = sts_endpoint(bad).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("invalid STS endpoint: '{bad}'. must match ^")),
                "{text}"
            );
        }
    }

    #[test]
    fn roles_are_checked() {
        let role =
            |arn: &str| role(&[("eks.amazonaws.com/role-arn".to_owned(), arn.to_owned())].into());
        assert!(role("arn:aws:iam::1234567890:role/some-role").is_ok());
        assert!(role("arn:aws-us-gov:iam::1234567890:role/some-role").is_ok());
        let text = role("foobar").unwrap_err().to_string();
        let want = r"invalid eks.amazonaws.com/role-arn annotation: 'foobar'. must match ^arn:aws[\w-]*:iam::[0-9]{1,30}:role/.{1,200}$";
        assert_eq!(text, want);
    }
}
