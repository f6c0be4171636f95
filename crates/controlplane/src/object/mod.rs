//! The life of an object: creation, updates, deletion, and the rules that hold for every kind.

mod autoscaler;
mod create;
mod delete;
mod escalation;
mod form;
mod kind;
mod meta;
mod review;
mod update;
mod workload;

use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use delete::{CLEANUP, DeleteOptions, Deleted, FOREGROUND, ORPHAN};
pub(crate) use form::{in_version, resets};
pub(crate) use kind::{PROTECTED_CLAIM, PROTECTED_VOLUME, create_on_update};
pub(crate) use meta::{qualified_name_problem, value_problem};
pub(crate) use review::take_review;
pub(crate) use update::Change;

use crate::admission::{Attempt, Operation, admit, mutate, validate};
use crate::api::Api;
use crate::catalog::Resource;
use crate::status::{About, Refused, Served};
use crate::store::{Object, Refusal};
use crate::user::User;

/// The object that a request is about.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Its resource, in the version of the request.
    pub(crate) resource: Arc<Resource>,
    /// Its namespace; empty for cluster-scoped resources.
    pub(crate) namespace: String,
    /// Its name; empty for a creation.
    pub(crate) name: String,
    /// `status`, `scale` or empty.
    pub(crate) subresource: String,
}

/// How a write is to be made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Write {
    /// Everything but keeping the result.
    pub(crate) dry_run: bool,
    /// Who is recorded as the manager of the changed fields.
    pub(crate) manager: String,
    /// Whether the client named the manager, rather than being named after its program.
    pub(crate) names_manager: bool,
    /// Whether an apply takes over fields of others, if the request says so either way.
    pub(crate) force: Option<bool>,
    /// What to do about unknown fields.
    pub(crate) validation: Validation,
    /// Who asks; nobody if the server itself does, which is not asked for rights.
    pub(crate) user: Option<Arc<User>>,
    /// Problems of the body that were found when it was decoded: duplicate fields.
    pub(crate) body_problems: Vec<String>,
}

/// What to do about fields that the schema does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Validation {
    /// Drop them.
    Ignore,
    /// Drop them and tell.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

/// What a write came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The object as it is now, in the version it is stored in.
    pub(crate) object: Arc<Object>,
    /// Whether it is new.
    pub(crate) created: bool,
    /// What the client is to be warned of.
    pub(crate) warnings: Vec<String>,
}

impl Target {
    /// The place in the store.
    pub(crate) fn path(&self) -> Box<str> {
        if self.resource.namespaced {
            format!("{}/{}", self.namespace, self.name).into()
        } else {
            self.name.as_str().into()
        }
    }

    /// What messages say of it.
    pub(crate) fn about(&self) -> About<'_> {
        About { group: &self.resource.group, what: &self.resource.plural, name: &self.name }
    }

    /// What messages of invalid objects say of it.
    pub(crate) fn about_kind(&self) -> About<'_> {
        About { group: &self.resource.group, what: &self.resource.kind, name: &self.name }
    }

    /// Answers a refusal of the store.
    pub(crate) fn refused(&self, refusal: Refusal) -> Box<Refused> {
        match refusal {
            Refusal::Exists => Refused::exists(self.about()),
            Refusal::Gone => Refused::not_found(self.about()),
            Refusal::Moved => Refused::modified(self.about()),
            Refusal::Homeless => Refused::not_found(namespace(&self.namespace)),
            Refusal::TooLarge => Refused::untyped("etcdserver: request is too large"),
            Refusal::Unkept(why) => {
                Refused::unavailable(format!("the change was not stored: {why}"))
            }
        }
    }
}

impl Api {
    /// Asks admission about a write of a user; what the server itself does, nobody is asked about.
    fn admit(
        &self,
        target: &Target,
        (operation, object, old): (Operation, &Value, &Value),
        write: &Write,
    ) -> Served<Vec<String>> {
        let Some(user) = &write.user else { return Ok(Vec::new()) };
        let dry_run = write.dry_run;
        admit(self, &Attempt { target, operation, object, old, user, dry_run })
    }
}

impl Api {
    /// Lets webhooks change the new state that a user wants; gives what they warn of.
    async fn let_mutate(
        &self,
        target: &Target,
        operation: Operation,
        (object, old): (&mut Value, &Value),
        write: &Write,
    ) -> Served<Vec<String>> {
        let Some(user) = &write.user else { return Ok(Vec::new()) };
        let dry_run = write.dry_run;
        let attempt = Attempt { target, operation, object, old, user, dry_run };
        let outcome = mutate(self, &attempt).await?;
        if let Some(changed) = outcome.object {
            *object = changed;
            let lenient = Write { validation: Validation::Ignore, ..Write::default() };
            form::decode(target, object, &lenient, false)?;
        }
        Ok(outcome.warnings)
    }

    /// Asks webhooks about a write of a user; gives what they warn of.
    async fn ask_webhooks(
        &self,
        target: &Target,
        (operation, object, old): (Operation, &Value, &Value),
        write: &Write,
    ) -> Served<Vec<String>> {
        let Some(user) = &write.user else { return Ok(Vec::new()) };
        let dry_run = write.dry_run;
        validate(self, &Attempt { target, operation, object, old, user, dry_run }).await
    }
}

/// A namespace, as messages name it.
fn namespace(name: &str) -> About<'_> {
    About { group: "", what: "namespaces", name }
}

/// The current time as objects carry it: RFC 3339 with seconds.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A fresh random (version 4) uid.
pub(crate) fn uid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// `metadata` of an object; made if it is missing.
fn metadata(object: &mut Value) -> Served<&mut Map<String, Value>> {
    let Some(members) = object.as_object_mut() else {
        return Err(Refused::bad_request("the body of the request is not an object"));
    };
    let metadata = members.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    metadata
        .as_object_mut()
        .ok_or_else(|| Refused::bad_request("the metadata of the object is not an object"))
}

/// Copies a member of `from` into `to`, or removes it there.
fn carry(from: &Value, to: &mut Map<String, Value>, key: &str) {
    match from.get(key) {
        Some(value) => {
            to.insert(key.to_owned(), value.clone());
        }
        None => {
            to.shift_remove(key);
        }
    }
}

/// A non-empty text member.
fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str().filter(|t| !t.is_empty())
}
