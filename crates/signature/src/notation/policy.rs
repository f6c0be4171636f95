//! Trust policies: `trustpolicy.json`, as upstream reads and checks it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::Error;
use crate::certificate::Certificate;
use crate::notation::name;

/// Upstream's pointer for those who have none.
const LINK: &str = "https://notaryproject.dev/docs/quickstart/#create-a-trust-policy";
const WILDCARD: &str = "*";
const SUBJECT: &str = "x509.subject";
const ENSURE: &str = "make sure it is a fully qualified repository without the scheme, protocol or \
                      tag. For example domain.com/my/repository or a local scope like \
                      local/myOCILayout";

/// A trust policy with the certificates of its trust stores.
#[derive(Debug)]
pub struct Policy {
    document: Document,
    pub(super) certificates: Vec<Certificate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    version: String,
    trust_policies: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    pub(super) name: String,
    registry_scopes: Vec<String>,
    signature_verification: Verification,
    pub(super) trust_stores: Vec<String>,
    pub(super) trusted_identities: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Verification {
    level: String,
    #[serde(rename = "override")]
    overrides: BTreeMap<String, String>,
    verify_timestamp: String,
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    Integrity,
    Authenticity,
    AuthenticTimestamp,
    Expiry,
    Revocation,
}

/// What a failed check means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Enforce,
    Log,
    Skip,
}

/// The part of a policy that is for one repository.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    pub(super) rule: &'a Rule,
    pub(super) certificates: &'a [Certificate],
}

impl Policy {
    /// Reads a policy and the certificates of its trust stores, each PEM or DER.
    ///
    /// The names of trust stores are ignored: every store has all certificates. Statements that
    /// skip verification may name stores and identities, which then do not matter.
    ///
    /// # Errors
    /// [`Error::Policy`] in the words of upstream.
    pub fn parse<'a>(
        json: &[u8],
        certificates: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Error> {
        let mut document: Document = serde_json::from_slice(json).map_err(|error| {
            Error::Policy(format!("error occurred while parsing trustpolicy.json: {error}"))
        })?;
        for rule in &mut document.trust_policies {
            if rule.signature_verification.level == "skip" {
                rule.trust_stores.clear();
                rule.trusted_identities.clear();
            }
        }
        document.check().map_err(Error::Policy)?;
        let mut found = Vec::new();
        for bytes in certificates {
            found.extend(
                Certificate::read_all(bytes)
                    .map_err(|why| Error::Policy(format!("failed to parse certificate: {why}")))?,
            );
        }
        Ok(Self { document, certificates: found })
    }

    /// The statement for a repository: the one that names it, else the one for all.
    ///
    /// # Errors
    /// [`Error::Policy`] when there is none.
    pub fn statement(&self, repository: &str, digest: &str) -> Result<Statement<'_>, Error> {
        check_scope(repository).map_err(Error::Policy)?;
        let rules = &self.document.trust_policies;
        let by =
            |scope: &str| rules.iter().find(|it| it.registry_scopes.iter().any(|s| s == scope));
        let rule = by(repository).or_else(|| by(WILDCARD)).ok_or_else(|| {
            Error::Policy(format!(
                "artifact \"{repository}@{digest}\" has no applicable trust policy statement. Trust \
                 policy applicability for a given artifact is determined by registryScopes. To \
                 create a trust policy, see: {LINK}"
            ))
        })?;
        Ok(Statement { rule, certificates: &self.certificates })
    }
}

impl Statement<'_> {
    /// Whether signatures are not looked at.
    pub fn is_skipped(&self) -> bool {
        self.rule.signature_verification.level == "skip"
    }

    /// What a failed check means.
    pub(super) fn action(&self, check: Check) -> Action {
        let verification = &self.rule.signature_verification;
        match verification.overrides.get(check.name()).map(String::as_str) {
            Some("enforce") => Action::Enforce,
            Some("log") => Action::Log,
            Some("skip") => Action::Skip,
            _ => level(&verification.level, check),
        }
    }

    /// Whether a countersignature is wanted, given whether the certificates are still good.
    pub(super) fn wants_timestamp(&self, is_expired: bool) -> bool {
        let has_store = self.rule.trust_stores.iter().any(|it| it.starts_with("tsa:"));
        let only_later = self.rule.signature_verification.verify_timestamp == "afterCertExpiry";
        has_store && (is_expired || !only_later)
    }
}

