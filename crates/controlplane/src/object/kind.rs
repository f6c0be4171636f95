//! What particular built-in kinds ask for beyond the rules for all.

use serde_json::{Map, Value, json};

use super::{Target, now, text, workload};
use crate::admission;
use crate::api::Api;
use crate::catalog::{self, DEFINITIONS, NAMESPACES, Resource};
use crate::fields;
use crate::schema::{FieldError, Schema};

/// Resources whose built-in strategy counts generations.
const GENERATIONS: [&str; 8] = [
    "apps",
    "batch",
    "networking.k8s.io",
    "policy",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];
/// What keeps a deleted claim while a Pod uses it.
pub(crate) const PROTECTED_CLAIM: &str = "kubernetes.io/pvc-protection";
/// What keeps a deleted volume while a claim has it.
pub(crate) const PROTECTED_VOLUME: &str = "kubernetes.io/pv-protection";
/// Resources of which an update must name the version it was made for.
const CONDITIONAL: [&str; 12] = [
    DEFINITIONS,
    "admissionregistration.k8s.io/mutatingwebhookconfigurations",
    "admissionregistration.k8s.io/validatingadmissionpolicies",
    "admissionregistration.k8s.io/validatingadmissionpolicybindings",
    "admissionregistration.k8s.io/validatingwebhookconfigurations",
    "coordination.k8s.io/leases",
    "node.k8s.io/runtimeclasses",
    "policy/poddisruptionbudgets",
    "storage.k8s.io/csidrivers",
    "storage.k8s.io/csinodes",
    "storage.k8s.io/csistoragecapacities",
    "storage.k8s.io/volumeattachments",
];
/// Members of an Event: in core and in events.k8s.io.
const EVENT_MEMBERS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// Whether objects of `resource` have a `metadata.generation`.
pub(super) fn has_generation(resource: &Resource) -> bool {
    resource.custom().is_some()
        || (GENERATIONS.contains(&resource.group.as_str())
            && !resource.is("apps/controllerrevisions"))
        || matches!(
            &*resource.store,
            "/pods"
                | "/replicationcontrollers"
                | "/podtemplates"
                | "scheduling.k8s.io/priorityclasses"
        )
}

/// Whether an update need not name the resourceVersion it was made for.
pub(super) fn unconditional_update(resource: &Resource) -> bool {
    resource.custom().is_none() && !CONDITIONAL.iter().any(|it| resource.is(it))
}

/// Whether a PUT creates what does not exist.
pub(crate) fn create_on_update(resource: &Resource) -> bool {
    matches!(
        &*resource.store,
        "coordination.k8s.io/leases"
            | "/events"
            | "/endpoints"
            | "/limitranges"
            | "/services"
            | "node.k8s.io/runtimeclasses"
            | "rbac.authorization.k8s.io/roles"
            | "rbac.authorization.k8s.io/rolebindings"
            | "rbac.authorization.k8s.io/clusterroles"
            | "rbac.authorization.k8s.io/clusterrolebindings"
    )
}

/// Whether something other than `metadata.finalizers` keeps a deleted object.
pub(super) fn held(target: &Target, object: &Value) -> bool {
    target.resource.is(NAMESPACES) && has_items(&object["spec"]["finalizers"])
}

/// Whether `value` is a list with something in it.
pub(super) fn has_items(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty())
}

/// Completes a new object.
pub(super) fn before_create(api: &Api, target: &Target, object: &mut Value) {
    let resource = &target.resource;
    if has_generation(resource) {
        object["metadata"]["generation"] = json!(1);
    }
    if resource.status
        && !resource.is(NAMESPACES)
        && let Some(members) = object.as_object_mut()
    {
        members.shift_remove("status");
        if resource.custom().is_none() {
            members.insert("status".to_owned(), json!({}));
            crate::builtin::default(&resource.group, &resource.kind, object);
        }
    }
    match &*resource.store {
        "/services" => workload::complete_service(api, object),
        "/pods" => workload::complete_pod(object),
        "batch/jobs" => workload::complete_job(object),
        "/persistentvolumeclaims" => protect(object, PROTECTED_CLAIM),
        "/persistentvolumes" => {
            object["status"]["lastPhaseTransitionTime"] = json!(now());
            protect(object, PROTECTED_VOLUME);
        }
        _ => {}
    }
    if resource.is(NAMESPACES) {
        object["spec"] = json!({"finalizers": ["kubernetes"]});
        object["status"] = json!({"phase": "Active"});
    }
    if resource.is(DEFINITIONS) {
        establish(api, target, object);
    }
}

/// Lets an object be deleted only when nothing uses it any more.
fn protect(object: &mut Value, finalizer: &str) {
    let finalizers = &mut object["metadata"]["finalizers"];
    let mut all = finalizers.as_array().cloned().unwrap_or_default();
    if !all.iter().any(|it| it == finalizer) {
        all.push(json!(finalizer));
    }
    *finalizers = json!(all);
}

/// Fills in what belongs to an object before it is asked who manages its fields.
pub(super) fn default(target: &Target, object: &mut Value) {
    if target.resource.is(NAMESPACES)
        && let Some(name) = text(&object["metadata"], "name").map(ToOwned::to_owned)
    {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
    }
    if target.resource.is(DEFINITIONS) {
        default_definition(object);
    }
}

