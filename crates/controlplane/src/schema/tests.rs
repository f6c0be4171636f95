//! Tests of whole schemas; expectations are what kube-apiserver 1.34 documents or prints.

use serde_json::{Value, json};

use super::{FieldError, Schema};

/// A schema whose `spec` has these properties.
fn schema(properties: &Value) -> Schema {
    compile(&json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": properties},
    }}))
}

fn compile(raw: &Value) -> Schema {
    Schema::compile(raw).unwrap_or_else(|errors| panic!("{}", super::aggregate(&errors)))
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// The complaints about a spec that has the one field `x`.
fn complaints(x_schema: &Value, x: &Value) -> Vec<String> {
    texts(&schema(&json!({"x": x_schema})).validate(&json!({"spec": {"x": x}}), None))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn values_are_refused_in_the_words_of_kube_apiserver() {
    let cases = [
        (
            json!({"type": "integer"}),
            json!("a"),
            vec![
                r#"spec.x: Invalid value: "string": spec.x in body must be of type integer: "string""#,
            ],
        ),
        (
            json!({"type": "string"}),
            json!(5),
            vec![
                r#"spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer""#,
            ],
        ),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!(true),
            vec![
                r#"spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean""#,
            ],
        ),
        (
            json!({"type": "string", "enum": ["a", "b"]}),
            json!("c"),
            vec![r#"spec.x: Unsupported value: "c": supported values: "a", "b""#],
        ),
        (
            json!({"type": "string", "maxLength": 2}),
            json!("abc"),
            vec!["spec.x: Too long: may not be more than 2 bytes"],
        ),
        (
            json!({"type": "string", "minLength": 1}),
            json!(""),
            vec![r#"spec.x: Invalid value: "": spec.x in body should be at least 1 chars long"#],
        ),
        (
            json!({"type": "string", "pattern": "^a+$"}),
            json!("b"),
            vec![r#"spec.x: Invalid value: "b": spec.x in body should match '^a+$'"#],
        ),
        (
            json!({"type": "string", "format": "date-time"}),
            json!("now"),
            vec![
                r#"spec.x: Invalid value: "now": spec.x in body must be of type date-time: "now""#,
            ],
        ),
        (
            json!({"type": "integer", "minimum": 1}),
            json!(0),
            vec!["spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1"],
        ),
        (
            json!({"type": "number", "maximum": 0.5, "exclusiveMaximum": true}),
            json!(0.5),
            vec!["spec.x: Invalid value: 0.5: spec.x in body should be less than 0.5"],
        ),
        (
            json!({"type": "integer", "multipleOf": 5}),
            json!(7),
            vec!["spec.x: Invalid value: 7: spec.x in body should be a multiple of 5"],
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}),
            json!(["a", "b"]),
            vec!["spec.x: Too many: 2: must have at most 1 item"],
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
            json!([]),
            vec!["spec.x: Invalid value: 0: spec.x in body should have at least 1 items"],
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1}),
            json!({"a": "1", "b": 2}),
            vec![
                "spec.x: Too many: 2: must have at most 1 item",
                r#"spec.x.b: Invalid value: "integer": spec.x.b in body must be of type string: "integer""#,
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]}),
            json!({}),
            vec!["spec.x.a: Required value", "spec.x.b: Required value"],
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
            json!(["a", "b", "a", "a"]),
            vec![r#"spec.x[2]: Duplicate value: "a""#],
        ),
        (
            json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}}),
            json!([{"k": "a"}, {"k": "a"}]),
            vec![r#"spec.x[1]: Duplicate value: {"k":"a"}"#],
        ),
    ];
    for (schema, value, want) in cases {
        assert_eq!(complaints(&schema, &value), want, "{schema} {value}");
    }
}

