//! `JSONPath` as `kubectl` and printer columns use it: members, indices, slices, wildcards, unions,
//! recursive descent and filters with one comparison.

use serde_json::Value;

/// The deepest nesting that recursive descent follows.
const DEPTH: usize = 100;

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Members(Vec<String>),
    Every,
    Descend,
    Indices(Vec<i64>),
    Slice { from: Option<i64>, to: Option<i64>, by: i64 },
    Filter(Box<Filter>),
}

#[derive(Debug, Clone, PartialEq)]
struct Filter {
    left: Operand,
    test: Option<(Operator, Operand)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Path(JsonPath),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    Greater,
    AtMost,
    AtLeast,
}

impl JsonPath {
    /// Parses a path such as `.status.conditions[?(@.type=="Ready")].status`; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        rest = rest.strip_prefix('$').or_else(|| rest.strip_prefix('@')).unwrap_or(rest);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            rest = parse_step(rest, &mut steps)?;
        }
        Some(Self { steps })
    }

    /// The values that the path leads to.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        self.steps.iter().fold(vec![root], |found, step| {
            found.into_iter().flat_map(|value| step.apply(value)).collect()
        })
    }
}

impl Step {
    fn apply<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Members(names) => names.iter().filter_map(|n| value.get(n)).collect(),
            Self::Every => children(value),
            Self::Descend => {
                let mut all = Vec::new();
                descend(value, &mut all, 0);
                all
            }
            Self::Indices(indices) => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                indices.iter().filter_map(|i| items.get(position(*i, items.len())?)).collect()
            }
            Self::Slice { from, to, by } => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let bound = |i: i64| position(i, items.len()).unwrap_or(0).min(items.len());
                let (from, to) = (from.map_or(0, bound), to.map_or(items.len(), bound));
                let by = usize::try_from(*by).unwrap_or(1).max(1);
                items.get(from..to.max(from)).unwrap_or(&[]).iter().step_by(by).collect()
            }
            Self::Filter(filter) => {
                children(value).into_iter().filter(|item| filter.holds(item)).collect()
            }
        }
    }
}

impl Filter {
    fn holds(&self, item: &Value) -> bool {
        let left = self.left.values(item);
        match &self.test {
            None => !left.is_empty(),
            Some((operator, right)) => {
                let right = right.values(item);
                matches!((left.as_slice(), right.as_slice()),
                    ([a], [b]) if operator.holds(a, b))
            }
        }
    }
}

impl Operand {
    fn values<'a>(&'a self, item: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Path(path) => path.find(item),
            Self::Literal(value) => vec![value],
        }
    }
}

impl Operator {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (left, right) {
            (Value::Number(a), Value::Number(b)) => {
                a.as_f64().zip(b.as_f64()).and_then(|(a, b)| a.partial_cmp(&b))
            }
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            (a, b) if a == b => Some(std::cmp::Ordering::Equal),
            _ => None,
        };
        match self {
            Self::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
            Self::Unequal => !order.is_some_and(std::cmp::Ordering::is_eq),
            Self::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Self::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Self::AtMost => order.is_some_and(std::cmp::Ordering::is_le),
            Self::AtLeast => order.is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

fn descend<'a>(value: &'a Value, all: &mut Vec<&'a Value>, depth: usize) {
    all.push(value);
    if depth < DEPTH {
        for child in children(value) {
            descend(child, all, depth + 1);
        }
    }
}

/// A Go-style index: negative ones count from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if index < 0 { index + length } else { index }).ok()
}

fn parse_step<'a>(text: &'a str, steps: &mut Vec<Step>) -> Option<&'a str> {
    if let Some(rest) = text.strip_prefix("..") {
        steps.push(Step::Descend);
        return if rest.starts_with('[') { Some(rest) } else { parse_member(rest, steps) };
    }
    if let Some(rest) = text.strip_prefix('.') {
        return if rest.is_empty() || rest.starts_with('[') {
            Some(rest)
        } else {
            parse_member(rest, steps)
        };
    }
    if text.starts_with('[') {
        let end = closing(text)?;
        steps.push(parse_bracket(&text[1..end])?);
        return Some(&text[end + 1..]);
    }
    parse_member(text, steps)
}

