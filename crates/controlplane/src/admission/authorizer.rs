//! The `authorizer` of expressions: questions about rights, asked for the user or a ServiceAccount.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use kube_cel::cel::extractors::This;
use kube_cel::cel::objects::{Key, Map, Opaque};
use kube_cel::cel::{Context, ExecutionError, Value as Cel};

use super::Attempt;
use crate::access::{Action, Decision};
use crate::api::Api;
use crate::user::User;

type Answer = Result<Cel, ExecutionError>;
/// A part of an action that a function sets.
type Part = fn(&mut Action) -> &mut String;

/// Where the map that stands for an authorizer keeps its user.
const USER: &str = "@user";

#[derive(Debug, PartialEq, Eq)]
struct Asker(User);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    user: User,
    action: Action,
}

#[derive(Debug, PartialEq, Eq)]
struct Answered(Decision);

impl Opaque for Asker {
    fn runtime_type_name(&self) -> &'static str {
        "kubernetes.authorization.User"
    }
}

impl Opaque for Question {
    fn runtime_type_name(&self) -> &'static str {
        "kubernetes.authorization.ResourceCheck"
    }
}

impl Opaque for Answered {
    fn runtime_type_name(&self) -> &'static str {
        "kubernetes.authorization.Decision"
    }
}

/// Adds the variable and its functions.
pub(super) fn add(context: &mut Context<'static>, api: &Api, attempt: &Attempt<'_>) {
    let user = attempt.user.clone();
    let resource = &attempt.target.resource;
    let action = Action {
        group: resource.group.clone(),
        version: resource.version.clone(),
        resource: resource.plural.clone(),
        subresource: attempt.target.subresource.clone(),
        namespace: attempt.namespace().to_owned(),
        name: attempt.target.name.clone(),
        ..Action::default()
    };
    let question = opaque(Question { user: user.clone(), action });
    context.add_variable_from_value("authorizer", authorizer(user, Some(question)));
    add_questions(context);
    add_answers(context, api.me());
}

fn authorizer(user: User, request: Option<Cel>) -> Cel {
    let key = |text: &str| Key::String(Arc::new(text.to_owned()));
    let mut map = HashMap::from([(key(USER), opaque(Asker(user)))]);
    if let Some(request) = request {
        map.insert(key("requestResource"), request);
    }
    Cel::Map(Map { map: Arc::new(map) })
}

fn add_questions(context: &mut Context<'static>) {
    context.add_function("path", |This(this): This<Cel>, path: Arc<String>| -> Answer {
        let action = Action { path: Some(path.to_string()), ..Action::default() };
        Ok(opaque(Question { user: user(&this)?, action }))
    });
    context.add_function("group", |This(this): This<Cel>, group: Arc<String>| -> Answer {
        let action = Action { group: group.to_string(), ..Action::default() };
        Ok(opaque(Question { user: user(&this)?, action }))
    });
    context.add_function(
        "serviceAccount",
        |This(this): This<Cel>, namespace: Arc<String>, name: Arc<String>| -> Answer {
            user(&this)?;
            Ok(authorizer(User::service_account(&namespace, &name), None))
        },
    );
    let parts: [(&'static str, Part); 4] = [
        ("resource", |action| &mut action.resource),
        ("subresource", |action| &mut action.subresource),
        ("namespace", |action| &mut action.namespace),
        ("name", |action| &mut action.name),
    ];
    for (function, part) in parts {
        context.add_function(function, move |This(this): This<Cel>, text: Arc<String>| -> Answer {
            let mut question = read::<Question>(&this, function)?.clone();
            text.as_str().clone_into(part(&mut question.action));
            Ok(opaque(question))
        });
    }
    // Roles know no selectors.
    for function in ["fieldSelector", "labelSelector"] {
        context.add_function(function, move |This(this): This<Cel>, _: Arc<String>| -> Answer {
            Ok(opaque(read::<Question>(&this, function)?.clone()))
        });
    }
}

fn add_answers(context: &mut Context<'static>, api: Weak<Api>) {
    context.add_function("check", move |This(this): This<Cel>, verb: Arc<String>| -> Answer {
        let Question { user, mut action } = read::<Question>(&this, "check")?.clone();
        action.verb = verb.to_string();
        let api = api.upgrade();
        let api = api.ok_or_else(|| ExecutionError::function_error("check", "the server ends"))?;
        Ok(opaque(Answered(api.access.decide(&api.store, &user, &action))))
    });
    context.add_function("allowed", |This(this): This<Cel>| -> Answer {
        Ok(Cel::Bool(read::<Answered>(&this, "allowed")?.0.allowed))
    });
    context.add_function("reason", |This(this): This<Cel>| -> Answer {
        Ok(Cel::String(Arc::new(read::<Answered>(&this, "reason")?.0.reason.clone())))
    });
    context.add_function("errored", |This(this): This<Cel>| -> Answer {
        read::<Answered>(&this, "errored").map(|_| Cel::Bool(false))
    });
    context.add_function("error", |This(this): This<Cel>| -> Answer {
        read::<Answered>(&this, "error").map(|_| Cel::String(Arc::default()))
    });
}

fn opaque(value: impl Opaque) -> Cel {
    Cel::Opaque(Arc::new(value))
}

fn read<'a, T: 'static>(this: &'a Cel, function: &str) -> Result<&'a T, ExecutionError> {
    let found = match this {
        Cel::Opaque(value) => value.downcast_ref::<T>(),
        _ => None,
    };
    found.ok_or_else(|| ExecutionError::function_error(function, "no such overload"))
}

/// The user of an authorizer.
fn user(this: &Cel) -> Result<User, ExecutionError> {
    let Cel::Map(map) = this else {
        return Err(ExecutionError::function_error("authorizer", "no such overload"));
    };
    let asker = map.map.get(&Key::String(Arc::new(USER.to_owned())));
    let asker =
        asker.ok_or_else(|| ExecutionError::function_error("authorizer", "no such overload"))?;
    read::<Asker>(asker, "authorizer").map(|asker| asker.0.clone())
}