#[test]
fn values_that_fit_are_accepted() {
    let cases = [
        (json!({"type": "integer"}), json!(1.0)),
        (json!({"type": "number"}), json!(1)),
        (json!({"type": "integer", "format": "int32"}), json!(3_000_000_000_u64)),
        (json!({"x-kubernetes-int-or-string": true}), json!("50%")),
        (json!({"type": "string", "nullable": true}), json!(null)),
        (json!({"type": "number", "enum": [1, 2.5]}), json!(1.0)),
        (json!({"type": "string", "format": "duration"}), json!("1h")),
        (json!({"type": "string", "minLength": 3, "maxLength": 3}), json!("äöü")),
    ];
    for (schema, value) in cases {
        assert_eq!(complaints(&schema, &value), Vec::<String>::new(), "{schema} {value}");
    }
}

#[test]
fn combinations_tell_of_the_whole_object() {
    let one_of = json!({"type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    assert_eq!(
        complaints(&one_of, &json!({})),
        [
            r#"<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid"#,
            "spec.x.a: Required value",
        ]
    );
    assert_eq!(
        complaints(&one_of, &json!({"a": "", "b": ""})),
        [
            r#"<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives"#
        ]
    );
    let any_of = json!({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]});
    assert_eq!(
        complaints(&any_of, &json!(3)),
        [
            r#"<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)"#,
            "spec.x: Invalid value: 3: spec.x in body should be greater than or equal to 5",
        ]
    );
    let not = json!({"type": "string", "not": {"enum": ["a"]}});
    assert_eq!(
        complaints(&not, &json!("a")),
        [r#"<nil>: Invalid value: "": "spec.x" must not validate the schema (not)"#]
    );
}

#[test]
fn pruning_removes_and_names_what_is_unknown() {
    let schema = schema(&json!({
        "a": {"type": "string"},
        "list": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string"}}}},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"c": {"type": "string"}}}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"d": {"type": "object", "properties": {"e": {"type": "string"}}}}},
        "raw": {"type": "object", "x-kubernetes-embedded-resource": true,
            "properties": {"spec": {"type": "object"}}},
        "none": {"type": "object"},
    }));
    let mut object = json!({
        "apiVersion": "g/v1", "kind": "K", "metadata": {"name": "n", "odd": 1}, "top": 1,
        "spec": {
            "a": "x", "z": 1,
            "list": [{"b": "x"}, {"y": 1}],
            "map": {"k": {"c": "x", "x": 1}},
            "free": {"anything": [1], "d": {"e": "x", "w": 1}},
            "raw": {"apiVersion": "v1", "kind": "S", "metadata": {"name": "m"}, "v": 1},
            "none": {"u": 1},
        },
    });
    assert_eq!(
        schema.prune(&mut object),
        [
            "spec.free.d.w",
            "spec.list[1].y",
            "spec.map.k.x",
            "spec.none.u",
            "spec.raw.v",
            "spec.z",
            "top"
        ]
    );
    assert_eq!(
        object,
        json!({
            "apiVersion": "g/v1", "kind": "K", "metadata": {"name": "n", "odd": 1},
            "spec": {
                "a": "x",
                "list": [{"b": "x"}, {}],
                "map": {"k": {"c": "x"}},
                "free": {"anything": [1], "d": {"e": "x"}},
                "raw": {"apiVersion": "v1", "kind": "S", "metadata": {"name": "m"}},
                "none": {},
            },
        })
    );
    assert_eq!(schema.prune(&mut object), Vec::<String>::new());
}

#[test]
fn defaults_fill_in_and_nulls_that_mean_nothing_go() {
    let schema = schema(&json!({
        "a": {"type": "string", "default": "x"},
        "n": {"type": "string", "nullable": true, "default": "x"},
        "o": {"type": "object", "default": {}, "properties": {"p": {"type": "integer", "default": 3}}},
        "m": {"type": "object", "additionalProperties": {"type": "object",
            "properties": {"q": {"type": "boolean", "default": true}}}},
        "s": {"type": "string"},
    }));
    let mut object = json!({"spec": {"a": null, "n": null, "m": {"k": {}}, "s": null}});
    schema.default(&mut object);
    assert_eq!(
        object,
        json!({"spec": {"a": "x", "n": null, "m": {"k": {"q": true}}, "o": {"p": 3}}})
    );
    let mut without_spec = json!({});
    schema.default(&mut without_spec);
    assert_eq!(without_spec, json!({}));
}

#[test]
fn what_was_wrong_before_and_did_not_change_is_tolerated() {
    let schema = schema(&json!({
        "x": {"type": "string", "maxLength": 2},
        "y": {"type": "string"},
        "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "required": ["k"],
                "properties": {"k": {"type": "string"}, "v": {"type": "string", "maxLength": 1}}}},
    }));
    let old = json!({"spec": {"x": "abc", "list": [{"k": "a", "v": "long"}]}});
    let same =
        json!({"spec": {"x": "abc", "y": "new", "list": [{"k": "b"}, {"k": "a", "v": "long"}]}});
    assert_eq!(texts(&schema.validate(&same, Some(&old))), Vec::<String>::new());
    let worse = json!({"spec": {"x": "abcd", "list": [{"k": "a", "v": "longer"}]}});
    assert_eq!(
        texts(&schema.validate(&worse, Some(&old))),
        [
            "spec.list[0].v: Too long: may not be more than 1 byte",
            "spec.x: Too long: may not be more than 2 bytes",
        ]
    );
    assert_eq!(schema.validate(&same, None).len(), 2);
}

