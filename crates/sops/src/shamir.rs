//! A secret split into parts, a number of which make it again.

/// Parts of `secret`, `threshold` of which make it again; each is a byte longer.
pub(crate) fn split(
    secret: &[u8],
    (parts, threshold): (u8, u8),
    random: &mut dyn FnMut(&mut [u8]),
) -> Vec<Vec<u8>> {
    let mut made: Vec<Vec<u8>> =
        (1..=parts).map(|_| Vec::with_capacity(secret.len() + 1)).collect();
    for &byte in secret {
        let mut coefficients = vec![0; usize::from(threshold)];
        random(&mut coefficients);
        coefficients[0] = byte;
        for (x, part) in (1..=parts).zip(&mut made) {
            part.push(coefficients.iter().rev().fold(0, |sum, &c| multiplied(sum, x) ^ c));
        }
    }
    for (x, part) in (1..=parts).zip(&mut made) {
        part.push(x);
    }
    made
}

/// The secret that was split.
pub(crate) fn combine(parts: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let size = parts.first().map_or(0, Vec::len);
    if parts.len() < 2 {
        return Err("less than two parts cannot be used to reconstruct the secret".to_owned());
    }
    if size < 2 || parts.iter().any(|part| part.len() != size) {
        return Err("all parts must be the same length".to_owned());
    }
    let xs: Vec<u8> = parts.iter().map(|part| part[size - 1]).collect();
    if (1..xs.len()).any(|at| xs[..at].contains(&xs[at])) {
        return Err("duplicate part detected".to_owned());
    }
    let weights: Vec<u8> = (0..xs.len()).map(|at| weight(&xs, at)).collect();
    Ok((0..size - 1)
        .map(|byte| {
            let terms = parts.iter().zip(&weights);
            terms.fold(0, |sum, (part, &weight)| sum ^ multiplied(part[byte], weight))
        })
        .collect())
}

/// How much the part at `at` counts at zero.
fn weight(xs: &[u8], at: usize) -> u8 {
    let others = xs.iter().enumerate().filter(|(other, _)| *other != at);
    others.fold(1, |product, (_, &x)| multiplied(product, divided(x, xs[at] ^ x)))
}

/// The product in the field of AES.
fn multiplied(a: u8, b: u8) -> u8 {
    (0..8).rev().fold(0_u8, |sum, bit| {
        let doubled = (sum << 1) ^ ((sum >> 7).wrapping_neg() & 0x1b);
        doubled ^ ((b >> bit & 1).wrapping_neg() & a)
    })
}

/// The inverse of `b` is its 254th power.
fn divided(a: u8, b: u8) -> u8 {
    (0..254).fold(a, |product, _| multiplied(product, b))
}
