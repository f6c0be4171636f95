//! Derived and hashed passwords.

use super::super::digest::hmac_sha256;
use super::{Table, bcrypt, scrypt};
use crate::error::Fault;
use crate::func::Call;
use crate::text::Str;
use crate::value::Value;

/// What deriving one password costs of the budget: it takes as long as about a million steps.
const DERIVE_STEPS: u64 = 1_000_000;

pub(super) fn add(table: &mut Table) {
    table.add(&["derivePassword"], "uint32, string, string, string, string -> string", |call| {
        let order = Order {
            counter: u32::try_from(call.int(0)).unwrap_or_default(),
            kind: call.str(1),
            password: call.str(2),
            user: call.str(3),
            site: call.str(4),
        };
        derive(call, &order)
    });
    table.add(&["bcrypt"], "string -> string", |call| hash(call, &call.str(0)));
    table.add(&["htpasswd"], "string, string -> string", |call| {
        let user = call.str(0);
        if user.bytes().contains(&b':') {
            return Ok(format!("invalid username: {user}").into());
        }
        let Value::String(hash) = hash(call, &call.str(1))? else { return Ok(Value::Nil) };
        Ok(Value::string([user.bytes(), b":", hash.bytes()].concat()))
    });
}

fn hash(call: &Call<'_>, password: &Str) -> Result<Value, Fault> {
    if password.len() > 72 {
        let why = "bcrypt: password length exceeds 72 bytes";
        return Ok(format!("failed to encrypt string with bcrypt: {why}").into());
    }
    call.budget().steps(DERIVE_STEPS)?;
    let mut salt = [0; 16];
    call.host().random(&mut salt)?;
    Ok(bcrypt::hash(password.bytes(), &salt).into())
}

/// What a password is derived from.
struct Order {
    counter: u32,
    kind: Str,
    password: Str,
    user: Str,
    site: Str,
}

const SEED: &[u8] = b"com.lyndir.masterpassword";

/// A password by the algorithm of Master Password.
fn derive(call: &Call<'_>, order: &Order) -> Result<Value, Fault> {
    let Some(templates) = templates(&order.kind.text()) else {
        return Ok(format!("cannot find password template {}", order.kind).into());
    };
    call.budget().steps(DERIVE_STEPS)?;
    let length = |text: &Str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SEED, &length(&order.user), order.user.bytes()].concat();
    let key = scrypt::key(order.password.bytes(), &salt);
    let counter = order.counter.to_be_bytes();
    let message = [SEED, &length(&order.site), order.site.bytes(), &counter].concat();
    let seed = hmac_sha256(&key, &message);
    let template = templates[usize::from(seed[0]) % templates.len()];
    let password = template.bytes().zip(&seed[1..]).map(|(class, seed)| {
        let characters = characters(class);
        char::from(characters[usize::from(*seed) % characters.len()])
    });
    Ok(password.collect::<String>().into())
}

fn templates(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}
