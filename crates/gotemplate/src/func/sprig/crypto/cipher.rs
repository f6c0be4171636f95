//! AES in CBC mode, as sprig uses it.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

use super::Table;
use crate::codec::BASE64;
use crate::func::Call;
use crate::func::sprig::Answer;
use crate::value::Value;

const BLOCK: usize = 16;

pub(super) fn add(table: &mut Table) {
    table.add(&["encryptAES"], "string, string -> string", encrypt);
    table.add(&["decryptAES"], "string, string -> string", decrypt);
}

/// The cipher whose key is the password, cut or filled with zeros.
fn cipher(password: &[u8]) -> Aes256 {
    let mut key = [0; 32];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    Aes256::new(&key.into())
}

fn xor(block: &mut [u8; BLOCK], other: &[u8]) {
    for (byte, other) in block.iter_mut().zip(other) {
        *byte ^= other;
    }
}

fn encrypt(call: &mut Call<'_>) -> Answer {
    let (password, text) = (call.str(0), call.str(1));
    if text.is_empty() {
        return Ok("".into());
    }
    let padding = BLOCK - text.len() % BLOCK;
    let fill = vec![u8::try_from(padding).unwrap_or_default(); padding];
    let text = [text.bytes(), &fill].concat();
    let mut last = [0; BLOCK];
    call.host().random(&mut last)?;
    let cipher = cipher(password.bytes());
    let mut out = last.to_vec();
    for chunk in text.chunks_exact(BLOCK) {
        xor(&mut last, chunk);
        let mut block = last.into();
        cipher.encrypt_block(&mut block);
        last = block.into();
        out.extend_from_slice(&last);
    }
    Ok(Value::string(BASE64.encode(&out)))
}

fn decrypt(call: &mut Call<'_>) -> Answer {
    let (password, text) = (call.str(0), call.str(1));
    if text.is_empty() {
        return Ok("".into());
    }
    let bytes = BASE64.decode(text.bytes())?;
    if bytes.len() < BLOCK {
        let length = bytes.len();
        return Err(super::super::out_of_range(&format!("[:16] with capacity {length}")));
    }
    if bytes.len() % BLOCK != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let cipher = cipher(password.bytes());
    let mut out = Vec::with_capacity(bytes.len());
    for pair in 1..bytes.len() / BLOCK {
        let at = pair * BLOCK;
        let mut block = [0; BLOCK];
        block.copy_from_slice(&bytes[at..at + BLOCK]);
        let mut block = block.into();
        cipher.decrypt_block(&mut block);
        let mut plain: [u8; BLOCK] = block.into();
        xor(&mut plain, &bytes[at - BLOCK..at]);
        out.extend_from_slice(&plain);
    }
    let Some(last) = out.last() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    let padding = usize::from(*last);
    let Some(length) = out.len().checked_sub(padding) else {
        let beyond = i128::try_from(out.len()).unwrap_or_default() - i128::from(*last);
        return Err(super::super::out_of_range(&format!("[:{beyond}]")));
    };
    out.truncate(length);
    Ok(Value::string(out))
}