/// A name up to the next `.` or `[`; `\` makes the next character part of it.
fn parse_member<'a>(text: &'a str, steps: &mut Vec<Step>) -> Option<&'a str> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    let mut rest = "";
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '.' | '[' => {
                rest = &text[at..];
                break;
            }
            c => name.push(c),
        }
    }
    if name.is_empty() {
        return None;
    }
    steps.push(if name == "*" { Step::Every } else { Step::Members(vec![name]) });
    Some(rest)
}

/// Where the bracket that `text` starts with closes.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn parse_bracket(text: &str) -> Option<Step> {
    let text = text.trim();
    if text == "*" {
        return Some(Step::Every);
    }
    if let Some(filter) = text.strip_prefix("?(") {
        return parse_filter(filter.strip_suffix(')')?).map(|f| Step::Filter(Box::new(f)));
    }
    if text.starts_with(['\'', '"']) {
        return text.split(',').map(unquote).collect::<Option<_>>().map(Step::Members);
    }
    if text.contains(':') {
        let mut parts = text.split(':').map(str::trim);
        let mut number = || match parts.next() {
            None | Some("") => Some(None),
            Some(text) => text.parse().ok().map(Some),
        };
        let (from, to, by) = (number()?, number()?, number()?);
        return Some(Step::Slice { from, to, by: by.unwrap_or(1) });
    }
    text.split(',').map(|i| i.trim().parse().ok()).collect::<Option<_>>().map(Step::Indices)
}

fn unquote(text: &str) -> Option<String> {
    let text = text.trim();
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text.strip_prefix(quote)?.strip_suffix(quote).map(ToOwned::to_owned)
}

fn parse_filter(text: &str) -> Option<Filter> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '=' | '!' | '<' | '>') => {
                let (sign, operator) =
                    OPERATORS.into_iter().find(|(sign, _)| text[at..].starts_with(sign))?;
                let left = parse_operand(&text[..at])?;
                let right = parse_operand(&text[at + sign.len()..])?;
                return Some(Filter { left, test: Some((operator, right)) });
            }
            _ => {}
        }
    }
    Some(Filter { left: parse_operand(text)?, test: None })
}

fn parse_operand(text: &str) -> Option<Operand> {
    let text = text.trim();
    if text.starts_with('@') || text.starts_with('$') || text.starts_with('.') {
        return JsonPath::parse(text).map(Operand::Path);
    }
    if let Some(text) = unquote(text) {
        return Some(Operand::Literal(Value::String(text)));
    }
    serde_json::from_str(text).ok().map(Operand::Literal)
}

#[cfg(test)]
mod tests {
    use super::JsonPath;
    use serde_json::{Value, json};

    #[test]
    fn paths_find_values() {
        let object = json!({
            "metadata": {"name": "n", "annotations": {"a.b/c": "dotted"}},
            "items": [{"type": "Ready", "status": "True", "n": 1}, {"type": "Other", "n": 2}],
        });
        for (path, want) in [
            (".metadata.name", json!(["n"])),
            (r".metadata.annotations.a\.b/c", json!(["dotted"])),
            (".metadata.annotations['a.b/c']", json!(["dotted"])),
            (r#".items[?(@.type=="Ready")].status"#, json!(["True"])),
            (r".items[?(@.type=='Ready')].status", json!(["True"])),
            (r".items[?(@.n>1)].type", json!(["Other"])),
            (r".items[?(@.status)].type", json!(["Ready"])),
            (".items[*].n", json!([1, 2])),
            (".items[-1].n", json!([2])),
            (".items[0:1].n", json!([1])),
            ("..n", json!([1, 2])),
            ("$.metadata['name']", json!(["n"])),
            (".absent.deeper", json!([])),
        ] {
            let found: Vec<Value> =
                JsonPath::parse(path).unwrap().find(&object).into_iter().cloned().collect();
            assert_eq!(json!(found), want, "{path}");
        }
        for bad in [".a[", ".a[?(]", ".a..", ".a[x]"] {
            assert_eq!(JsonPath::parse(bad), None, "{bad}");
        }
    }
}
