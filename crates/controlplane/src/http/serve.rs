//! One request: who asks, for what, and the answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::accept::{Accept, negotiate};
use super::answer::Answer;
use super::certificate::ClientCertificate;
use super::param::Params;
use super::render::View;
use super::route::{self, Place, Route};
use super::{body, impersonation, login, patch, pod, read, scale, watch, write};
use crate::access::Action;
use crate::api::Api;
use crate::catalog::Index;
use crate::discovery;
use crate::object::{DeleteOptions, Target, Write};
use crate::openapi;
use crate::review;
use crate::status::{Refused, Served};
use crate::table::Include;
use crate::user::User;

/// How requests are told who asks.
#[derive(Clone)]
pub(crate) enum Login {
    /// Every request is the administrator's: the caller is in this process.
    Trusted,
    /// By client certificate or bearer token.
    Token,
}

/// What serves requests.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) api: Arc<Api>,
    pub(crate) login: Login,
    /// Whether those who bring no token are served too.
    pub(crate) anonymous: bool,
    /// Ends watches.
    pub(crate) end: CancellationToken,
}

/// Answers one request.
pub(crate) async fn serve(State(front): State<Front>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let certificate = parts.extensions.get::<ClientCertificate>();
    let call = Call { front: &front, method: parts.method, headers: &parts.headers, certificate };
    match call.answer(&parts.uri, body).await {
        Ok(Reply::Stream(response)) => response,
        Ok(Reply::Answer(answer)) => answer.response(&parts.headers),
        Err(refused) => Answer::refused(&refused).response(&parts.headers),
    }
}

enum Reply {
    Answer(Answer),
    Stream(Response),
}

struct Call<'a> {
    front: &'a Front,
    method: Method,
    headers: &'a HeaderMap,
    certificate: Option<&'a ClientCertificate>,
}

