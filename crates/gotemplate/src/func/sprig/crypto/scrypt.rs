//! The key derivation function scrypt (RFC 7914), as far as `derivePassword` needs it.

use crate::func::sprig::digest::hmac_sha256;

/// Words of one block: r = 8.
const BLOCK: usize = 32 * 8;
/// Cost: 32 MiB of memory.
const COST: usize = 32_768;
/// Number of independent lanes.
const LANES: usize = 2;

/// A key of 64 bytes with N = 32768, r = 8, p = 2.
pub(super) fn key(password: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut bytes = pbkdf2(password, salt, BLOCK * 4 * LANES);
    for lane in bytes.chunks_exact_mut(BLOCK * 4) {
        let mut words: Vec<u32> = lane
            .chunks_exact(4)
            .map(|word| word.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
            .collect();
        mix(&mut words);
        for (bytes, word) in lane.chunks_exact_mut(4).zip(&words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
    pbkdf2(password, &bytes, 64)
}

/// PBKDF2 with HMAC-SHA-256 and one iteration.
fn pbkdf2(password: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + 32);
    for block in 1_u32.. {
        if out.len() >= length {
            break;
        }
        out.extend_from_slice(&hmac_sha256(password, &[salt, &block.to_be_bytes()].concat()));
    }
    out.truncate(length);
    out
}

fn mix(block: &mut Vec<u32>) {
    let mut memory = Vec::with_capacity(COST * BLOCK);
    for _ in 0..COST {
        memory.extend_from_slice(block);
        *block = mix_block(block);
    }
    for _ in 0..COST {
        let at = block[BLOCK - 16] as usize % COST * BLOCK;
        for (word, other) in block.iter_mut().zip(&memory[at..at + BLOCK]) {
            *word ^= other;
        }
        *block = mix_block(block);
    }
}

fn mix_block(block: &[u32]) -> Vec<u32> {
    let mut state = [0; 16];
    state.copy_from_slice(&block[BLOCK - 16..]);
    let (mut even, mut odd) = (Vec::with_capacity(BLOCK), Vec::with_capacity(BLOCK / 2));
    for (at, part) in block.chunks_exact(16).enumerate() {
        for (word, other) in state.iter_mut().zip(part) {
            *word ^= other;
        }
        salsa(&mut state);
        if at % 2 == 0 { &mut even } else { &mut odd }.extend_from_slice(&state);
    }
    even.append(&mut odd);
    even
}

/// Salsa20 with 8 rounds.
fn salsa(state: &mut [u32; 16]) {
    const QUARTERS: [[usize; 4]; 8] = [
        [0, 4, 8, 12],
        [5, 9, 13, 1],
        [10, 14, 2, 6],
        [15, 3, 7, 11],
        [0, 1, 2, 3],
        [5, 6, 7, 4],
        [10, 11, 8, 9],
        [15, 12, 13, 14],
    ];
    let mut x = *state;
    for _ in 0..4 {
        for [a, b, c, d] in QUARTERS {
            x[b] ^= x[a].wrapping_add(x[d]).rotate_left(7);
            x[c] ^= x[b].wrapping_add(x[a]).rotate_left(9);
            x[d] ^= x[c].wrapping_add(x[b]).rotate_left(13);
            x[a] ^= x[d].wrapping_add(x[c]).rotate_left(18);
        }
    }
    for (word, mixed) in state.iter_mut().zip(x) {
        *word = word.wrapping_add(mixed);
    }
}