fn ruled(rules: &Value, properties: &Value) -> Schema {
    compile(&json!({"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-validations": rules, "properties": properties},
    }}))
}

#[test]
fn rules_refuse_with_their_message_reason_and_path() {
    let properties = json!({
        "min": {"type": "integer"}, "max": {"type": "integer"},
        "names": {"type": "array", "items": {"type": "string"}},
        "t": {"type": "string", "format": "date-time"},
        "port": {"x-kubernetes-int-or-string": true},
        "name-space": {"type": "string"},
    });
    let check = |rule: Value, spec: Value| {
        texts(&ruled(&json!([rule]), &properties).validate(&json!({"spec": spec}), None))
    };
    assert_eq!(
        check(json!({"rule": "self.min <= self.max"}), json!({"min": 2, "max": 1})),
        [r#"spec: Invalid value: "object": failed rule: self.min <= self.max"#]
    );
    assert_eq!(
        check(
            json!({"rule": "self.min <= self.max", "message": " min first ",
                "reason": "FieldValueForbidden", "fieldPath": ".min"}),
            json!({"min": 2, "max": 1})
        ),
        ["spec.min: Forbidden: min first"]
    );
    assert_eq!(
        check(
            json!({"rule": "self.min <= self.max", "message": "static",
                "messageExpression": "'min ' + string(self.min) + ' is too large'"}),
            json!({"min": 2, "max": 1})
        ),
        [r#"spec: Invalid value: "object": min 2 is too large"#]
    );
    assert_eq!(
        check(json!({"rule": "self.min > 0"}), json!({})),
        [r#"spec: Invalid value: "object": no such key: min evaluating rule: self.min > 0"#]
    );
    let accepted = [
        (json!({"rule": "!has(self.min) || self.min > 0"}), json!({})),
        (json!({"rule": "self.names.all(n, n.startsWith('a'))"}), json!({"names": ["a", "ab"]})),
        (
            json!({"rule": "self.t > timestamp('2020-01-01T00:00:00Z')"}),
            json!({"t": "2024-01-01T00:00:00Z"}),
        ),
        (
            json!({"rule": "type(self.port) == int ? self.port > 1 : self.port == 'http'"}),
            json!({"port": 80}),
        ),
        (
            json!({"rule": "type(self.port) == int ? self.port > 1 : self.port == 'http'"}),
            json!({"port": "http"}),
        ),
        (json!({"rule": "self.name__dash__space == 'x'"}), json!({"name-space": "x"})),
        (
            json!({"rule": "cel.bind(n, self.names, n.size() == 1 && n[0] == 'a')"}),
            json!({"names": ["a"]}),
        ),
        (
            json!({"rule": "self.names.map(n, n + 'x').exists(n, n == 'ax')"}),
            json!({"names": ["a"]}),
        ),
    ];
    for (rule, spec) in accepted {
        assert_eq!(check(rule.clone(), spec), Vec::<String>::new(), "{rule}");
    }
}

#[test]
fn transition_rules_see_the_old_value() {
    let schema = ruled(
        &json!([{"rule": "self.x == oldSelf.x", "message": "x is immutable"}]),
        &json!({"x": {"type": "string"}}),
    );
    let (a, b) = (json!({"spec": {"x": "a"}}), json!({"spec": {"x": "b"}}));
    assert_eq!(schema.validate(&a, None), []);
    assert_eq!(schema.validate(&a, Some(&a)), []);
    let want = [r#"spec: Invalid value: "object": x is immutable"#];
    assert_eq!(texts(&schema.validate(&b, Some(&a))), want);

    let optional = ruled(
        &json!([{"rule": "oldSelf.hasValue() || self.x == 'first'", "optionalOldSelf": true}]),
        &json!({"x": {"type": "string"}}),
    );
    assert_eq!(optional.validate(&a, None).len(), 1);
    assert_eq!(optional.validate(&b, Some(&a)), []);
}

#[test]
fn rules_ratchet_unless_they_speak_of_the_past() {
    let schema = ruled(
        &json!([{"rule": "self.x.size() < 2"}]),
        &json!({"x": {"type": "string"}, "y": {"type": "string"}}),
    );
    let old = json!({"spec": {"x": "long"}});
    assert_eq!(schema.validate(&old, Some(&old)), []);
    let touched = json!({"spec": {"x": "long", "y": "new"}});
    assert_eq!(schema.validate(&touched, Some(&old)).len(), 1);
}

#[test]
fn rules_wait_until_the_shape_is_right() {
    let schema = compile(&json!({"type": "object", "properties": {
        "spec": {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}},
            "x-kubernetes-validations": [{"rule": "self.x == 'a'"}]},
    }}));
    assert_eq!(
        texts(&schema.validate(&json!({"spec": {}}), None)),
        [
            "spec.x: Required value",
            "<nil>: Invalid value: null: some validation rules were not checked because the object \
             was invalid; correct the existing errors to complete validation",
        ]
    );
}

#[test]
fn rules_at_the_root_see_the_name() {
    let schema = compile(&json!({"type": "object",
        "x-kubernetes-validations": [{"rule": "self.metadata.name.startsWith('a') && self.kind == 'K'"}]}));
    let object = |name: &str| json!({"kind": "K", "metadata": {"name": name, "labels": {}}});
    assert_eq!(schema.validate(&object("ab"), None), []);
    assert_eq!(schema.validate(&object("b"), None).len(), 1);
}

#[test]
fn rules_end_when_they_cost_too_much() {
    let rules =
        json!([{"rule": "self.l.all(a, self.l.all(b, self.l.all(c, a == b || b == c || true)))"}]);
    let schema = ruled(&rules, &json!({"l": {"type": "array", "items": {"type": "integer"}}}));
    let long: Vec<u32> = (0..2_000).collect();
    let errors = texts(&schema.validate(&json!({"spec": {"l": long}}), None));
    let told = "'operation cancelled: actual cost limit exceeded': no further validation rules will be \
                run due to call cost exceeds limit for rule: ";
    let rule = rules[0]["rule"].as_str().unwrap();
    assert_eq!(errors, [format!(r#"spec: Invalid value: "object": {told}{rule}"#)]);
    assert_eq!(schema.validate(&json!({"spec": {"l": [1, 2, 3]}}), None), []);
}

#[test]
fn all_rules_of_an_object_share_a_budget() {
    let item = json!({"type": "object", "properties": {"l": {"type": "array", "items": {"type": "integer"}}},
        "x-kubernetes-validations": [{"rule": "self.l.all(a, self.l.all(b, a >= 0 || b >= 0))"}]});
    let schema = schema(&json!({"x": {"type": "array", "items": item}}));
    // Each costs some 700,000.
    let long = json!({"l": (0..350).collect::<Vec<_>>()});
    let object = |count: usize| json!({"spec": {"x": vec![long.clone(); count]}});
    assert_eq!(schema.validate(&object(8), None), []);
    let errors = texts(&schema.validate(&object(40), None));
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].ends_with("running out of cost budget, no further validation rules will be run")
    );
}

#[test]
fn what_an_expression_makes_is_bounded() {
    let twice = "cel.bind(a, self.l + self.l, ".to_owned();
    let doubling = (0..30).fold(twice, |text, _| text + "cel.bind(a, a + a, ")
        + "size(a) > 0"
        + &")".repeat(31);
    for rule in [
        &*doubling,
        "self.s.replace('', self.s).size() > 0",
        "self.s.map(x, self.s).join('').size() > 0",
    ] {
        let fields = json!({"l": {"type": "array", "items": {"type": "integer"}},
            "s": {"type": "string"}});
        let rule = rule.replace("self.s.map", "self.l.map");
        let schema = ruled(&json!([{"rule": rule}]), &fields);
        let object = json!({"spec": {"l": vec![1; 1_000], "s": "a".repeat(100_000)}});
        let errors = texts(&schema.validate(&object, None));
        assert!(errors[0].contains("actual cost limit exceeded"), "{rule}: {errors:?}");
    }
}

#[test]
fn hostile_rules_are_refused_and_harm_nothing() {
    let sources = [
        "(".repeat(2_000) + "true" + &")".repeat(2_000),
        vec!["1"; 5_000].join("+") + " > 0",
        "true?true:".repeat(500) + "true",
        "self".to_owned() + &".x".repeat(5_000),
        "!".repeat(5_000) + "true",
        "x".repeat(100_000),
        "(".repeat(90) + "true",
    ];
    for source in sources {
        let raw = json!({"type": "object", "x-kubernetes-validations": [{"rule": source}]});
        assert!(Schema::compile(&raw).is_err(), "{}", &source[..20]);
    }
    let long = vec!["1"; 700].join("+") + " > 0";
    let schema = compile(&json!({"type": "object", "x-kubernetes-validations": [{"rule": long}]}));
    assert_eq!(schema.validate(&json!({}), None), []);
}

#[test]
fn schemas_that_are_not_structural_are_refused() {
    let cases = [
        (json!({}), vec!["type: Required value: must not be empty at the root"]),
        (
            json!({"type": "array", "items": {"type": "string"}}),
            vec![r#"type: Invalid value: "array": must be object at the root"#],
        ),
        (
            json!({"type": "object", "properties": {"a": {}, "b": {"type": "array"}}}),
            vec![
                "properties[a].type: Required value: must not be empty for specified object fields",
                "properties[b].items: Required value: must be specified",
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "text"}}}),
            vec![
                r#"properties[a].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string""#,
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "object", "$ref": "#/x"}}}),
            vec!["properties[a].$ref: Forbidden: $ref is not supported"],
        ),
        (
            json!({"type": "object", "anyOf": [{"required": ["a"], "type": "object",
                "properties": {"a": {"minLength": 1}}}]}),
            vec![
                "anyOf[0].type: Forbidden: must be empty to be structural",
                "properties[a]: Required value: because it is defined in anyOf[0].properties[a]",
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"},
                "x-kubernetes-list-type": "map"}}}),
            vec![
                "properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "array",
                "items": {"type": "object", "properties": {"k": {"type": "string"}}},
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}}}),
            vec![
                "properties[a].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "object",
                "properties": {"b": {"type": "string"}}, "additionalProperties": {"type": "string"}}}}),
            vec![
                "properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
            ],
        ),
        (
            json!({"type": "object", "properties": {"metadata": {"type": "object",
                "properties": {"labels": {"type": "object"}}}}}),
            vec![
                "properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string", "default": 5}}}),
            vec![
                r#"properties[a].default: Invalid value: "integer":  in body must be of type string: "integer""#,
            ],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "object", "default": {"z": 1}}}}),
            vec![r#"properties[a].default: Invalid value: {"z":1}: must not have unknown fields"#],
        ),
    ];
    for (raw, want) in cases {
        assert_eq!(texts(&Schema::compile(&raw).unwrap_err()), want, "{raw}");
    }
}