impl Call<'_> {
    async fn answer(&self, uri: &http::Uri, body: Body) -> Served<Reply> {
        let user = login::user(self.front, self.headers, self.certificate)?;
        let user = impersonation::user(&self.front.api, (uri, self.headers), user)?;
        let query = uri.query().unwrap_or_default();
        self.authorize(&user, || Action::of(&self.method, uri.path(), query))?;
        let route = route::parse(uri.path());
        if let Route::Other(segments) = &route
            && let Some(answer) = about_server(segments, &self.method)
        {
            return Ok(Reply::Answer(answer));
        }
        let params = Params::parse(uri)?;
        match route {
            Route::Resource(place) => self.resource(place, &params, body, &Arc::new(user)).await,
            route => self.document(&route).map(Reply::Answer),
        }
    }

    /// Refuses what `user` may not do.
    fn authorize(&self, user: &User, action: impl FnOnce() -> Action) -> Served<()> {
        if user.is_privileged() {
            return Ok(());
        }
        let (action, api) = (action(), &self.front.api);
        let decision = api.access.decide(&api.store, user, &action);
        if decision.allowed {
            return Ok(());
        }
        Err(Refused::denied(&action, &user.name, &decision.reason))
    }

    /// Discovery and other documents.
    fn document(&self, route: &Route) -> Served<Answer> {
        let any = matches!(route, Route::Groups { .. });
        if !any && self.method != Method::GET && self.method != Method::HEAD {
            return Err(Refused::method_unknown());
        }
        let index = self.front.api.catalog.index();
        let found = match route {
            Route::Groups { core } => {
                let wanted = super::accept::aggregated(self.headers);
                let (document, media) = discovery::groups(&index, *core, wanted);
                let answer = Answer::value(&document);
                return Ok(match media {
                    Some(content_type) => Answer { content_type, varies: true, ..answer },
                    None => answer,
                });
            }
            Route::Group(group) => discovery::group(&index, group),
            Route::Version { group, version } => {
                let document = discovery::version(&index, group, version);
                if document.is_none() && index.groups.contains_key(group) {
                    return Err(Refused::unserved());
                }
                document
            }
            Route::Other(segments) if is_below_api(&index, segments) => {
                return Err(Refused::unserved());
            }
            Route::Other(segments) => {
                return Ok(self.openapi(&index, segments)?.unwrap_or_else(not_a_page));
            }
            Route::Resource(_) => None,
        };
        Ok(found.map_or_else(not_a_page, |document| Answer::value(&document)))
    }

    fn openapi(&self, index: &Index, segments: &[String]) -> Served<Option<Answer>> {
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let document = match parts.as_slice() {
            ["openapi", "v2"] => Some(openapi::document_v2(index)),
            ["openapi", "v3"] => Some(openapi::index(index)),
            ["openapi", "v3", "api", version] => openapi::document(index, "", version),
            ["openapi", "v3", "apis", group, version] => openapi::document(index, group, version),
            _ => None,
        };
        let Some(document) = document else { return Ok(None) };
        negotiate(self.headers)?;
        let answer = Answer::value(&document);
        Ok(Some(Answer {
            varies: parts.len() != 2 || parts[1] == "v2",
            packs: parts[1] == "v2",
            ..answer
        }))
    }

    async fn resource(
        &self,
        mut place: Place,
        params: &Params,
        body: Body,
        user: &Arc<User>,
    ) -> Served<Reply> {
        let index = self.front.api.catalog.index();
        if [&place.namespace, &place.name].iter().any(|it| it.contains('/')) {
            return Err(Refused::unserved());
        }
        if !index.serves(&place.group, &place.version) {
            return Self::nothing(&index, &place.group);
        }
        let Some(resource) = index.find(&place.group, &place.version, &place.plural).cloned()
        else {
            return Self::nothing(&index, &place.group);
        };
        let target = Target {
            namespace: std::mem::take(&mut place.namespace),
            name: std::mem::take(&mut place.name),
            subresource: std::mem::take(&mut place.subresource),
            resource,
        };
        if let Err(refused) = check_scope(&target, &self.method) {
            if refused.code == 404 && target.resource.custom().is_some() {
                return Ok(Reply::Answer(not_a_page()));
            }
            return Err(refused);
        }
        let warning = target.resource.warning.clone();
        self.on_target(target, params, (body, place.watch), user).await.map_err(|mut refused| {
            refused.warnings.extend(warning);
            refused
        })
    }

    /// What is answered of a resource that is not there: of groups of definitions not even that.
    fn nothing(index: &Index, group: &str) -> Served<Reply> {
        let built_in = index.all.iter().any(|it| it.group == group && it.custom().is_none());
        if built_in { Err(Refused::unserved()) } else { Ok(Reply::Answer(not_a_page())) }
    }

    /// Answers a request for an object or a collection that is served.
    async fn on_target(
        &self,
        target: Target,
        params: &Params,
        (body, watch): (Body, bool),
        user: &Arc<User>,
    ) -> Served<Reply> {
        let accept = negotiate(self.headers)?;
        let include = params.get("includeObject");
        if accept.is_table() && !matches!(include, "" | "None" | "Metadata" | "Object") {
            return Err(Refused::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {include:?}: must be 'Metadata', 'Object', 'None', or empty"
            )));
        }
        let view = View::new(&target.resource, accept, Include::parse(include));
        if target.resource.is("/bindings") {
            return self.bind(target, body).await.map(Reply::Answer);
        }
        if target.resource.is_virtual || target.subresource == "token" {
            let bytes = body::read(body).await?;
            let answer = self.review(&target, params, &bytes, user)?;
            return finish(answer, accept).map(Reply::Answer);
        }
        if matches!(target.subresource.as_str(), "binding" | "eviction") {
            return self.pod(&target, params, body, user).await.map(Reply::Answer);
        }
        if self.method == Method::GET || self.method == Method::HEAD {
            return self.read(&target, view, params, watch);
        }
        if target.resource.read_only {
            return Err(Refused::method_unknown());
        }
        let bytes = body::read(body).await?;
        let mut answer = self.write(&target, &view, (params, &bytes), user).await?;
        answer.warnings.extend(target.resource.warning.clone());
        finish(answer, accept).map(Reply::Answer)
    }

    /// Gives a Pod to a Node by way of the collection of bindings.
    async fn bind(&self, mut target: Target, body: Body) -> Served<Answer> {
        if self.method != Method::POST {
            return Err(Refused::method_unknown());
        }
        let api = &self.front.api;
        let request = body::decode(self.headers, &body::read(body).await?, "Binding")?.value;
        let pods = api.catalog.index().find("", "v1", "pods").cloned();
        target.resource = pods.ok_or_else(Refused::unserved)?;
        target.name = request["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        pod::bind(api, &target, &request).await
    }

    /// What is done with a Pod beyond writing it.
    async fn pod(
        &self,
        target: &Target,
        params: &Params,
        body: Body,
        user: &Arc<User>,
    ) -> Served<Answer> {
        if self.method != Method::POST {
            return Err(Refused::method_unknown());
        }
        let api = &self.front.api;
        let kind = if target.subresource == "binding" { "Binding" } else { "Eviction" };
        let request = body::decode(self.headers, &body::read(body).await?, kind)?.value;
        if target.subresource == "binding" {
            return pod::bind(api, target, &request).await;
        }
        let options = write::delete_options(params, self.headers, &[])?;
        let options = DeleteOptions { user: Some(user.clone()), ..options };
        pod::evict(api, target, &request, options).await
    }

    /// Answers what is not stored.
    fn review(
        &self,
        target: &Target,
        params: &Params,
        bytes: &[u8],
        user: &User,
    ) -> Served<Answer> {
        if self.method != Method::POST {
            return Err(Refused::method_unknown());
        }
        let api = &self.front.api;
        let mut write = write::options(params, self.headers, "CreateOptions")?;
        let decoded = body::decode(self.headers, bytes, &target.resource.kind)?;
        write.body_problems = decoded.problems;
        let (answer, warnings) = if target.subresource == "token" {
            review::token(api, target, decoded.value, &write)?
        } else {
            review::answer(api, target, decoded.value, user, &write)?
        };
        let answer = Answer::value(&answer).code(StatusCode::CREATED);
        Ok(Answer { warnings, ..answer })
    }

    fn read(&self, target: &Target, view: View, params: &Params, watch: bool) -> Served<Reply> {
        let api = &self.front.api;
        let accept = negotiate(self.headers)?;
        if target.subresource == "scale" {
            return finish(scale::get(api, target, &view)?, accept).map(Reply::Answer);
        }
        let mut answer = if target.name.is_empty() || watch {
            let options = params.list(&target.resource)?;
            if options.watch || watch {
                let stream = watch::watch(api, target, view, options, &self.front.end)?;
                return Ok(Reply::Stream(stream));
            }
            read::list(api, target, &view, &options)?
        } else {
            read::get(api, target, &view, params.get("resourceVersion"))?
        };
        answer.warnings.extend(target.resource.warning.clone());
        finish(answer, accept).map(Reply::Answer)
    }

    async fn write(
        &self,
        target: &Target,
        view: &View,
        (params, bytes): (&Params, &[u8]),
        user: &Arc<User>,
    ) -> Served<Answer> {
        let api = &self.front.api;
        let headers = self.headers;
        let options = |kind: &str| -> Served<Write> {
            let write = write::options(params, headers, kind)?;
            Ok(Write { user: Some(user.clone()), ..write })
        };
        let one = !target.name.is_empty();
        if target.subresource == "scale" {
            let patch = self.method == Method::PATCH;
            if !patch && self.method != Method::PUT {
                return Err(Refused::method_unknown());
            }
            let options = options("UpdateOptions")?;
            return scale::change(api, target, &options, (headers, bytes, patch)).await;
        }
        let whole = target.subresource.is_empty();
        let method = &self.method;
        let forbidden = (*method == Method::DELETE && !whole)
            || (*method == Method::DELETE
                && !one
                && target.resource.is(crate::catalog::NAMESPACES))
            || (*method == Method::PATCH && target.subresource == "finalize");
        if forbidden {
            return Err(Refused::method_unknown());
        }
        match (method, one) {
            (&Method::POST, false) => {
                let options = options("CreateOptions")?;
                let decoded = body::decode(headers, bytes, &target.resource.kind)?;
                write::create(api, target, view, options, decoded).await
            }
            (&Method::PUT, true) => {
                let options = options("UpdateOptions")?;
                let decoded = body::decode(headers, bytes, &target.resource.kind)?;
                write::replace(api, target, view, options, decoded).await
            }
            (&Method::PATCH, true) => {
                let options = options("PatchOptions")?;
                patch::patch(api, target, view, options, (headers, bytes)).await
            }
            (&Method::DELETE, true) => {
                let options = write::delete_options(params, headers, bytes)?;
                let options = DeleteOptions { user: Some(user.clone()), ..options };
                write::delete(api, target, view, &options).await
            }
            (&Method::DELETE, false) => {
                let options = write::delete_options(params, headers, bytes)?;
                let options = DeleteOptions { user: Some(user.clone()), ..options };
                let list = params.list(&target.resource)?;
                write::delete_collection(api, target, view, &list, &options).await
            }
            _ => Err(Refused::method_unknown()),
        }
    }
}

