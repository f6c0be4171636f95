//! `ServiceAccounts`: their tokens, which are JSON Web Tokens signed by a key that is kept with the state.

mod key;
mod token;

pub(crate) use key::Key;
pub(crate) use token::{AUDIENCE, Bound, Wish, issue, review};