#[test]
fn rules_that_cannot_be_right_are_refused() {
    let refusal = |rule: Value| {
        let raw = json!({"type": "object", "properties": {"spec": {"type": "object",
            "properties": {"x": {"type": "string"}}, "x-kubernetes-validations": [rule]}}});
        Schema::compile(&raw).unwrap_err().remove(0)
    };
    let at = "properties[spec].x-kubernetes-validations[0]";
    let missing = refusal(json!({"rule": "self.y == 'a'"}));
    assert_eq!(missing.field, format!("{at}.rule"));
    assert_eq!(missing.detail, "compilation failed: undefined field 'y'");
    let unknown = refusal(json!({"rule": "other == 1"}));
    assert_eq!(
        unknown.detail,
        "compilation failed: undeclared reference to 'other' (in container '')"
    );
    assert!(
        refusal(json!({"rule": "self.x =="})).detail.starts_with("compilation failed: ERROR: ")
    );
    assert_eq!(
        refusal(json!({"rule": ""})).to_string(),
        format!("{at}.rule: Required value: rule is not specified")
    );
    assert_eq!(
        refusal(json!({"rule": "true", "reason": "Because"})).to_string(),
        format!(
            "{at}.reason: Unsupported value: \"Because\": supported values: \"FieldValueDuplicate\", \"FieldValueForbidden\", \"FieldValueInvalid\", \"FieldValueRequired\""
        )
    );
    assert_eq!(
        refusal(json!({"rule": "true", "fieldPath": ".nope"})).to_string(),
        format!("{at}.fieldPath: Invalid value: \".nope\": must be a valid path")
    );
    let list = json!({"type": "object", "properties": {"l": {"type": "array", "items":
        {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}}});
    assert_eq!(
        texts(&Schema::compile(&list).unwrap_err()),
        [
            r#"properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within properties[l]"#
        ]
    );
}

#[test]
fn schemas_of_the_flux_kinds_compile() {
    let Some(folder) = testkit::corpus("crds") else { return };
    let mut tally = testkit::Tally::new("crds-compile");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let crd: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let name = format!("{} {}", crd["metadata"]["name"], version["name"]);
            let result = Schema::compile(&version["schema"]["openAPIV3Schema"]);
            tally.record(&name, result.map(|_| ()).map_err(|e| super::aggregate(&e)));
        }
    }
    tally.finish();
}

