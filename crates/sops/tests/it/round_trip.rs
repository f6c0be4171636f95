use age::secrecy::ExposeSecret as _;
use sops::{Format, Integrity, Keyring, Kind, MasterKey, Plain, Recipe, Rule, decrypt};

use crate::golden;

/// Wraps with age, as sops does.
fn wrapped(recipient: &age::x25519::Recipient, data: &[u8]) -> MasterKey {
    let wrapped = age::encrypt_and_armor(recipient, data).expect("wraps");
    let kind = Kind::Age { recipient: recipient.to_string() };
    MasterKey { kind, wrapped, created_at: String::new() }
}

fn encrypted(plain: &[u8], format: Format, rule: Rule, groups: usize) -> (Vec<u8>, Keyring) {
    let identities: Vec<_> = (0..groups).map(|_| age::x25519::Identity::generate()).collect();
    let mut keyring = Keyring::new();
    // One group is left out where two of three are enough.
    for identity in identities.iter().take(groups.min(2)) {
        keyring.add_age(identity.to_string().expose_secret()).expect("a key");
    }
    let mut count = 0_u8;
    let recipe = Recipe {
        rule,
        mac_only_encrypted: false,
        now: "2026-01-02T03:04:05Z",
        version: "3.11.0",
        threshold: groups.min(2),
        random: &mut |bytes| {
            for byte in bytes {
                count = count.wrapping_mul(31).wrapping_add(7);
                *byte = count;
            }
        },
        wrap: &mut |group, data| Ok(vec![wrapped(&identities[group].to_public(), data)]),
        groups,
    };
    let plain = Plain::parse(plain, format).expect("a document");
    (plain.encrypt(format, recipe).expect("encrypts"), keyring)
}

#[test]
fn what_is_encrypted_is_decrypted_again() {
    let files = [
        ("values.yaml", Format::Yaml),
        ("many.yaml", Format::Yaml),
        ("comments.yaml", Format::Yaml),
        ("values.json", Format::Json),
        ("values.env", Format::Dotenv),
        ("values.ini", Format::Ini),
        ("blob.bin", Format::Binary),
    ];
    for (name, format) in files {
        for groups in [1, 3] {
            let plain = golden(&format!("plain/{name}"));
            let (data, keyring) = encrypted(&plain, format, Rule::default(), groups);
            assert!(format.marks(&data), "{name}");
            let secret = b"admin".as_slice();
            assert!(!data.windows(secret.len()).any(|window| window == secret), "{name}");
            let got = decrypt(&data, (format, format), &keyring, Integrity::Verified)
                .unwrap_or_else(|error| panic!("{name}, {groups} groups: {error}"));
            let want = Plain::parse(&plain, format).unwrap().emit(format).unwrap();
            assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&want), "{name}");
        }
    }
}

#[test]
fn printing_and_reading_a_document_changes_nothing() {
    for name in
        ["values.yaml", "many.yaml", "comments.yaml", "values.json", "values.env", "values.ini"]
    {
        let format = Format::of_path(name);
        let once = Plain::parse(&golden(&format!("plain/{name}")), format).unwrap();
        let once = once.emit(format).unwrap();
        let twice = Plain::parse(&once, format).unwrap().emit(format).unwrap();
        assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice), "{name}");
    }
}
