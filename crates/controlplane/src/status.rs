//! Refusals, answered as `Status` objects with the reasons and words of kube-apiserver.

use serde_json::{Value, json};

use crate::access::Action;
use crate::fields;
use crate::schema::{FieldError, aggregate, go};

/// A request that is not fulfilled.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// The HTTP status.
    pub(crate) code: u16,
    reason: &'static str,
    message: String,
    details: Value,
    /// A token to continue an interrupted list with.
    pub(crate) proceed: Option<String>,
    /// Whether it is answered as mere text.
    pub(crate) plain: bool,
    /// What the client is warned of besides.
    pub(crate) warnings: Vec<String>,
}

/// The result of serving a request.
pub(crate) type Served<T> = Result<T, Box<Refused>>;

/// What a refusal is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The API group, empty for core.
    pub(crate) group: &'a str,
    /// The resource, or for invalid objects the kind.
    pub(crate) what: &'a str,
    /// The object's name.
    pub(crate) name: &'a str,
}

impl About<'_> {
    /// `name.group`, as messages call a resource or kind.
    fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.what.to_owned()
        } else {
            format!("{}.{}", self.what, self.group)
        }
    }

    fn details(&self) -> Value {
        let mut details = json!({});
        for (key, text) in [("name", self.name), ("group", self.group), ("kind", self.what)] {
            if !text.is_empty() {
                details[key] = json!(text);
            }
        }
        details
    }
}

