//! One request: who asks, for what, and the answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::accept::{Accept, negotiate};
use super::answer::Answer;
use super::param::Params;
use super::render::View;
use super::route::{self, Place, Route};
use super::{body, patch, read, scale, watch, write};
use crate::api::Api;
use crate::catalog::Index;
use crate::discovery;
use crate::object::Target;
use crate::openapi;
use crate::review;
use crate::status::{Refused, Served};
use crate::table::Include;
use crate::user::{Logins, User};

/// How requests are told who asks.
#[derive(Clone)]
pub(crate) enum Login {
    /// Every request is the administrator's: the caller is in this process.
    Trusted,
    /// By bearer token.
    Token,
}

/// What serves requests.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) api: Arc<Api>,
    pub(crate) login: Login,
    /// All tokens.
    pub(crate) logins: Arc<Logins>,
    /// Ends watches.
    pub(crate) end: CancellationToken,
}

/// Answers one request.
pub(crate) async fn serve(State(front): State<Front>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call { front: &front, method: parts.method, headers: &parts.headers };
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
}

impl Call<'_> {
    async fn answer(&self, uri: &http::Uri, body: Body) -> Served<Reply> {
        let route = route::parse(uri.path());
        if let Route::Other(segments) = &route
            && let Some(answer) = open_to_all(segments)
        {
            return Ok(Reply::Answer(answer));
        }
        let user = self.user()?;
        let params = Params::parse(uri)?;
        match route {
            Route::Resource(place) => self.resource(place, &params, body, &user).await,
            route => self.document(&route).map(Reply::Answer),
        }
    }

    fn user(&self) -> Served<User> {
        let user = match &self.front.login {
            Login::Trusted => User::administrator(),
            Login::Token => {
                let token = self.header(AUTHORIZATION.as_str());
                let token = token.and_then(|h| h.strip_prefix("Bearer "));
                let user = token.and_then(|t| self.front.logins.find(t));
                user.ok_or_else(Refused::unauthorized)?
            }
        };
        // Everybody may do everything, so everybody may act as somebody else.
        Ok(match self.header("impersonate-user") {
            None => user,
            Some(name) => {
                let groups = self.headers.get_all("impersonate-group");
                let groups: Vec<_> = groups.iter().filter_map(|g| g.to_str().ok()).collect();
                User::new(name, &groups)
            }
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Discovery and other documents.
    fn document(&self, route: &Route) -> Served<Answer> {
        if self.method != Method::GET && self.method != Method::HEAD {
            return Err(Refused::method_unknown());
        }
        let index = self.front.api.catalog.index();
        let found = match route {
            Route::Groups { core } => {
                let wanted = super::accept::aggregated(self.headers);
                let (document, media) = discovery::groups(&index, *core, wanted);
                let answer = Answer::value(&document);
                return Ok(match media {
                    Some(content_type) => Answer { content_type, ..answer },
                    None => answer,
                });
            }
            Route::Group(group) => discovery::group(&index, group),
            Route::Version { group, version } => discovery::version(&index, group, version),
            Route::Other(segments) => self.openapi(&index, segments)?,
            Route::Resource(_) => None,
        };
        Ok(found.map_or_else(not_a_page, |document| Answer::value(&document)))
    }

    fn openapi(&self, index: &Index, segments: &[String]) -> Served<Option<Value>> {
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let document = match parts.as_slice() {
            ["openapi", "v2"] => Some(openapi::document_v2(index)),
            ["openapi", "v3"] => Some(openapi::index(index)),
            ["openapi", "v3", "api", version] => openapi::document(index, "", version),
            ["openapi", "v3", "apis", group, version] => openapi::document(index, group, version),
            _ => None,
        };
        if document.is_some() {
            negotiate(self.headers)?;
        }
        Ok(document)
    }

    async fn resource(
        &self,
        mut place: Place,
        params: &Params,
        body: Body,
        user: &User,
    ) -> Served<Reply> {
        let api = &self.front.api;
        let index = api.catalog.index();
        if !index.serves(&place.group, &place.version) {
            return Ok(Reply::Answer(not_a_page()));
        }
        let resource = index
            .find(&place.group, &place.version, &place.plural)
            .ok_or_else(Refused::unserved)?
            .clone();
        let target = Target {
            namespace: std::mem::take(&mut place.namespace),
            name: std::mem::take(&mut place.name),
            subresource: std::mem::take(&mut place.subresource),
            resource,
        };
        check_scope(&target, &self.method)?;
        let accept = negotiate(self.headers)?;
        let view = View::new(&target.resource, accept, Include::parse(params.get("includeObject")));
        if target.resource.is_virtual || target.subresource == "token" {
            let bytes = body::read(body).await?;
            return self.review(&target, &bytes, user).map(Reply::Answer);
        }
        if self.method == Method::GET || self.method == Method::HEAD {
            return self.read(&target, view, params, place.watch);
        }
        let bytes = body::read(body).await?;
        let mut answer = self.write(&target, &view, params, &bytes).await?;
        answer.warnings.extend(target.resource.warning.clone());
        finish(answer, accept).map(Reply::Answer)
    }

    /// Answers what is not stored.
    fn review(&self, target: &Target, bytes: &[u8], user: &User) -> Served<Answer> {
        if self.method != Method::POST {
            return Err(Refused::method_unknown());
        }
        let logins = &self.front.logins;
        let request = body::decode(self.headers, bytes)?.value;
        let answer = if target.subresource == "token" {
            let store = &self.front.api.store;
            let known = store.get(&target.resource.store, &target.path()).is_some();
            if !known {
                return Err(Refused::not_found(target.about()));
            }
            review::token(target, request, logins)?
        } else {
            review::answer(&target.resource, request, user, logins)
        };
        Ok(Answer::value(&answer).code(StatusCode::CREATED))
    }

    fn read(&self, target: &Target, view: View, params: &Params, watch: bool) -> Served<Reply> {
        let api = &self.front.api;
        let accept = negotiate(self.headers)?;
        if target.subresource == "scale" {
            return finish(scale::get(api, target)?, accept).map(Reply::Answer);
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
        params: &Params,
        bytes: &[u8],
    ) -> Served<Answer> {
        let api = &self.front.api;
        let headers = self.headers;
        let one = !target.name.is_empty();
        if target.subresource == "scale" {
            let patch = self.method == Method::PATCH;
            if !patch && self.method != Method::PUT {
                return Err(Refused::method_unknown());
            }
            let options = write::options(params, headers, "UpdateOptions")?;
            return scale::change(api, target, &options, (headers, bytes, patch)).await;
        }
        match (&self.method, one) {
            (&Method::POST, false) => {
                let options = write::options(params, headers, "CreateOptions")?;
                let decoded = body::decode(headers, bytes)?;
                write::create(api, target, view, options, decoded).await
            }
            (&Method::PUT, true) => {
                let options = write::options(params, headers, "UpdateOptions")?;
                let decoded = body::decode(headers, bytes)?;
                write::replace(api, target, view, options, decoded).await
            }
            (&Method::PATCH, true) => {
                let options = write::options(params, headers, "PatchOptions")?;
                patch::patch(api, target, view, options, (headers, bytes)).await
            }
            (&Method::DELETE, true) => {
                let options = write::delete_options(params, headers, bytes)?;
                write::delete(api, target, view, &options).await
            }
            (&Method::DELETE, false) => {
                let options = write::delete_options(params, headers, bytes)?;
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

/// Puts an answer into the form that was asked for.
fn finish(answer: Answer, accept: Accept) -> Served<Answer> {
    if !accept.yaml {
        return Ok(answer);
    }
    let text = String::from_utf8_lossy(&answer.body);
    let yaml = yaml::json_to_yaml(&text).map_err(|e| Refused::internal(&e.to_string()))?;
    Ok(Answer { body: yaml.into(), content_type: "application/yaml", ..answer })
}

fn open_to_all(segments: &[String]) -> Option<Answer> {
    match segments.first().map(String::as_str) {
        Some("healthz" | "livez" | "readyz") => Some(Answer::text("ok")),
        Some("version") if segments.len() == 1 => Some(Answer::value(&discovery::release())),
        _ => None,
    }
}

/// Paths outside the API are refused without a `Status`, as kube-apiserver does it.
fn not_a_page() -> Answer {
    Answer::text("404 page not found\n").code(StatusCode::NOT_FOUND)
}