/// Completes the wanted state of an object.
pub(super) fn before_update(api: &Api, target: &Target, old: &Value, object: &mut Value) {
    let resource = &target.resource;
    if resource.is(NAMESPACES) && target.subresource != "finalize" {
        object["spec"]["finalizers"] = old["spec"]["finalizers"].clone();
    }
    if resource.is("/services") {
        workload::keep_service(old, object);
    }
    if resource.is("/pods") && target.subresource.is_empty() {
        workload::complete_spec(&mut object["spec"]);
    }
    if resource.is(DEFINITIONS) && target.subresource.is_empty() {
        establish(api, target, object);
    }
}

/// Checks what schemas cannot say.
pub(super) fn validate(target: &Target, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    if target.resource.is(DEFINITIONS) {
        return validate_definition(object, old);
    }
    if target.resource.plural == "validatingadmissionpolicies" && target.resource.custom().is_none()
    {
        return admission::check(object);
    }
    Vec::new()
}

fn default_definition(object: &mut Value) {
    let spec = &mut object["spec"];
    let Some(kind) = text(&spec["names"], "kind").map(ToOwned::to_owned) else { return };
    if text(&spec["names"], "singular").is_none() {
        spec["names"]["singular"] = json!(kind.to_lowercase());
    }
    if text(&spec["names"], "listKind").is_none() {
        spec["names"]["listKind"] = json!(format!("{kind}List"));
    }
    if !spec["conversion"].is_object() {
        spec["conversion"] = json!({"strategy": "None"});
    }
}

fn establish(api: &Api, target: &Target, object: &mut Value) {
    let group = text(&object["spec"], "group").unwrap_or_default().to_owned();
    let index = api.catalog.index();
    let taken = |name: &str| {
        index.all.iter().any(|r| {
            let other = r.custom().is_none_or(|c| c.definition != target.name);
            let names = [&r.plural, &r.singular, &r.kind, &r.list_kind];
            r.group == group
                && other
                && (names.iter().any(|n| *n == name) || r.short_names.iter().any(|n| n == name))
        })
    };
    catalog::stored_versions(object);
    let old = object.clone();
    catalog::establish(object, &now(), taken);
    if *object != old {
        let how = fields::Update {
            manager: "kube-apiserver",
            api_version: &target.resource.stored_as,
            subresource: "status",
            reset: &[],
            now: jiff::Timestamp::now(),
        };
        fields::update(Some(&old), object, &target.resource.fields, &how);
    }
}

fn validate_definition(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let spec = &object["spec"];
    let mut errors = Vec::new();
    let (group, plural) = (text(spec, "group"), text(&spec["names"], "plural"));
    for (field, value) in [
        ("spec.group", group),
        ("spec.names.plural", plural),
        ("spec.names.kind", text(&spec["names"], "kind")),
        ("spec.scope", text(spec, "scope")),
    ] {
        if value.is_none() {
            errors.push(FieldError::required(field, ""));
        }
    }
    let want = format!("{}.{}", plural.unwrap_or_default(), group.unwrap_or_default());
    if object["metadata"]["name"] != want.as_str() {
        let why = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &object["metadata"]["name"], why));
    }
    let versions = spec["versions"].as_array().map_or(&[][..], Vec::as_slice);
    if versions.iter().filter(|v| v["storage"] == true).count() != 1 {
        errors.push(FieldError::invalid(
            "spec.versions",
            &spec["versions"],
            "must have exactly one version marked as storage version",
        ));
    }
    errors.extend(validate_schemas(versions));
    if let Some(old) = old {
        for field in ["group", "scope"] {
            if old["spec"][field] != spec[field] {
                errors.push(FieldError::invalid(
                    format!("spec.{field}"),
                    &spec[field],
                    "field is immutable",
                ));
            }
        }
    }
    errors
}

/// Checks the schemas of all versions. When they are the same, messages name the place that the
/// internal form of kube-apiserver keeps a shared schema in.
fn validate_schemas(versions: &[Value]) -> Vec<FieldError> {
    let schema = |version: &Value| version["schema"]["openAPIV3Schema"].clone();
    let shared = versions.windows(2).all(|pair| schema(&pair[0]) == schema(&pair[1]));
    let mut errors = Vec::new();
    for (position, version) in versions.iter().enumerate() {
        if shared && position > 0 {
            break;
        }
        let field = if shared {
            "spec.validation.openAPIV3Schema".to_owned()
        } else {
            format!("spec.versions[{position}].schema.openAPIV3Schema")
        };
        let schema = schema(version);
        if !schema.is_object() {
            let field = format!("spec.versions[{position}].schema.openAPIV3Schema");
            errors.push(FieldError::required(field, "schemas are required"));
        } else if let Err(wrong) = Schema::compile(&schema) {
            errors.extend(wrong.into_iter().map(|e| e.within(&field)));
        }
    }
    errors
}

/// Shows a core Event as one of events.k8s.io.
pub(super) fn event_from_core(event: &mut Value) {
    rename(event, |(core, other)| (core, other));
}

/// Stores an Event of events.k8s.io as one of core.
pub(super) fn event_to_core(event: &mut Value) {
    rename(event, |(core, other)| (other, core));
}

fn rename(
    event: &mut Value,
    way: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let Some(members) = event.as_object_mut() else { return };
    let renamed: Map<_, _> = std::mem::take(members)
        .into_iter()
        .map(|(key, value)| {
            let new = EVENT_MEMBERS.iter().map(|m| way(*m)).find(|(from, _)| *from == key);
            (new.map_or(key, |(_, to)| to.to_owned()), value)
        })
        .collect();
    *members = renamed;
}
