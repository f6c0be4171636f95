//! Passwords, ciphers, keys and certificates.

mod bcrypt;
mod certificate;
mod cipher;
mod password;
mod scrypt;

use super::Table;

pub(super) fn add(table: &mut Table) {
    password::add(table);
    cipher::add(table);
    certificate::add(table);
}
