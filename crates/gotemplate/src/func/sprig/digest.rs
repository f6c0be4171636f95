//! Checksums.

use std::fmt::Write;

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Answer, Call, Table};

pub(super) fn add(table: &mut Table) {
    table.add(&["sha1sum"], "string -> string", sum::<Sha1>);
    table.add(&["sha256sum"], "string -> string", sum::<Sha256>);
    table.add(&["sha512sum"], "string -> string", sum::<Sha512>);
    table.add(&["adler32sum"], "string -> string", |call| {
        Ok(adler32(call.str(0).bytes()).to_string().into())
    });
}

#[expect(clippy::unnecessary_wraps, reason = "the body of a function")]
fn sum<D: Digest>(call: &mut Call<'_>) -> Answer {
    let mut text = String::new();
    for byte in D::digest(call.str(0).bytes()) {
        write!(text, "{byte:02x}").expect("because writing to a string cannot fail");
    }
    Ok(text.into())
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1, 0);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

/// HMAC with SHA-256.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |mask: u8| block.map(|byte| byte ^ mask);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5C)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }
}
