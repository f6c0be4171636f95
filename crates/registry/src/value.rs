//! JSON values printed as Go prints them with `%v`.

use serde_json::Value;

/// The text of a value; maps come out sorted by key.
pub(crate) fn go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Number(it) => number(it),
        Value::String(it) => it.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}:{}", go(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
    }
}

/// Go holds all numbers of such values as `float64` and prints large ones with an exponent.
fn number(number: &serde_json::Number) -> String {
    let Some(it) = number.as_f64() else { return number.to_string() };
    let magnitude = it.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let text = format!("{it:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) =
            exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    it.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_read_as_in_go() {
        assert_eq!(go(&json!({"name": "a/b"})), "map[name:a/b]");
        assert_eq!(
            go(&json!([{"Type": "repository", "Action": "pull", "Class": ""}])),
            "[map[Action:pull Class: Type:repository]]"
        );
        assert_eq!(
            go(&json!({"n": 1001, "x": null, "b": true, "f": 0.5})),
            "map[b:true f:0.5 n:1001 x:<nil>]"
        );
        assert_eq!(go(&json!(1e21)), "1e+21");
        assert_eq!(go(&json!(0.00001)), "1e-05");
    }
}
