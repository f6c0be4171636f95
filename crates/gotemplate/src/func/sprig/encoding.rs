//! Base 32 and base 64.

use super::Table;
use crate::codec::{BASE32, BASE64, Codec};
use crate::value::Value;

pub(super) fn add(table: &mut Table) {
    pair(table, ("b64enc", "b64dec"), &BASE64);
    pair(table, ("b32enc", "b32dec"), &BASE32);
}

/// The two functions of a codec. Sprig returns the text of a decoding error as the result.
fn pair(table: &mut Table, (encode, decode): (&str, &str), codec: &'static Codec) {
    table.add(&[encode], "string -> string", |call| {
        Ok(Value::string(codec.encode(call.str(0).bytes())))
    });
    table.add(&[decode], "string -> string", |call| {
        Ok(match codec.decode(call.str(0).bytes()) {
            Ok(bytes) => Value::string(bytes),
            Err(why) => Value::string(why),
        })
    });
}
