//! Creation.

use std::sync::Arc;

use rand::Rng;
use serde_json::{Value, json};

use super::{
    Outcome, Target, Write, escalation, form, kind, meta, metadata, namespace, now, text, uid,
};
use crate::admission::Operation;
use crate::api::Api;
use crate::catalog::NAMESPACES;
use crate::status::{Refused, Served};
use crate::store::{self, Draft, Object, Refusal};

/// How often a generated name may turn out to be taken, as in kube-apiserver.
const NAME_TRIES: usize = 8;
/// What generated names end in: no vowels, so that no words arise.
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// The longest start of a generated name that is kept.
const NAME_START: usize = 58;

impl Api {
    /// Creates `body`; `target.name` may be empty.
    pub(crate) async fn create(
        &self,
        target: &Target,
        body: Value,
        write: &Write,
    ) -> Served<Outcome> {
        self.create_as(target, body, write, false).await
    }

    /// [`Api::create`] of an object that may tell already who manages its fields.
    pub(super) async fn create_as(
        &self,
        target: &Target,
        body: Value,
        write: &Write,
        tracked: bool,
    ) -> Served<Outcome> {
        let mut target = target.clone();
        let mut object = body;
        let mut warnings = form::decode(&target, &mut object, write, false)?;
        meta::wipe(&mut object)?;
        meta::locate(&mut target, &mut object)?;
        self.admit_creation(&target)?;
        escalation::check(self, &target, (&object, None), write.user.as_deref())?;
        let generate = target.name.is_empty().then(|| text(&object["metadata"], "generateName"));
        let generate = generate.flatten().map(ToOwned::to_owned);
        let tries = if generate.is_some() { NAME_TRIES } else { 1 };
        let revision = text(&object["metadata"], "resourceVersion");
        let numbered = revision.and_then(|it| it.parse::<u64>().ok()).is_some_and(|it| it != 0);
        for _ in 0..tries {
            let mut object = object.clone();
            if let Some(start) = &generate {
                target.name = generated(start);
                metadata(&mut object)?.insert("name".to_owned(), json!(target.name));
            }
            if !tracked {
                form::track_creation(&target, &mut object, write);
            }
            let nothing = Value::Null;
            let mut told =
                self.let_mutate(&target, Operation::Create, (&mut object, &nothing), write).await?;
            told.extend(self.prepare_creation(&target, &mut object, write)?);
            let asked = (Operation::Create, &object, &nothing);
            told.extend(self.ask_webhooks(&target, asked, write).await?);
            form::store(&target.resource, &mut object);
            if numbered && !tracked && !write.dry_run {
                let why = "resourceVersion should not be set on objects to be created";
                return Err(Refused::untyped(why));
            }
            match self.keep_creation(&target, object, write).await {
                Ok(object) => {
                    warnings.extend(told);
                    return Ok(Outcome { object, created: true, warnings });
                }
                Err(Refusal::Exists) if generate.is_some() => {}
                Err(Refusal::Exists) if self.is_going(&target) => {
                    return Err(Refused::exists_for_now(target.about()));
                }
                Err(refusal) => return Err(target.refused(refusal)),
            }
        }
        Err(Refused::generate_name(target.about()))
    }

    /// Whether the object of that name is on its way out.
    fn is_going(&self, target: &Target) -> bool {
        let live = self.store.get(&target.resource.store, &target.path());
        live.is_some_and(|it| it.meta.deleting)
    }

    /// Gives a new object what the server decides, and checks it; gives what the client is to be
    /// warned of.
    fn prepare_creation(
        &self,
        target: &Target,
        object: &mut Value,
        write: &Write,
    ) -> Served<Vec<String>> {
        let metadata = metadata(object)?;
        if kind::has_generation(&target.resource) {
            metadata.shift_remove("generation");
        }
        metadata.shift_remove("resourceVersion");
        metadata.insert("uid".to_owned(), json!(uid()));
        metadata.insert("creationTimestamp".to_owned(), json!(now()));
        kind::before_create(self, target, object);
        let mut errors = meta::validate(&target.resource, object);
        errors.extend(form::validate(target, object, None));
        errors.extend(kind::validate(target, object, None));
        if !errors.is_empty() {
            return Err(Refused::invalid(target.about_kind(), &errors));
        }
        let mut told = self.admit(target, (Operation::Create, object, &Value::Null), write)?;
        told.extend(form::warnings(target, object));
        Ok(told)
    }

    async fn keep_creation(
        &self,
        target: &Target,
        object: Value,
        write: &Write,
    ) -> Result<Arc<Object>, Refusal> {
        let resource = &target.resource;
        let path = target.path();
        if write.dry_run {
            if self.store.get(&resource.store, &path).is_some() {
                return Err(Refusal::Exists);
            }
            let json = serde_json::to_vec(&object).map_err(|e| Refusal::Unkept(e.to_string()))?;
            return Object::parse(json.into(), 0)
                .map(Arc::new)
                .ok_or_else(|| Refusal::Unkept("not an object".to_owned()));
        }
        let change = store::Change {
            resource: resource.store.clone(),
            path,
            expect: None,
            within: resource
                .namespaced
                .then(|| (NAMESPACES.into(), target.namespace.as_str().into())),
            draft: Draft::new(&object),
            delete: false,
        };
        let event = self.store.commit(change).await?;
        Ok(event.object.clone())
    }

    /// Refuses to create in a namespace that is missing or going away, and instances of a
    /// definition that is going away.
    fn admit_creation(&self, target: &Target) -> Served<()> {
        if target.resource.custom().is_some_and(|custom| custom.terminating) {
            return Err(Refused::method_not_allowed(
                target.about(),
                "create not allowed while custom resource definition is terminating; create",
            ));
        }
        if !target.resource.namespaced {
            return Ok(());
        }
        match self.store.get(NAMESPACES, &target.namespace) {
            None => Err(Refused::not_found(namespace(&target.namespace))),
            Some(home) if home.meta.deleting => {
                Err(Refused::terminating(target.about(), &target.namespace))
            }
            Some(_) => Ok(()),
        }
    }
}

/// A name that starts with `start`.
fn generated(start: &str) -> String {
    let start: String = start.chars().take(NAME_START).collect();
    let mut random = rand::rng();
    let end: String = (0..5)
        .map(|_| char::from(NAME_LETTERS[random.random_range(0..NAME_LETTERS.len())]))
        .collect();
    start + &end
}
