//! Measurements by a Prometheus.

use http::{HeaderMap, Method};
use serde_json::{Map, Value, json};
use url::Url;

use crate::answer::{Answer, Before};
use crate::http::{Ask, Context, holds, send, wait};
use crate::measure::{Measured, Rule};

/// A query and what its result must be.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The Prometheus.
    pub address: String,
    /// Headers with credentials.
    pub headers: HeaderMap,
    /// The query.
    pub query: String,
    /// CEL over `result`, a number, or a list of them if there are several.
    pub success_if: String,
    /// How many measurements, and how they may turn out.
    pub rule: Rule,
}

/// Makes one measurement.
pub async fn ask(gate: &Gate, before: &Before, it: &Context<'_>) -> Answer {
    gate.rule.count(&measure(gate, it).await, before, it.now)
}

async fn measure(gate: &Gate, it: &Context<'_>) -> Measured {
    let unknown = |why: String| Measured::Unknown(why, None);
    let url = match address(gate) {
        Ok(url) => url,
        Err(why) => return unknown(why),
    };
    let ask = Ask { url, method: Method::GET, headers: gate.headers.clone(), body: None };
    let answer = match send(&ask, None, it).await {
        Ok(answer) => answer,
        Err(why) => return unknown(why),
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if !answer.status.is_success() || body["status"] != "success" {
        let why = body["error"].as_str().unwrap_or("it is no answer of a Prometheus");
        return Measured::Unknown(format!("status {}: {why}", answer.status), wait(&answer, it));
    }
    match result(&body["data"]) {
        Ok(result) => judge(gate, result),
        Err(why) => unknown(why),
    }
}

fn judge(gate: &Gate, result: Value) -> Measured {
    let seen = result.to_string();
    let variables = Map::from_iter([("result".to_owned(), result)]);
    match holds(&gate.success_if, &variables) {
        Ok(true) => Measured::Good(seen),
        Ok(false) => Measured::Bad(seen),
        Err(why) => Measured::Unknown(why, None),
    }
}

fn address(gate: &Gate) -> Result<String, String> {
    let text = format!("{}/api/v1/query", gate.address.trim_end_matches('/'));
    let mut url = Url::parse(&text).map_err(|error| format!("the address is no URL: {error}"))?;
    url.query_pairs_mut().append_pair("query", &gate.query);
    Ok(url.into())
}

/// The numbers of a result. One that is empty or no number tells nothing.
fn result(data: &Value) -> Result<Value, String> {
    let number = |sample: &Value| -> Result<f64, String> {
        let text = sample[1].as_str().unwrap_or_default();
        let number: f64 = text.parse().map_err(|_| "the result is no number".to_owned())?;
        if number.is_finite() { Ok(number) } else { Err(format!("the result is {text}")) }
    };
    let all = match data["resultType"].as_str() {
        Some("scalar") => vec![number(&data["result"])?],
        Some("vector") => {
            let samples = data["result"].as_array().map(Vec::as_slice).unwrap_or_default();
            samples.iter().map(|it| number(&it["value"])).collect::<Result<_, _>>()?
        }
        other => {
            let kind = other.unwrap_or("unknown");
            return Err(format!("the result is a {kind}, want a scalar or a vector"));
        }
    };
    match all[..] {
        [] => Err("the query has no result".to_owned()),
        [one] => Ok(json!(one)),
        _ => Ok(json!(all)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_numbers() {
        let vector = |values: &[&str]| {
            let samples: Vec<_> = values.iter().map(|it| json!({"value": [1.5, it]})).collect();
            result(&json!({"resultType": "vector", "result": samples}))
        };
        assert_eq!(result(&json!({"resultType": "scalar", "result": [1, "0.5"]})), Ok(json!(0.5)));
        assert_eq!(vector(&["2"]), Ok(json!(2.0)));
        assert_eq!(vector(&["2", "3"]), Ok(json!([2.0, 3.0])));
        assert_eq!(vector(&[]), Err("the query has no result".into()));
        assert_eq!(vector(&["NaN"]), Err("the result is NaN".into()));
        let matrix = result(&json!({"resultType": "matrix", "result": []}));
        assert_eq!(matrix, Err("the result is a matrix, want a scalar or a vector".into()));
    }
}
