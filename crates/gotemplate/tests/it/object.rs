//! Objects of the caller: fields, methods, keys, and functions with access to the templates.

use gotemplate::Value;
use gotemplate::{Call, Fault, FuncSet, Function, Key, Map, Options, Record, Set, Template, Type};

/// Templates are parsed once and executed anywhere; only values stay on their thread.
#[test]
fn templates_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Template>();
    shared::<Set>();
    shared::<FuncSet>();
    shared::<gotemplate::Error>();
}

/// What a commit message template sees, in small.
fn data() -> Value {
    let object = Record::new("types.NamespacedName")
        .field("Namespace", "flux-system")
        .field("Name", "podinfo")
        .text("flux-system/podinfo");
    let id = |kind: &str, name: &str| {
        let record = Record::new("update.ObjectIdentifier")
            .field("Kind", kind)
            .field("Name", name)
            .field("Namespace", "");
        Key::object(record.into(), [kind, name, ""])
    };
    let change = |old: &str, new: &str| {
        Record::new("update.Change").field("OldValue", old).field("NewValue", new).into()
    };
    let element = Type::list(Type::named("update.Change", gotemplate::Kind::Struct));
    let key = Type::named("update.ObjectIdentifier", gotemplate::Kind::Struct);
    let list = |items| gotemplate::List::new(element.clone(), items);
    let objects = Map::new(
        key,
        element.clone(),
        [
            (id("Service", "a"), Value::List(list(vec![change("1", "2"), change("3", "4")]))),
            (id("Deployment", "b"), Value::List(list(vec![change("5", "6")]))),
        ],
    );
    let changed = Record::new("update.ResultV2")
        .method("Objects", "-> any", move |_| Ok(Value::Map(objects.clone())))
        .method("Nth", "int -> string", |args| match &args[0] {
            Value::Int(0, _) => Err("no zeroth".to_owned()),
            Value::Int(n, _) => Ok(format!("number {n}").into()),
            _ => Ok(Value::Nil),
        });
    Record::new("source.TemplateData")
        .field("AutomationObject", object)
        .field("Changed", changed)
        .field("Values", Value::string_map([("env", "prod")]))
        .into()
}

fn render(text: &str) -> Result<String, String> {
    let template = Template::parse("commit", text, &FuncSet::hermetic());
    let template = template.map_err(|error| error.to_string())?;
    template.execute(&data(), &Options::default()).map_err(|error| error.to_string())
}

#[test]
fn a_commit_message() {
    let text = "{{ .AutomationObject }} {{ .AutomationObject.Name }} {{ .Values.env }}\n\
        {{ range $id, $changes := .Changed.Objects -}}\n\
        - {{ $id.Kind }}/{{ $id.Name }}{{ range $changes }} {{ .OldValue }}->{{ .NewValue }}{{ end }}\n\
        {{ end -}}";
    assert_eq!(
        render(text).unwrap(),
        "flux-system/podinfo podinfo prod\n- Deployment/b 5->6\n- Service/a 1->2 3->4\n"
    );
}

#[test]
fn errors_name_the_types() {
    let at = |column: usize, context: &str, why: &str| {
        Err(format!("template: commit:1:{column}: executing \"commit\" at <{context}>: {why}"))
    };
    assert_eq!(
        render("{{ .Updated.Images }}"),
        at(11, ".Updated.Images", "can't evaluate field Updated in type source.TemplateData")
    );
    assert_eq!(
        render("{{ .Changed.Nth }}"),
        at(11, ".Changed.Nth", "wrong number of args for Nth: want 1 got 0")
    );
    assert_eq!(render("{{ .Changed.Nth `x` }}"), at(16, "`x`", "expected integer; found `x`"));
    assert_eq!(
        render("{{ .Changed.Nth 0 }}"),
        at(11, ".Changed.Nth", "error calling Nth: no zeroth")
    );
    assert_eq!(
        render("{{ .AutomationObject.Name `x` }}"),
        at(20, ".AutomationObject.Name", "Name has arguments but cannot be invoked as function")
    );
}

#[test]
fn printing() {
    assert_eq!(render("{{ .Changed.Nth 2 }}").unwrap(), "number 2");
    assert_eq!(
        render("{{ printf `%v %T` .Values .Values }}").unwrap(),
        "map[env:prod] map[string]string"
    );
    assert_eq!(
        render("{{ range .Changed.Objects }}{{ . }}{{ printf `%+v` . }}{{ end }}").unwrap(),
        "[{5 6}][{OldValue:5 NewValue:6}][{1 2} {3 4}][{OldValue:1 NewValue:2} {OldValue:3 NewValue:4}]"
    );
    assert_eq!(render("{{ typeOf .AutomationObject }}").unwrap(), "types.NamespacedName");
}

/// What Helm's `include` and `tpl` need: functions that execute templates.
#[test]
fn functions_can_execute_templates() {
    let include = |call: &mut Call<'_>| -> Result<Value, Fault> {
        let output = call.execute(call.set(), &call.str(0).text(), &call.value(1));
        Ok(output?.into())
    };
    let tpl = |call: &mut Call<'_>| -> Result<Value, Fault> {
        let mut set = call.set().clone();
        set.parse("inner", call.str(0))?;
        Ok(call.execute(&set, "inner", &call.value(1))?.into())
    };
    let functions = FuncSet::hermetic()
        .with("include", Function::new("string, any -> string", include))
        .with("tpl", Function::new("string, any -> string", tpl));
    let mut set = Set::new(&functions).named("gotpl");
    set.parse("_helpers", r#"{{ define "name" }}{{ .n | upper }}{{ end }}"#).unwrap();
    set.parse("main", r#"{{ include "name" . | quote }} {{ tpl .t . }}"#).unwrap();
    set.parse("lost", r#"{{ include "nope" . }}"#).unwrap();
    set.parse("loop", r#"{{ include "loop" . }}"#).unwrap();
    let data = Value::map([("n", "a".into()), ("t", r#"<{{ include "name" . }}>"#.into())]);
    let execute = |name| set.execute(name, &data, &Options::default()).map_err(|e| e.to_string());
    assert_eq!(execute("main").unwrap(), "\"A\" <A>");
    assert_eq!(
        execute("lost").unwrap_err(),
        "template: lost:1:3: executing \"lost\" at <include \"nope\" .>: error calling include: \
         template: no template \"nope\" associated with template \"gotpl\""
    );
    assert_eq!(
        execute("loop").unwrap_err(),
        "template: loop: value is nested deeper than 1000 levels"
    );
    assert_eq!(set.names().count(), 5, "what tpl parses stays in its copy");
}
