//! The `ValidatingAdmissionPolicies` by which nobody can say that somebody else said something.
//!
//! Who promotes, approves, rejects, skips gates or configures must be who they say they are, and have
//! the verb of that name on the Stage (`configure` on the Pipeline, too). The API server decides, for
//! `kubectl` and everything else alike; nothing of ours runs for it.
//!
//! In the expressions `mine` is whether the controllers themselves ask, `old` what was there before.

use serde_json::{Value, json};

const GROUP: &str = "promotion.sluice.dev";

/// The account of the controllers where nobody says otherwise.
pub const ACCOUNT: &str = "system:serviceaccount:flux-system:promotion-controller";

/// The names of the policies and of their bindings.
pub const NAMES: [&str; 5] = [
    "promotions.promotion.sluice.dev",
    "bundles.promotion.sluice.dev",
    "stages.promotion.sluice.dev",
    "pipelines.promotion.sluice.dev",
    "freezes.promotion.sluice.dev",
];

/// The policies and their bindings, for controllers that are known as `account` to the API server.
pub fn all(account: &str) -> Vec<Value> {
    let policies = [
        policy("promotions", &["CREATE", "UPDATE"], account, &PROMOTIONS),
        policy("bundles", &["CREATE", "UPDATE"], account, &BUNDLES),
        configured("stages", account),
        configured("pipelines", account),
        policy("freezes", &["CREATE", "UPDATE"], account, &FREEZES),
    ];
    let bindings = NAMES.map(|name| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        })
    });
    policies.into_iter().chain(bindings).collect()
}

/// What a policy demands: what it calls things, and what must hold, with what is told otherwise.
struct Rules {
    variables: &'static [(&'static str, &'static str)],
    validations: &'static [(&'static str, &'static str)],
}

/// Whether the user may do something with the stage, or with all of them.
macro_rules! may {
    ($verb:literal) => {
        concat!(
            "authorizer.group('promotion.sluice.dev').resource('stages')\
             .namespace(object.metadata.namespace).name(object.spec.stage).check('",
            $verb,
            "').allowed()"
        )
    };
}

const PROMOTIONS: Rules = Rules {
    variables: &[
        (
            "approvals",
            "has(object.spec.approvals) ? object.spec.approvals.filter(it, \
             oldObject == null || !has(oldObject.spec.approvals) || \
             !oldObject.spec.approvals.exists(old, old == it)) : []",
        ),
        ("aborts", "has(object.spec.abort) && (oldObject == null || !has(oldObject.spec.abort))"),
        (
            "rejects",
            "has(object.spec.rejected) && (oldObject == null || !has(oldObject.spec.rejected))",
        ),
    ],
    validations: &[
        (
            "variables.mine || oldObject != null || object.spec.kind == 'Manual'",
            "only the controllers make promotions of this kind; make a Manual one",
        ),
        (
            "variables.mine || oldObject != null || (has(object.spec.requestedBy) && \
             object.spec.requestedBy == request.userInfo.username)",
            "requestedBy must be the user who makes the promotion",
        ),
        (
            concat!("variables.mine || oldObject != null || ", may!("promote")),
            "promoting needs the verb promote on the stage",
        ),
        (
            concat!(
                "oldObject != null || !has(object.spec.skipGates) || \
                 object.spec.skipGates.size() == 0 || ",
                may!("bypass")
            ),
            "skipping gates needs the verb bypass on the stage",
        ),
        (
            "oldObject == null || !has(oldObject.spec.approvals) || \
             oldObject.spec.approvals.all(old, has(object.spec.approvals) && \
             object.spec.approvals.exists(it, it == old))",
            "approvals can only be added",
        ),
        (
            "variables.approvals.all(it, it.by == request.userInfo.username)",
            "an approval must be by the user who gives it",
        ),
        (
            "variables.approvals.all(it, !has(it.group) || it.group in request.userInfo.groups)",
            "an approval must be for a group of the user who gives it",
        ),
        (
            concat!("variables.approvals.size() == 0 || ", may!("approve")),
            "approving needs the verb approve on the stage",
        ),
        (
            "!variables.aborts || object.spec.abort.by == request.userInfo.username",
            "abort must be by the user who aborts",
        ),
        (
            concat!("!variables.aborts || ", may!("promote")),
            "aborting needs the verb promote on the stage",
        ),
        (
            "!variables.rejects || object.spec.rejected.by == request.userInfo.username",
            "rejected must be by the user who rejects",
        ),
        (
            concat!("!variables.rejects || ", may!("reject")),
            "rejecting needs the verb reject on the stage",
        ),
    ],
};

const BUNDLES: Rules = Rules {
    variables: &[(
        "rejections",
        "has(object.spec.rejections) ? object.spec.rejections.filter(it, \
         oldObject == null || !has(oldObject.spec.rejections) || \
         !oldObject.spec.rejections.exists(old, old == it)) : []",
    )],
    validations: &[
        (
            "oldObject == null || !has(oldObject.spec.rejections) || \
             oldObject.spec.rejections.all(old, has(object.spec.rejections) && \
             object.spec.rejections.exists(it, it == old))",
            "rejections can only be added",
        ),
        // The controllers write down what somebody said in a promotion.
        (
            "variables.mine || \
             variables.rejections.all(it, it.by == request.userInfo.username)",
            "a rejection must be by the user who rejects",
        ),
        (
            "variables.mine || variables.rejections.all(it, it.stage == '*' ? \
             authorizer.group('promotion.sluice.dev').resource('stages')\
             .namespace(object.metadata.namespace).check('reject').allowed() : \
             authorizer.group('promotion.sluice.dev').resource('stages')\
             .namespace(object.metadata.namespace).name(it.stage).check('reject').allowed())",
            "rejecting needs the verb reject on the stage, or on all stages for '*'",
        ),
    ],
};

