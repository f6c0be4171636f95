//! The password hash bcrypt, with the cost and form of Go's x/crypto.

use blowfish::Blowfish;

/// Ten doublings.
const COST: u32 = 10;

const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The hash of a password of at most 72 bytes as `$2a$10$…`.
pub(super) fn hash(password: &[u8], salt: &[u8; 16]) -> String {
    let mut key = password.to_vec();
    key.push(0);
    let mut state: Blowfish = Blowfish::bc_init_state();
    state.salted_expand_key(salt, &key);
    for _ in 0..1 << COST {
        state.bc_expand_key(&key);
        state.bc_expand_key(salt);
    }
    let mut words: [u32; 6] =
        [0x4F72_7068, 0x6561_6E42, 0x6568_6F6C, 0x6465_7253, 0x6372_7944, 0x6F75_6274];
    for pair in words.chunks_exact_mut(2) {
        for _ in 0..64 {
            let [left, right] = state.bc_encrypt([pair[0], pair[1]]);
            pair.copy_from_slice(&[left, right]);
        }
    }
    let hash: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    format!("$2a${COST}${}{}", encode(salt), encode(&hash[..23]))
}

/// Bcrypt's base 64: an alphabet of its own and no padding.
fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let digit = (word >> (18 - 6 * place)) & 63;
            out.push(char::from(ALPHABET[digit as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        // Go's x/crypto/bcrypt accepts it.
        let salt: [u8; 16] = *b"0123456789abcdef";
        let known = "$2a$10$KBCwKxOzLha2MUDgW0PjXe5iC0KgerkTIWLGUoONajjj98vdFiyt2";
        assert_eq!(hash(b"secret", &salt), known);
    }
}
