//! `include` and `tpl`: templates that execute templates.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use gotemplate::{Call, Fault, FuncSet, Function, Value};

/// The name of the set, and of every text that `tpl` is given.
pub(super) const ROOT: &str = "gotpl";

/// How often one name may be included within itself.
const MAX_NESTED: usize = 1000;

/// What Go prints for a missing value, and Helm takes out.
const NO_VALUE: &str = "<no value>";

/// How often each name is being included.
type Active = Arc<Mutex<BTreeMap<String, usize>>>;

pub(super) fn add(functions: FuncSet) -> FuncSet {
    let active = Active::default();
    functions
        .with("include", Function::new("string, any -> string", move |call| include(call, &active)))
        .with("tpl", Function::new("string, any -> string", tpl))
}

fn include(call: &mut Call<'_>, active: &Active) -> Result<Value, Fault> {
    let name = call.str(0);
    let name = name.text();
    if count(active, &name, true) > MAX_NESTED {
        count(active, &name, false);
        return Err(format!(
            "rendering template has a nested reference name: {name}: unable to execute template"
        )
        .into());
    }
    let output = call.execute(call.set(), &name, &call.value(1));
    count(active, &name, false);
    Ok(output?.into())
}

/// Begins or ends an inclusion, and tells how many there were before.
fn count(active: &Active, name: &str, begins: bool) -> usize {
    let mut active = active.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(count) = active.get_mut(name) else {
        active.insert(name.to_owned(), usize::from(begins));
        return 0;
    };
    let before = *count;
    *count = if begins { before + 1 } else { before.saturating_sub(1) };
    before
}

/// Executes a text in a copy of the set: what it defines is seen in it alone.
fn tpl(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.str(0);
    if !contains(text.bytes(), b"{{") {
        return Ok(without_no_value(&text.text()).into_owned().into());
    }
    let mut set = call.set().clone();
    set.remove(ROOT);
    let quoted = || gotemplate::quote(&text.text());
    set.parse(ROOT, text.clone())
        .map_err(|error| format!("cannot parse template {}: {error}", quoted()))?;
    let output =
        call.execute(&set, ROOT, &call.value(1)).map_err(|error| match Fault::from(error) {
            Fault::Failed(why) => Fault::Failed(format!(
                "error during tpl function execution for {}: {why}",
                quoted()
            )),
            limit @ Fault::Limit(_) => limit,
        })?;
    Ok(if contains(output.bytes(), NO_VALUE.as_bytes()) {
        without_no_value(&output.text()).into_owned().into()
    } else {
        output.into()
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The text without what Go prints for a missing value.
pub(super) fn without_no_value(text: &str) -> Cow<'_, str> {
    if text.contains(NO_VALUE) { text.replace(NO_VALUE, "").into() } else { text.into() }
}
