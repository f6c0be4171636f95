//! Provenance files: what `helm package --sign` leaves beside a chart.
//!
//! Upstream knows no such thing, so it is asked for by an annotation. What was checked once for a
//! version is not fetched again: `SourceVerified` says so.

use api::{meta::Status as _, source::HelmChart};
use kube::ResourceExt as _;

use super::{
    build::{Ended, Step},
    lookup::{Charts, Found},
};
use crate::source::{Context, condition};

/// The annotation that names a Secret whose values are public keys, armored or not; one of them must
/// have signed the chart.
pub(super) const KEYRING: &str = "source.sluice.dev/provenance";

/// The Secret with the keys, if provenance is to be checked.
pub(super) fn keyring(it: &HelmChart) -> Option<&str> {
    it.annotations().get(KEYRING).map(String::as_str).filter(|name| !name.is_empty())
}

/// What is said of a version that was checked.
pub(super) fn verified(version: &str) -> String {
    format!("verified signature of version {version}")
}

/// Whether a version of the chart may be used as it is stored: it was checked, or need not be.
pub(super) fn is_settled(it: &HelmChart, version: &str) -> bool {
    let status = it.status.as_ref();
    let said = status.and_then(|status| status.condition(condition::SOURCE_VERIFIED));
    let said = said.is_some_and(|it| it.status == "True" && it.message == verified(version));
    keyring(it).is_none() || said
}

/// Checks an archive against its provenance file; says whether there was something to check.
pub(super) async fn check(
    it: &HelmChart,
    (charts, found): (&Charts, &Found),
    archive: &[u8],
    context: &Context,
) -> Result<bool, Ended> {
    let Some(name) = keyring(it) else { return Ok(false) };
    let version = &found.version;
    let failed = |why: String| {
        Step::Verification
            .failed(format!("failed to verify provenance of {}-{version}: {why}", found.name))
    };
    let (namespace, own) = (it.namespace().unwrap_or_default(), it.name_any());
    let reader = context.reader(&namespace, ("HelmChart", &own));
    let data = reader.secret(name).await.map_err(|why| failed(why.to_string()))?;
    if data.is_empty() {
        return Err(failed(format!("secret '{}' has no keys", reader.full_name(name))));
    }
    let (file, text) = charts.provenance(found, context).await.map_err(failed)?;
    let (archive, bytes) = (archive.to_vec(), archive.len());
    let work = move || {
        let mut whys = Vec::new();
        for keys in data.values() {
            match helm::provenance::verify(&archive, &file, &text, keys) {
                Ok(_) => return Ok(()),
                Err(why) => whys.push(why.to_string()),
            }
        }
        whys.dedup();
        Err(whys.join("; "))
    };
    let checked = context.compute.run(bytes, work).await;
    let checked = checked.unwrap_or_else(|panicked| Err(panicked.to_string()));
    checked.map(|()| true).map_err(failed)
}
