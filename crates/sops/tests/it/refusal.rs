use proptest::prelude::*;
use sops::{Error, Format, Integrity, Keyring, decrypt, decrypt_object, is_encrypted};

use crate::{golden, keyring, text};

fn yaml(text: &str, keyring: &Keyring, integrity: Integrity) -> Result<String, String> {
    let formats = (Format::Yaml, Format::Yaml);
    let plain = decrypt(text.as_bytes(), formats, keyring, integrity);
    plain.map(|data| String::from_utf8(data).expect("a text")).map_err(|error| error.to_string())
}

#[test]
fn a_changed_document_is_noticed() {
    let keyring = keyring();
    let text = text("encrypted/regex.yaml");
    let clear = text.replace("name: creds", "name: other");
    assert_ne!(clear, text);
    assert_eq!(
        yaml(&clear, &keyring, Integrity::Verified).unwrap_err(),
        "failed to verify sops data integrity: MAC mismatch"
    );
    assert!(yaml(&clear, &keyring, Integrity::Ignored).unwrap().contains("name: other"));
    let swapped = text.replace("    user: ", "    tmp: ").replace("    password: ", "    user: ");
    assert_eq!(
        yaml(&swapped, &keyring, Integrity::Ignored).unwrap_err(),
        "error decrypting sops tree: Error walking tree: Could not decrypt value: Could not \
         decrypt with AES_GCM: cipher: message authentication failed"
    );
    let moved = text.replace("lastmodified: \"2", "lastmodified: \"1");
    assert_ne!(moved, text);
    assert!(yaml(&moved, &keyring, Integrity::Verified).is_err());
}

#[test]
fn a_value_in_the_clear_is_not_quoted() {
    let keyring = keyring();
    let text = text("encrypted/age.yaml");
    let line = text.lines().find(|line| line.starts_with("string: ")).unwrap();
    let error = yaml(&text.replace(line, "string: hunter2"), &keyring, Integrity::Ignored);
    assert_eq!(
        error.unwrap_err(),
        "error decrypting sops tree: Error walking tree: Could not decrypt value: Input string \
         <redacted> does not match sops' data format"
    );
}

#[test]
fn missing_keys_are_named() {
    let error = yaml(&text("encrypted/age.yaml"), &Keyring::new(), Integrity::Verified);
    let error = error.unwrap_err();
    assert!(
        error.starts_with(
            "cannot get sops data key: Failed to get the data key required to decrypt the SOPS \
             file.\n\nGroup 0: FAILED\n  age1"
        ),
        "{error}"
    );
    let reason = ": FAILED\n    - | failed to create reader for decrypting sops data key with\n      \
                  | age: no identity matched any of the recipients\n\n";
    assert!(error.contains(reason), "{error}");
    assert!(error.ends_with("one key has to be successful,\nbut none were."), "{error}");
    let error = yaml(&text("encrypted/shamir.yaml"), &Keyring::new(), Integrity::Verified);
    assert!(error.unwrap_err().contains("Shamir threshold of"), "groups");
}

#[test]
fn no_metadata_and_no_format() {
    let keyring = Keyring::new();
    let error = |data: &str, format| {
        decrypt(data.as_bytes(), (format, format), &keyring, Integrity::Verified)
            .unwrap_err()
            .to_string()
    };
    let missing =
        |format: Format| format!("failed to load encrypted {format} data: sops metadata not found");
    assert_eq!(error("a: b\n", Format::Yaml), missing(Format::Yaml));
    assert_eq!(error("{}", Format::Json), missing(Format::Json));
    assert_eq!(error("A=b\n", Format::Dotenv), missing(Format::Dotenv));
    assert_eq!(error("[a]\nb = c\n", Format::Ini), missing(Format::Ini));
    assert_eq!(error("{}", Format::Binary), missing(Format::Binary));
    assert_eq!(
        error("s3cret", Format::Json),
        "failed to load encrypted JSON data: Error unmarshalling input json: invalid JSON at line \
         1, column 1"
    );
    assert_eq!(
        error("s3cret", Format::Dotenv),
        "failed to load encrypted dotenv data: invalid dotenv input line: line 1"
    );
}

#[test]
fn bad_keys_are_not_quoted() {
    let mut keyring = Keyring::new();
    let error = keyring.add_age("# c\nAGE-SECRET-KEY-1WRONG\n").unwrap_err().to_string();
    assert_eq!(error, "failed to import age key: malformed secret key at line 2");
    assert!(keyring.add_age("").is_err());
    let error = keyring.add_pgp(b"-----BEGIN x").unwrap_err().to_string();
    assert!(error.starts_with("failed to import PGP key: "), "{error}");
}

#[test]
fn objects_are_decrypted_whatever_their_order() {
    let object = yaml::parse(&text("encrypted/regex.yaml")).unwrap();
    assert!(is_encrypted(&object));
    let sorted = yaml::parse(&object.to_yaml().unwrap()).unwrap();
    let plain = decrypt_object(&sorted, &keyring()).unwrap();
    assert!(!is_encrypted(&plain) && plain.get("sops").is_none());
    assert_eq!(plain.get("stringData").unwrap().get("password").unwrap().as_str(), Some("s3cret"));
}

#[test]
fn copies_by_aliases_are_bounded() {
    let mut levels = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (before, name) in ('a'..='k').zip('b'..='l') {
        let copies = vec![format!("*{before}"); 10].join(", ");
        levels.extend([format!("{name}: &{name} [{copies}]\n")]);
    }
    let bomb = levels + &text("encrypted/age.yaml");
    assert!(matches!(
        decrypt(bomb.as_bytes(), (Format::Yaml, Format::Yaml), &keyring(), Integrity::Ignored),
        Err(Error::Load { .. })
    ));
    assert!(sops::Plain::parse(bomb.as_bytes(), Format::Yaml).is_err());
}

proptest! {
    /// Any text is a document or refused.
    #[test]
    fn nothing_panics(text in r"(a|sops|_mac|: |=|\[|\]|\{|\}|#|;|,|'|`|&x |\*x|\n|  |- |ENC\[AES256_GCM,data:|\PC){0,40}") {
        for format in [Format::Yaml, Format::Json, Format::Dotenv, Format::Ini, Format::Binary] {
            let _ = decrypt(text.as_bytes(), (format, format), &Keyring::new(), Integrity::Verified);
            if let Ok(plain) = sops::Plain::parse(text.as_bytes(), format) {
                let _ = plain.emit(format);
            }
        }
    }

    /// A document with one byte changed is decrypted to the same or refused.
    #[test]
    fn changed_bytes_are_noticed(at in 0_usize..400, byte in 0_u8..128) {
        let mut keyring = Keyring::new();
        keyring.add_age(&text("keys/one.agekey")).expect("a key");
        let mut data = golden("encrypted/age.env");
        let at = at % data.len();
        data[at] = byte;
        let formats = (Format::Dotenv, Format::Dotenv);
        if let Ok(plain) = decrypt(&data, formats, &keyring, Integrity::Verified) {
            let plain = String::from_utf8_lossy(&plain).into_owned();
            prop_assert!(plain.contains("admin") || plain.contains("PASSWORD"), "{}", plain);
        }
    }
}