fn level(level: &str, check: Check) -> Action {
    match (level, check) {
        ("skip", _) => Action::Skip,
        (_, Check::Integrity) | ("strict", _) | ("permissive", Check::Authenticity) => {
            Action::Enforce
        }
        _ => Action::Log,
    }
}

impl Check {
    const ALL: [Self; 5] = [
        Self::Integrity,
        Self::Authenticity,
        Self::AuthenticTimestamp,
        Self::Expiry,
        Self::Revocation,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Authenticity => "authenticity",
            Self::AuthenticTimestamp => "authenticTimestamp",
            Self::Expiry => "expiry",
            Self::Revocation => "revocation",
        }
    }
}

impl Document {
    fn check(&self) -> Result<(), String> {
        if self.version.is_empty() {
            return Err("trust policy document has empty version, version must be specified".into());
        }
        if self.version != "1.0" {
            let version = &self.version;
            return Err(format!("trust policy document uses unsupported version {version:?}"));
        }
        if self.trust_policies.is_empty() {
            return Err("trust policy document can not have zero trust policy statements".into());
        }
        let mut names = BTreeSet::new();
        for rule in &self.trust_policies {
            if !names.insert(&rule.name) {
                return Err(format!(
                    "multiple trust policy statements use the same name {:?}, statement names must \
                     be unique",
                    rule.name
                ));
            }
            rule.check().map_err(|why| format!("trust policy: {why}"))?;
        }
        let mut scopes = BTreeSet::new();
        for rule in &self.trust_policies {
            rule.check_scopes(&mut scopes)?;
        }
        Ok(())
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if name.is_empty() {
            return Err("a trust policy statement is missing a name, every statement requires a \
                        name"
                .to_owned());
        }
        self.signature_verification.check().map_err(|why| {
            format!("trust policy statement {name:?} has invalid signatureVerification: {why}")
        })?;
        if self.signature_verification.level == "skip" {
            return Ok(());
        }
        if self.trust_stores.is_empty() || self.trusted_identities.is_empty() {
            return Err(format!(
                "trust policy statement {name:?} is either missing trust stores or trusted \
                 identities, both must be specified"
            ));
        }
        self.check_stores()?;
        self.check_identities()
    }

    fn check_stores(&self) -> Result<(), String> {
        let name = &self.name;
        for store in &self.trust_stores {
            let Some((kind, named)) = store.split_once(':') else {
                return Err(format!(
                    "trust policy statement {name:?} has malformed trust store value {store:?}. \
                     The required format is <TrustStoreType>:<TrustStoreName>"
                ));
            };
            if !["ca", "signingAuthority", "tsa"].contains(&kind) {
                return Err(format!(
                    "trust policy statement {name:?} uses an unsupported trust store type {kind:?} \
                     in trust store value {store:?}"
                ));
            }
            let allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'-');
            if named.is_empty() || !named.bytes().all(allowed) {
                return Err(format!(
                    "trust policy statement {name:?} uses an unsupported trust store name \
                     {named:?} in trust store value {store:?}. Named store name needs to follow \
                     [a-zA-Z0-9_.-]+ format"
                ));
            }
        }
        Ok(())
    }

    fn check_identities(&self) -> Result<(), String> {
        let (name, all) = (&self.name, &self.trusted_identities);
        if all.len() > 1 && all.iter().any(|it| it == WILDCARD) {
            return Err(format!(
                "trust policy statement {name:?} uses a wildcard trusted identity '*', a wildcard \
                 identity cannot be used in conjunction with other values"
            ));
        }
        for it in all.iter().filter(|it| *it != WILDCARD) {
            if it.is_empty() {
                return Err(format!(
                    "trust policy statement {name:?} has an empty trusted identity"
                ));
            }
            let place = format!("trust policy statement {name:?} has trusted identity {it:?}");
            let Some((prefix, value)) = it.split_once(':') else {
                return Err(format!("{place} missing separator"));
            };
            if prefix == SUBJECT && value.is_empty() {
                return Err(format!("{place} without an identity value"));
            }
            if prefix == SUBJECT {
                name::parse(value)
                    .map_err(|why| format!("{place} with invalid identity value: {why}"))?;
            }
        }
        Ok(())
    }

    fn check_scopes<'a>(&'a self, seen: &mut BTreeSet<&'a str>) -> Result<(), String> {
        let (name, scopes) = (&self.name, &self.registry_scopes);
        if scopes.is_empty() {
            return Err(format!(
                "trust policy statement {name:?} has zero registry scopes, it must specify \
                 registry scopes with at least one value"
            ));
        }
        if scopes.len() > 1 && scopes.iter().any(|it| it == WILDCARD) {
            return Err(format!(
                "trust policy statement {name:?} uses wildcard registry scope '*', a wildcard \
                 scope cannot be used in conjunction with other scope values"
            ));
        }
        for scope in scopes {
            if scope != WILDCARD {
                check_scope(scope)?;
            }
            if !seen.insert(scope) {
                return Err(format!(
                    "registry scope {scope:?} is present in multiple trust policy statements, one \
                     registry scope value can only be associated with one statement"
                ));
            }
        }
        Ok(())
    }

    /// The subjects that are trusted; `None` for anybody.
    pub(super) fn subjects(&self) -> Option<Vec<name::Parts>> {
        if self.trusted_identities.iter().any(|it| it == WILDCARD) {
            return None;
        }
        let subjects = self.trusted_identities.iter().filter_map(|it| it.split_once(':'));
        let subjects = subjects.filter(|(prefix, _)| *prefix == SUBJECT);
        Some(subjects.filter_map(|(_, value)| name::parse(value).ok()).collect())
    }
}