/// Cases recorded from k8s.io/apiextensions-apiserver 0.34: a schema, an object and perhaps its
/// old state, and what pruning, defaulting and validating made of it; `crd` are complaints about
/// the schema itself.
const RECORDED: &str = include_str!("recorded.jsonl");

fn run_recorded(case: &Value) -> Result<(), String> {
    let place = "spec.validation.openAPIV3Schema";
    let compiled = Schema::compile_at(place, &case["schema"]);
    let schema = match (compiled, case.get("crd")) {
        (Err(errors), Some(want)) => return same("complaints", &sorted(&errors), want),
        (Ok(schema), None) => schema,
        (compiled, want) => return Err(format!("want {want:?}, got {compiled:?}")),
    };
    let mut object = case["object"].clone();
    let pruned = schema.prune(&mut object);
    let none = pruned.is_empty() && case["pruned"].is_null();
    if !none {
        same("pruned", &json!(pruned), &case["pruned"])?;
    }
    schema.default(&mut object);
    same("defaulted", &object, &case["defaulted"])?;
    same("errors", &sorted(&schema.validate(&object, case.get("old"))), &case["errors"])
}

fn sorted(errors: &[FieldError]) -> Value {
    let mut texts = texts(errors);
    texts.sort();
    json!(texts)
}

fn same(what: &str, got: &Value, want: &Value) -> Result<(), String> {
    if super::value::equal(got, want) {
        Ok(())
    } else {
        Err(format!("{what}: want {want}\n got {got}"))
    }
}

#[test]
fn objects_are_treated_as_recorded() {
    let mut tally = testkit::Tally::new("structural-schema");
    for (number, line) in RECORDED.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        tally.record(&format!("{number} {}", case["schema"]), run_recorded(&case));
    }
    tally.finish();
}