const FREEZES: Rules = Rules {
    variables: &[],
    validations: &[(
        "variables.mine || oldObject != null || \
         (has(object.spec.by) && object.spec.by == request.userInfo.username)",
        "by must be the user who freezes",
    )],
};

fn policy(resource: &str, operations: &[&str], account: &str, rules: &Rules) -> Value {
    let variables = rules.variables.iter().map(|(name, text)| (*name, (*text).to_owned()));
    let validations = rules.validations.iter().map(|(text, why)| ((*text).to_owned(), *why));
    build(resource, operations, account, (variables.collect(), validations.collect()))
}

/// Of a stage or pipeline: nothing but `suspend` changes without the verb `configure`. Labels count,
/// as a Freeze selects by them.
fn configured(resource: &str, account: &str) -> Value {
    let same = |path: &str, field: &str| {
        let (new, old) = (format!("object.{path}"), format!("oldObject.{path}"));
        format!(
            "has({new}.{field}) == has({old}.{field}) && \
             (!has({new}.{field}) || {new}.{field} == {old}.{field})"
        )
    };
    let fields = fields(resource);
    let guarded = fields.iter().filter(|field| *field != "suspend");
    let mut parts: Vec<String> = guarded.map(|field| same("spec", field)).collect();
    parts.push(same("metadata", "labels"));
    let spared = "request.userInfo.username in ['system:serviceaccount:kube-system:namespace-controller', \
         'system:serviceaccount:kube-system:generic-garbage-collector']";
    let variables = vec![
        ("subject", "object == null ? oldObject : object".to_owned()),
        ("same", format!("object != null && oldObject != null && {}", parts.join(" && "))),
        ("spared", format!("object == null && {spared}")),
    ];
    let may = format!(
        "variables.mine || variables.same || variables.spared || \
         authorizer.group('{GROUP}').resource('{resource}')\
         .namespace(variables.subject.metadata.namespace).name(variables.subject.metadata.name)\
         .check('configure').allowed()"
    );
    let why = match resource {
        "stages" => "anything but suspend needs the verb configure on the stage",
        _ => "anything but suspend needs the verb configure on the pipeline",
    };
    build(resource, &["CREATE", "UPDATE", "DELETE"], account, (variables, vec![(may, why)]))
}

/// The fields of a kind's spec, from its definition, so that a new one is guarded from its first day.
fn fields(resource: &str) -> Vec<String> {
    let definition =
        crate::crd::all().into_iter().find(|it| it["spec"]["names"]["plural"] == resource);
    let schema = definition.map(|mut it| {
        it["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].take()
    });
    let properties = schema.and_then(|mut it| it["properties"].as_object_mut().map(std::mem::take));
    properties.into_iter().flatten().map(|(name, _)| name).collect()
}

type Expressions = (Vec<(&'static str, String)>, Vec<(String, &'static str)>);

fn build(
    resource: &str,
    operations: &[&str],
    account: &str,
    (variables, validations): Expressions,
) -> Value {
    let quoted = account.replace('\\', "\\\\").replace('\'', "\\'");
    let mine = ("mine", format!("request.userInfo.username == '{quoted}'"));
    let variables = std::iter::once(mine).chain(variables);
    let variables: Vec<Value> = variables
        .map(|(name, expression)| json!({"name": name, "expression": expression}))
        .collect();
    let validations: Vec<Value> = validations
        .into_iter()
        .map(|(expression, message)| {
            json!({"expression": expression, "message": message, "reason": "Forbidden"})
        })
        .collect();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": format!("{resource}.{GROUP}")},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [GROUP], "apiVersions": ["*"], "operations": operations,
                "resources": [resource],
            }]},
            "variables": variables,
            "validations": validations,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_guarded_but_suspend() {
        for resource in ["stages", "pipelines"] {
            let fields = fields(resource);
            assert!(fields.iter().any(|it| it == "suspend"), "{fields:?}");
            let policy = configured(resource, ACCOUNT).to_string();
            for field in fields {
                let guarded = policy.contains(&format!("object.spec.{field})"));
                assert_eq!(guarded, field != "suspend", "{resource}: {field}");
            }
        }
    }

    #[test]
    fn an_account_is_quoted() {
        let policy = policy("freezes", &["CREATE"], "o'neil", &FREEZES);
        let mine = &policy["spec"]["variables"][0]["expression"];
        assert_eq!(mine, "request.userInfo.username == 'o\\'neil'");
    }

    #[test]
    fn names_are_those_of_the_policies() {
        let all = all(ACCOUNT);
        let names: Vec<_> = all.iter().filter_map(|it| it["metadata"]["name"].as_str()).collect();
        assert_eq!(names, [NAMES, NAMES].concat());
    }
}
