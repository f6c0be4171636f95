//! Whether commit and tag are signed by those who are trusted.

use std::fmt::Write as _;

use api::{
    reason,
    source::{GitRepository, GitRepositoryStatus, GitVerificationMode},
};
use controller::{Event, Turn, secret};
use git::{Tag, Trust};
use kube::ResourceExt as _;

use super::{act::Checkout, plan};
use crate::source::{
    Context, condition,
    pass::{Class, Failure, Pass},
};

/// Checks the signatures that the spec wants checked, and says so.
pub(super) async fn verify(
    it: &GitRepository,
    pass: &mut Pass<GitRepositoryStatus>,
    checkout: &Checkout,
    (turn, context): (&Turn, &Context),
) -> Result<(), Failure> {
    let (Some(spec), Some(mode)) = (&it.spec.verify, plan::mode(it)) else { return Ok(()) };
    let namespace = it.namespace().unwrap_or_default();
    let data = secret::read(&context.client, &namespace, &spec.secret_ref.name).await;
    let data = data.map_err(|why| {
        let message = format!("PGP public keys secret error: {}", why.bare());
        Failure::unverified("VerificationError", message)
    })?;
    let (trust, now) = (Trust::from_secret(&data), turn.now().as_second());
    let mut verified = String::from("verified signature of");
    if mode != GitVerificationMode::HEAD && mode != GitVerificationMode::Head {
        let tag = checkout.git.tag().await.map_err(unreadable)?;
        let (tag, key) = of_tag(tag, &trust, now)?;
        let _ = write!(verified, "\n\t- tag '{tag}' with key '{key}'");
    }
    if mode != GitVerificationMode::Tag {
        let id = checkout.git.commit();
        let signed = checkout.git.signed().await.map_err(unreadable)?;
        let key = signed.verify(&trust, now).map_err(|why| {
            let message = format!("signature verification of commit '{id}' failed: {why}");
            Failure::unverified("InvalidCommitSignature", message)
        })?;
        let _ = write!(verified, "\n\t- commit '{id}' with key '{key}'");
    }
    pass.status.source_verification_mode = Some(plan::mode_name(mode).to_owned());
    pass.mark(condition::SOURCE_VERIFIED, "True", (reason::SUCCEEDED, &verified));
    pass.tell(Event::trace(reason::SUCCEEDED, verified));
    Ok(())
}

/// The tag and the key it is signed with.
fn of_tag(tag: Option<Tag>, trust: &Trust, now: i64) -> Result<(Tag, String), Failure> {
    let Some(tag) = tag else {
        let why = "cannot verify tag object's signature if a tag reference is not specified";
        let failure = Failure::unverified("InvalidVerificationMode", why);
        return Err(failure.into_class(Class::Stall));
    };
    let Some((_, signed)) = tag.object.as_ref().filter(|(_, signed)| signed.is_signed()) else {
        let message = format!("cannot verify signature of tag '{tag}' since it is not signed");
        return Err(Failure::unverified("InvalidGitObject", message));
    };
    match signed.verify(trust, now) {
        Ok(key) => Ok((tag, key)),
        Err(why) => Err(Failure::unverified(
            "InvalidTagSignature",
            format!("signature verification of tag '{tag}' failed: {why}"),
        )),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn unreadable(why: git::Error) -> Failure {
    Failure::unverified("VerificationError", why.to_string())
}
