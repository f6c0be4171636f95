use sops::{Format, Integrity, decrypt};

use crate::{format_of, golden, keyring};

fn names() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/encrypted");
    let entries = std::fs::read_dir(folder).expect("recorded documents");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

/// A document to compare: that of YAML by its values, as spelling is the printer's affair.
fn comparable(format: Format, data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data).into_owned();
    match format {
        Format::Yaml => format!("{:?}", yaml::parse_all(&text).expect("YAML")),
        _ => text,
    }
}

#[test]
fn documents_of_sops_are_decrypted_and_verified() {
    let keyring = keyring();
    let mut tally = testkit::Tally::new("sops");
    for name in names() {
        let format = format_of(&name);
        let encrypted = golden(&format!("encrypted/{name}"));
        assert!(format.marks(&encrypted), "{name} bears its mark");
        let got = decrypt(&encrypted, (format, format), &keyring, Integrity::Verified);
        let got = got.map(|data| comparable(format, &data)).map_err(|error| error.to_string());
        let want = Ok(comparable(format, &golden(&format!("decrypted/{name}"))));
        tally.compare(&name, &want, &got);
    }
    tally.finish();
}

#[test]
fn comments_are_decrypted_too() {
    let keyring = keyring();
    let yaml = (Format::Yaml, Format::Yaml);
    let plain = decrypt(&golden("encrypted/age.yaml"), yaml, &keyring, Integrity::Verified);
    let plain = String::from_utf8(plain.unwrap()).unwrap();
    for comment in ["# about this file", "# above an entry", "# inside", "# at the end"] {
        assert!(plain.contains(comment), "{comment} in\n{plain}");
    }
}

#[test]
fn a_secret_may_be_written_in_another_format() {
    let keyring = keyring();
    let formats = (Format::Json, Format::Yaml);
    let plain =
        decrypt(&golden("encrypted/age.json"), formats, &keyring, Integrity::Verified).unwrap();
    let plain = yaml::parse(std::str::from_utf8(&plain).unwrap()).unwrap();
    let json = golden("decrypted/age.json");
    assert_eq!(plain, yaml::parse(std::str::from_utf8(&json).unwrap()).unwrap());
}