impl Refused {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
            proceed: None,
            plain: false,
            warnings: Vec::new(),
        })
    }

    fn about(code: u16, reason: &'static str, message: String, about: About<'_>) -> Box<Self> {
        let mut refused = Self::new(code, reason, message);
        refused.details = about.details();
        refused
    }

    /// The object is not there.
    pub(crate) fn not_found(about: About<'_>) -> Box<Self> {
        let message = format!("{} {:?} not found", about.qualified(), about.name);
        Self::about(404, "NotFound", message, about)
    }

    /// The path serves nothing.
    pub(crate) fn unserved() -> Box<Self> {
        let mut refused =
            Self::new(404, "NotFound", "the server could not find the requested resource");
        refused.details = json!({});
        refused
    }

    /// The name is taken.
    pub(crate) fn exists(about: About<'_>) -> Box<Self> {
        let message = format!("{} {:?} already exists", about.qualified(), about.name);
        Self::about(409, "AlreadyExists", message, about)
    }

    /// The name is taken by an object on its way out.
    pub(crate) fn exists_for_now(about: About<'_>) -> Box<Self> {
        let message = format!(
            "object is being deleted: {} {:?} already exists",
            about.qualified(),
            about.name
        );
        Self::about(409, "AlreadyExists", message, about)
    }

    /// No free name was found for a `generateName`.
    pub(crate) fn generate_name(about: About<'_>) -> Box<Self> {
        let message = format!(
            "{} {:?} already exists, the server was not able to generate a unique name for the object",
            about.qualified(),
            about.name
        );
        let mut refused = Self::about(409, "AlreadyExists", message, about);
        refused.details["retryAfterSeconds"] = json!(1);
        refused
    }

    /// The object is not in the state the request was made for.
    pub(crate) fn conflict(about: About<'_>, why: &str) -> Box<Self> {
        let message = format!(
            "Operation cannot be fulfilled on {} {:?}: {why}",
            about.qualified(),
            about.name
        );
        Self::about(409, "Conflict", message, about)
    }

    /// The object has changed since it was read.
    pub(crate) fn modified(about: About<'_>) -> Box<Self> {
        Self::conflict(
            about,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// The patch does not fit the object.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Box<Self> {
        let mut refused = Self::new(422, "Invalid", message);
        refused.details = json!({});
        refused
    }

    /// The patch is too large.
    pub(crate) fn too_large_patch(message: impl Into<String>) -> Box<Self> {
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// The object breaks rules; `about` names its kind.
    pub(crate) fn invalid(about: About<'_>, errors: &[FieldError]) -> Box<Self> {
        let list = aggregate(errors);
        let message = format!("{} {:?} is invalid: {list}", about.qualified(), about.name);
        let mut refused = Self::about(422, "Invalid", message, about);
        refused.details["causes"] = cause_list(errors);
        refused
    }

    /// Other managers own fields that an apply wants to set.
    pub(crate) fn apply_conflict(message: &str, conflicts: &[fields::Conflict]) -> Box<Self> {
        let mut refused = Self::new(409, "Conflict", message);
        let cause = |c: &fields::Conflict| json!({"reason": "FieldManagerConflict", "message": c.message(), "field": c.field});
        refused.details = json!({"causes": conflicts.iter().map(cause).collect::<Vec<_>>()});
        refused
    }

    /// A configuration to be applied does not have the shape of its type.
    pub(crate) fn untyped(message: &str) -> Box<Self> {
        Self::new(500, "", message)
    }

    /// The request makes no sense.
    pub(crate) fn bad_request(message: impl Into<String>) -> Box<Self> {
        Self::new(400, "BadRequest", message)
    }

    /// Nobody is logged in.
    pub(crate) fn unauthorized() -> Box<Self> {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// The user may not do it; `reason` is what the authorizer has to say, if anything.
    pub(crate) fn denied(action: &Action, user: &str, reason: &str) -> Box<Self> {
        let mut why = action.denial(user);
        if !reason.is_empty() {
            why = format!("{why}: {reason}");
        }
        let about = About { group: &action.group, what: &action.resource, name: &action.name };
        if action.path.is_some() {
            return Self::about(403, "Forbidden", format!("forbidden: {why}"), about);
        }
        Self::forbidden(about, &why)
    }

    /// The request is understood and denied.
    pub(crate) fn forbidden(about: About<'_>, why: &str) -> Box<Self> {
        let name = if about.name.is_empty() { String::new() } else { format!(" {:?}", about.name) };
        let message = format!("{}{name} is forbidden: {why}", about.qualified());
        Self::about(403, "Forbidden", message, about)
    }

    /// A policy does not admit the request; `reason` is `Invalid` unless the policy says otherwise.
    pub(crate) fn policy_denied(about: About<'_>, message: &str, reason: &str) -> Box<Self> {
        let mut refused = Self::forbidden(about, message);
        (refused.code, refused.reason) = match reason {
            "Forbidden" => (403, "Forbidden"),
            "Unauthorized" => (401, "Unauthorized"),
            "RequestEntityTooLarge" => (413, "RequestEntityTooLarge"),
            _ => (422, "Invalid"),
        };
        refused.details["causes"] = json!([{"message": message}]);
        refused
    }

    /// A webhook does not admit the request.
    pub(crate) fn by_webhook(
        code: u16,
        message: String,
        reason: &str,
        details: &Value,
    ) -> Box<Self> {
        const KNOWN: [&str; 8] = [
            "AlreadyExists",
            "BadRequest",
            "Conflict",
            "Forbidden",
            "Invalid",
            "NotFound",
            "TooManyRequests",
            "Unauthorized",
        ];
        let reason = KNOWN.into_iter().find(|it| *it == reason).unwrap_or_default();
        let mut refused = Self::new(code, reason, message);
        refused.details = details.clone();
        refused
    }

    /// An object of a namespace that is going away cannot be created.
    pub(crate) fn terminating(about: About<'_>, namespace: &str) -> Box<Self> {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut refused = Self::forbidden(about, &why);
        refused.details["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        refused
    }

    /// The resource has no such verb.
    pub(crate) fn method_not_allowed(about: About<'_>, verb: &str) -> Box<Self> {
        let message =
            format!("{verb} is not supported on resources of kind {:?}", about.qualified());
        Self::about(405, "MethodNotAllowed", message, about)
    }

    /// The path exists, the HTTP method does not.
    pub(crate) fn method_unknown() -> Box<Self> {
        let mut refused = Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        );
        refused.details = json!({});
        refused
    }

    /// None of the accepted media types can be produced.
    pub(crate) fn not_acceptable() -> Box<Self> {
        let mut refused = Self::new(
            406,
            "NotAcceptable",
            "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch",
        );
        refused.details = json!({});
        refused
    }

    /// An accepted media type can be produced, but not in the form that is wanted.
    pub(crate) fn no_such_form() -> Box<Self> {
        let message = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        Self::new(406, "NotAcceptable", message)
    }

    /// The body is in a format that is not understood.
    pub(crate) fn unsupported_media_type(accepted: &[&str]) -> Box<Self> {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// The patch is of a kind that the resource does not take.
    pub(crate) fn unsupported_patch() -> Box<Self> {
        let mut refused = Self::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
        refused.details = json!({});
        refused
    }

    /// The body is too large.
    pub(crate) fn too_large(limit: usize) -> Box<Self> {
        Self::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    /// The past that was asked for is forgotten.
    pub(crate) fn expired(message: impl Into<String>) -> Box<Self> {
        Self::new(410, "Expired", message)
    }

    /// The future was asked for.
    pub(crate) fn too_new(wanted: u64, current: u64) -> Box<Self> {
        let message = format!("Too large resource version: {wanted}, current: {current}");
        let mut refused = Self::new(504, "Timeout", format!("Timeout: {message}"));
        refused.details = json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        });
        refused
    }

    /// A watch is to begin in the future. `Expired` is the one reason on which every client starts
    /// over with a list.
    pub(crate) fn never_was(wanted: u64, current: u64) -> Box<Self> {
        Self::expired(format!("Too large resource version: {wanted}, current: {current}"))
    }

    /// The server cannot do it now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Box<Self> {
        let mut refused = Self::new(503, "ServiceUnavailable", message);
        refused.details = json!({"retryAfterSeconds": 1});
        refused
    }

    /// A budget does not allow to evict a Pod.
    pub(crate) fn disruption(why: &str, seconds: u64) -> Box<Self> {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        let mut refused = Self::new(429, "TooManyRequests", message);
        refused.details = json!({"causes": [{"reason": "DisruptionBudget", "message": why}]});
        if seconds > 0 {
            refused.details["retryAfterSeconds"] = json!(seconds);
        }
        refused
    }

    /// The server is at fault.
    pub(crate) fn internal(message: &str) -> Box<Self> {
        let mut refused =
            Self::new(500, "InternalError", format!("Internal error occurred: {message}"));
        refused.details = json!({"causes": [{"message": message}]});
        refused
    }

    /// The server is at fault before it knows what the request is about.
    pub(crate) fn plain_internal(uri: &str, why: &str) -> Box<Self> {
        let text = format!("Internal Server Error: {}: {why}\n", go::quote(uri));
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let mut refused = Self::new(500, "", text);
        refused.plain = true;
        refused
    }

    /// The message.
    pub(crate) fn text(&self) -> String {
        self.message.clone()
    }

    /// The `Status` object.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            body["reason"] = json!(self.reason);
        }
        if let Some(proceed) = &self.proceed {
            body["metadata"]["continue"] = json!(proceed);
        }
        if !self.details.is_null() {
            body["details"] = self.details.clone();
        }
        body["code"] = json!(self.code);
        body
    }

    /// After how many seconds the client may try again.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.details["retryAfterSeconds"].as_u64()
    }
}

/// The `causes` of a Status.
fn cause_list(errors: &[FieldError]) -> Value {
    errors
        .iter()
        .map(|e| json!({"reason": e.reason(), "message": e.body(), "field": e.field}))
        .collect()
}
