//! Private keys and certificates; the host makes them.

use super::Table;
use crate::codec::BASE64;
use crate::error::Fault;
use crate::func::Call;
use crate::func::sprig::Answer;
use crate::host::{Certificate, CertificateKind, CertificateOrder};
use crate::value::{Object, Record, Value};

/// The type of the result in Go.
const TYPE: &str = "sprig.certificate";

pub(super) fn add(table: &mut Table) {
    table.add(&["genPrivateKey"], "string -> string", |call| {
        let kind = call.str(0);
        match &kind.text()[..] {
            "" | "rsa" => Ok(call.host().private_key("rsa")?.into()),
            name @ ("dsa" | "ecdsa" | "ed25519") => Ok(call.host().private_key(name)?.into()),
            name => Ok(format!("Unknown type {name}").into()),
        }
    });
    table.add(&["buildCustomCert"], "string, string -> sprig.certificate", |call| {
        let part = |at: usize, what: &str| {
            let bytes = BASE64.decode(call.str(at).bytes());
            let bytes = bytes.map_err(|_| format!("unable to decode base64 {what}"))?;
            Ok::<_, Fault>(String::from_utf8_lossy(&bytes).into_owned())
        };
        let existing = Certificate { cert: part(0, "certificate")?, key: part(1, "private key")? };
        order(call, CertificateKind::Existing(existing), 0, None)
    });
    table.add(&["genCA"], "string, int -> sprig.certificate", |call| {
        order(call, CertificateKind::Authority, call.int(1), None)
    });
    table.add(&["genCAWithKey"], "string, int, string -> sprig.certificate", |call| {
        order(call, CertificateKind::Authority, call.int(1), Some(2))
    });
    let names = "string, []any, []any, int";
    table.add(&["genSelfSignedCert"], &format!("{names} -> {TYPE}"), |call| {
        order(call, CertificateKind::SelfSigned, call.int(3), None)
    });
    table.add(&["genSelfSignedCertWithKey"], &format!("{names}, string -> {TYPE}"), |call| {
        order(call, CertificateKind::SelfSigned, call.int(3), Some(4))
    });
    table.add(&["genSignedCert"], &format!("{names}, {TYPE} -> {TYPE}"), |call| {
        order(call, CertificateKind::Signed(authority(call)?), call.int(3), None)
    });
    table.add(&["genSignedCertWithKey"], &format!("{names}, {TYPE}, string -> {TYPE}"), |call| {
        order(call, CertificateKind::Signed(authority(call)?), call.int(3), Some(5))
    });
}

/// The authority in the arguments.
fn authority(call: &Call<'_>) -> Result<Certificate, Fault> {
    let Value::Object(object) = call.value(4) else { return Err("no certificate".into()) };
    Ok(Certificate { cert: field(&*object, "Cert"), key: field(&*object, "Key") })
}

fn field(object: &dyn Object, name: &str) -> String {
    let field = object.fields().into_iter().find(|(known, _)| known == name);
    field.and_then(|(_, value)| value.as_str().map(ToString::to_string)).unwrap_or_default()
}

/// Asks the host for a certificate; `key` is the place of the private key in the arguments.
fn order(call: &Call<'_>, kind: CertificateKind, days: i64, key: Option<usize>) -> Answer {
    let addresses = texts(call, 1, "error parsing ip: ")?;
    let names = texts(call, 2, "error processing alternate dns name: ")?;
    let order = CertificateOrder {
        kind,
        common_name: call.str(0).to_string(),
        addresses,
        names,
        days,
        key: key.map(|at| call.str(at).to_string()),
    };
    let Certificate { cert, key } = call.host().certificate(&order)?;
    Ok(Record::new(TYPE).field("Cert", cert).field("Key", key).into())
}

/// The strings of a list among the arguments.
fn texts(call: &Call<'_>, at: usize, error: &str) -> Result<Vec<String>, Fault> {
    let mut texts = Vec::new();
    for value in call.list(at).items() {
        let Some(text) = value.as_str() else {
            let shown = call.text(&value)?;
            let shown = crate::text::lossy(&shown);
            return Err(format!("{error}{shown} is not a string").into());
        };
        texts.push(text.to_string());
    }
    Ok(texts)
}