/// Refuses paths that do not fit the scope of the resource.
fn check_scope(target: &Target, method: &Method) -> Served<()> {
    let known = match target.subresource.as_str() {
        "" => true,
        "status" => target.resource.status,
        "scale" => target.resource.scale.is_some(),
        "token" => target.resource.is("/serviceaccounts"),
        "binding" | "eviction" => target.resource.is("/pods"),
        "finalize" => target.resource.is(crate::catalog::NAMESPACES),
        _ => false,
    };
    let in_namespace = !target.namespace.is_empty();
    let scoped = if target.resource.namespaced {
        in_namespace || (target.name.is_empty() && *method == Method::GET)
    } else {
        !in_namespace
    };
    if target.resource.namespaced && !in_namespace && target.name.is_empty() && known {
        return if *method == Method::GET { Ok(()) } else { Err(Refused::method_unknown()) };
    }
    if known && scoped { Ok(()) } else { Err(Refused::unserved()) }
}

/// Whether a path is below a version of a built-in group that is served.
fn is_below_api(index: &Index, segments: &[String]) -> bool {
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["api", version, ..] => index.serves("", version),
        ["apis", group, version, _, ..] => index.serves(group, version),
        _ => false,
    }
}

/// Puts an answer into the form that was asked for.
fn finish(answer: Answer, accept: Accept) -> Served<Answer> {
    if !accept.yaml {
        return Ok(answer);
    }
    let text = String::from_utf8_lossy(&answer.body);
    let yaml = yaml::json_to_yaml(&text).map_err(|e| Refused::internal(&e.to_string()))?;
    Ok(Answer { body: yaml.into(), content_type: "application/yaml", ..answer })
}

/// Answers about the server itself.
fn about_server(segments: &[String], method: &Method) -> Option<Answer> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match segments.first().map(String::as_str) {
        Some("healthz" | "livez" | "readyz") => Some(Answer::text("ok")),
        Some("version") if segments.len() == 1 && reads => {
            Some(Answer::value(&discovery::release()))
        }
        _ => None,
    }
}

/// Paths outside the API are refused without a `Status`, as kube-apiserver does it.
fn not_a_page() -> Answer {
    Answer::text("404 page not found\n").code(StatusCode::NOT_FOUND)
}