impl Verification {
    fn check(&self) -> Result<(), String> {
        let level = &self.level;
        if level.is_empty() {
            let text = "signature verification level is empty or missing in the trust policy \
                        statement";
            return Err(text.to_owned());
        }
        if !["strict", "permissive", "audit", "skip"].contains(&level.as_str()) {
            return Err(format!("invalid signature verification level {level:?}"));
        }
        if level == "skip" && !self.overrides.is_empty() {
            return Err(format!(
                "signature verification level {level:?} can't be used to customize signature \
                 verification"
            ));
        }
        for (kind, action) in &self.overrides {
            check_override(kind, action)?;
        }
        if !["", "always", "afterCertExpiry"].contains(&self.verify_timestamp.as_str()) {
            return Err(format!(
                "verifyTimestamp must be \"always\" or \"afterCertExpiry\", but got {:?}",
                self.verify_timestamp
            ));
        }
        Ok(())
    }
}

fn check_override(kind: &str, action: &str) -> Result<(), String> {
    let Some(check) = Check::ALL.into_iter().find(|it| it.name() == kind) else {
        let all: Vec<String> = Check::ALL.iter().map(|it| format!("{:?}", it.name())).collect();
        let all = all.join(" ");
        return Err(format!(
            "verification type {kind:?} in custom signature verification is not supported, \
             supported values are [{all}]"
        ));
    };
    if !["enforce", "log", "skip"].contains(&action) {
        return Err(format!(
            "verification action {action:?} in custom signature verification is not supported, \
             supported values are [\"enforce\" \"log\" \"skip\"]"
        ));
    }
    if check == Check::Integrity {
        return Err(format!(
            "{kind:?} verification can not be overridden in custom signature verification"
        ));
    }
    if check != Check::Revocation && action == "skip" {
        return Err(format!(
            "{kind:?} verification can not be skipped in custom signature verification"
        ));
    }
    Ok(())
}

/// A scope is a host and a repository.
fn check_scope(scope: &str) -> Result<(), String> {
    if scope.len() > 1 && scope.contains('*') {
        return Err(format!("registry scope {scope:?} with wild card(s) is not valid, {ENSURE}"));
    }
    let valid = scope.split_once('/').is_some_and(|(domain, path)| {
        let host = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b':');
        let part = |it: &str| {
            let edge = |it: Option<u8>| it.is_some_and(|it| it.is_ascii_alphanumeric());
            let inner = |it: u8| {
                it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'.' | b'_' | b'-')
            };
            edge(it.bytes().next()) && edge(it.bytes().last()) && it.bytes().all(inner)
        };
        !domain.is_empty() && domain.bytes().all(host) && path.split('/').all(part)
    });
    if valid {
        return Ok(());
    }
    Err(format!("registry scope {scope:?} is not valid, {ENSURE}"))
}
