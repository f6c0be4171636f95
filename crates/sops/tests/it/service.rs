use sops::{Encrypted, Error, Format, Integrity, Keyring, Kind};

use crate::{golden, keyring, text};

/// The document for a key of AWS instead of age: the same data key, wrapped by another.
fn for_kms() -> String {
    let text = text("encrypted/age.json");
    let start = text.find("\"age\": [").expect("age keys");
    let end = text[start..].find(']').expect("their end") + start + 1;
    let kms = r#""kms": [{"arn": "arn:aws:kms:eu-west-1:1:key/a", "context": {"app": "x"},
        "created_at": "2026-01-01T00:00:00Z", "enc": "d3JhcHBlZA==", "aws_profile": ""}]"#;
    format!("{}{kms}{}", &text[..start], &text[end..])
}

#[test]
fn services_are_asked_by_the_caller() {
    let document = Encrypted::parse(for_kms().as_bytes(), Format::Json).unwrap();
    let mut keyring = Keyring::new();
    let Err(Error::Pending(questions)) = document.data_key(&keyring) else {
        unreachable!("nobody asked the service yet");
    };
    let [question] = questions.as_slice() else { unreachable!("there is one key") };
    assert_eq!(question.to_string(), "arn:aws:kms:eu-west-1:1:key/a");
    let Kind::AwsKms { context, .. } = &question.kind else { unreachable!("it is of AWS") };
    assert_eq!(context.get("app").map(String::as_str), Some("x"));

    keyring.answer(question.clone(), Err("AccessDenied".to_owned()));
    let error = document.data_key(&keyring).unwrap_err().to_string();
    assert!(error.contains("key/a: FAILED\n    - | AccessDenied"), "{error}");

    // What the service would answer is what the age key unwraps.
    let original = Encrypted::parse(&golden("encrypted/age.json"), Format::Json).unwrap();
    let age = &original.metadata().groups[0][0];
    let unwrapped = sops::KeyService::unwrap(&crate::keyring(), age).unwrap();
    keyring.answer(question.clone(), Ok(unwrapped));
    let key = document.data_key(&keyring).unwrap();
    let plain = document.decrypt(&key, Integrity::Verified).unwrap();
    assert_eq!(plain.emit(Format::Json).unwrap(), golden("decrypted/age.json"));
}

#[test]
fn keys_at_hand_are_tried_before_services() {
    let text = text("encrypted/age.json").replace(
        "\"age\": [",
        r#""gcp_kms": [{"resource_id": "projects/p", "created_at": "", "enc": "x"}], "age": ["#,
    );
    let document = Encrypted::parse(text.as_bytes(), Format::Json).unwrap();
    assert_eq!(document.metadata().groups[0].len(), 2);
    assert!(document.data_key(&keyring()).is_ok());
}
