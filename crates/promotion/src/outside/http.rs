//! The `http` gate.

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use api::promotion::HttpRequest;
use futures::{FutureExt as _, future::BoxFuture};
use gate::http::{Ask, Context, Gate};
use pipeline::gate::{Answer, Kind};

use super::{Outside, TIMEOUT, answer, before, interval, key, limit, namespace, waiting};
use crate::gate::{Adapter, Asked};

pub(super) struct Http(pub(super) Outside);

impl Adapter for Http {
    fn kind(&self) -> Kind {
        Kind::Http
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer> {
        async move { self.answer(asked).await.unwrap_or_else(|why| waiting(why, asked)) }.boxed()
    }
}

impl Http {
    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let spec = asked.gate.http.clone().unwrap_or_default();
        let namespace = namespace(asked);
        let sent = asked.before.as_ref().is_some_and(|it| it.evidence.contains_key("sent"));
        let speaking = spec.once.as_ref().filter(|_| !sent).unwrap_or(&spec.request);
        let client = self.0.connect(&namespace, speaking.cert_secret_ref.as_ref()).await?;
        let once = match &spec.once {
            Some(once) => Some(self.request(once, &namespace, Method::POST).await?),
            None => None,
        };
        let gate = Gate {
            request: self.request(&spec.request, &namespace, Method::GET).await?,
            once,
            success_if: spec.success_if,
            fail_if: spec.fail_if,
            interval: interval(spec.interval.as_deref())?,
            error_limit: limit(spec.error_limit, 3),
        };
        let (guard, key) = (&self.0.guard, key(asked));
        let context =
            Context { client: &client, guard, key: &key, timeout: TIMEOUT, now: asked.now };
        Ok(answer(gate::http::ask(&gate, &before(asked), &context).await))
    }

    async fn request(
        &self,
        it: &HttpRequest,
        namespace: &str,
        method: Method,
    ) -> Result<Ask, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &it.headers {
            let odd = || format!("'{name}' is no header");
            let name: HeaderName = name.parse().map_err(|_| odd())?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| odd())?);
        }
        headers.extend(self.0.login(namespace, it.secret_ref.as_ref()).await?);
        let method = match &it.method {
            Some(text) => text.parse().map_err(|_| format!("'{text}' is no method"))?,
            None => method,
        };
        Ok(Ask { url: it.url.clone(), method, headers, body: it.body.clone() })
    }
}
