//! Signatures of what lies in a registry, as an object's specification wants them: fetched, and judged by
//! `signature`.
//!
//! Bundles of cosign v3 are looked for first, then signatures of v2, as upstream does; where there
//! are bundles, one of them must be good.

use std::path::Path;

use access::Reader;
use api::source::{Verification, VerificationProvider};
use controller::secret::Data;
use jiff::Timestamp;
use registry::{Call, Client, Digest, Error as RegistryError, Manifest};
use signature::{cosign, notation};

/// A signature, a bundle or the manifest of one is shorter than this.
const MAX_SIGNATURE: u64 = 4 << 20;
/// More signatures of one artifact are not looked at.
const MAX_SIGNATURES: usize = 64;
/// The key of a Secret that holds whom keyless signatures are believed.
const TRUSTED_ROOT: &str = "trusted_root.json";
const TRUST_POLICY: &str = "trustpolicy.json";

/// What is to be verified, and where it is.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Registries.
    pub registry: &'a Client,
    /// Where it is.
    pub call: &'a Call<'a>,
    /// The repository with the tag or digest, for messages.
    pub shown: &'a str,
    /// What was signed.
    pub digest: &'a Digest,
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subject({})", self.shown)
    }
}

/// What came out when nothing was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A signature is good.
    Verified,
    /// The policy does not want it verified.
    Ignored,
}

/// The provider as messages name it.
pub fn provider(verify: &Verification) -> &'static str {
    match (verify.provider, &verify.secret_ref) {
        (VerificationProvider::Cosign, None) => "cosign keyless",
        (VerificationProvider::Cosign, Some(_)) => "cosign",
        (VerificationProvider::Notation, _) => "notation",
    }
}

/// Verifies as the spec says; keys are read in the namespace of the object that asks.
///
/// # Errors
/// Why no signature is good, in upstream's words; never a Secret's content.
pub async fn verify(
    subject: Subject<'_>,
    verify: &Verification,
    (reader, now): (&Reader<'_>, Timestamp),
) -> Result<Verdict, String> {
    let name = verify.secret_ref.as_ref().map(|it| it.name.as_str());
    let data = match name {
        Some(name) => Some(reader.secret(name).await.map_err(|error| error.bare())?),
        None => None,
    };
    match verify.provider {
        VerificationProvider::Cosign => {
            subject.cosign(verify, data.as_ref()).await?;
            Ok(Verdict::Verified)
        }
        VerificationProvider::Notation => {
            let shown = subject.shown;
            let data =
                data.ok_or_else(|| format!("verification secret cannot be empty: '{shown}'"))?;
            let policy = trust_policy(&reader.full_name(name.unwrap_or_default()), &data)?;
            subject.notation(&policy, now).await
        }
    }
}

fn trust_policy(secret: &str, data: &Data) -> Result<notation::Policy, String> {
    let document = data
        .get(TRUST_POLICY)
        .ok_or_else(|| format!("'{TRUST_POLICY}' not found in secret '{secret}'"))?;
    let is_certificate =
        |key: &str| Path::new(key).extension().is_some_and(|it| it == "crt" || it == "pem");
    let certificates: Vec<&[u8]> =
        data.iter().filter(|(key, _)| is_certificate(key)).map(|(_, it)| it.as_slice()).collect();
    if certificates.is_empty() {
        return Err(format!("no certificates found in secret '{secret}'"));
    }
    notation::Policy::parse(document, certificates).map_err(|error| error.to_string())
}

/// The signatures that an artifact has.
enum Signatures {
    Bundles(Vec<bytes::Bytes>),
    Layers(Vec<(bytes::Bytes, registry::Descriptor)>),
}

impl Subject<'_> {
    async fn cosign(&self, verify: &Verification, data: Option<&Data>) -> Result<(), String> {
        let unknown = || format!("no matching signatures were found for '{}'", self.shown);
        let root = data.and_then(|data| data.get(TRUSTED_ROOT));
        if let (Some(data), None) = (data, root) {
            let keys =
                data.iter().filter(|(name, _)| Path::new(name).extension() == Some("pub".as_ref()));
            let keys = keys.map(|(_, pem)| cosign::Key::parse(pem));
            let keys: Vec<_> = keys.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
            if keys.is_empty() {
                return Err(unknown());
            }
            let signatures = self.signatures().await;
            let Ok(signatures) = signatures else { return Err(unknown()) };
            let good =
                keys.iter().any(|key| self.check(&signatures, cosign::Signer::Key(key)).is_ok());
            return if good { Ok(()) } else { Err(unknown()) };
        }
        let root = match root {
            Some(json) => cosign::Root::parse(&String::from_utf8_lossy(json)),
            None => cosign::Root::public(),
        };
        let root = root.map_err(|error| error.to_string())?;
        let identities = verify.match_oidc_identity.iter().flatten();
        let identities: Vec<_> = identities
            .map(|it| cosign::Identity::new(&it.issuer, &it.subject))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let signatures = self.signatures().await?;
        let signer = cosign::Signer::Keyless { root: &root, identities: &identities };
        self.check(&signatures, signer)
    }

    /// Whether one of the signatures is good; else why the first is not.
    fn check(&self, signatures: &Signatures, signer: cosign::Signer<'_>) -> Result<(), String> {
        let digest = self.digest.as_str();
        let tried: Vec<Result<(), signature::Error>> = match signatures {
            Signatures::Bundles(all) => {
                all.iter().map(|json| signer.verify_bundle(json, digest)).collect()
            }
            Signatures::Layers(all) => {
                let layers = all.iter().map(|(payload, layer)| cosign::Layer {
                    payload,
                    annotations: &layer.annotations,
                });
                layers.map(|layer| signer.verify_layer(&layer, digest)).collect()
            }
        };
        if tried.iter().any(Result::is_ok) {
            return Ok(());
        }
        match tried.into_iter().find_map(Result::err) {
            Some(why) => Err(format!("no matching signatures: {why}")),
            None => Err("no signatures found".to_owned()),
        }
    }

    async fn signatures(&self) -> Result<Signatures, String> {
        let bundles = self.bundles().await.unwrap_or_default();
        if !bundles.is_empty() {
            return Ok(Signatures::Bundles(bundles));
        }
        let tag = cosign::tag(self.digest.as_str());
        let manifest = match self.registry.manifest(self.call, &tag).await {
            Ok(manifest) => manifest,
            Err(error) if error.is_not_found() => return Err("no signatures found".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        let mut layers = Vec::new();
        let all = manifest.content.layers.into_iter();
        for layer in all.filter(|it| it.media_type == cosign::SIMPLE_SIGNING).take(MAX_SIGNATURES) {
            let payload = self.blob(&layer).await.map_err(|error| error.to_string())?;
            layers.push((payload, layer));
        }
        Ok(Signatures::Layers(layers))
    }

    /// The bundles among everything that refers to the artifact. Only the layer tells: clients that
    /// keep the list themselves, for registries that do not, give it other artifact types. What is
    /// no bundle, or cannot be read, is passed over, as cosign does.
    async fn bundles(&self) -> Result<Vec<bytes::Bytes>, RegistryError> {
        let mut bundles = Vec::new();
        let all = self.registry.referrers(self.call, self.digest, None).await?;
        for found in all.iter().take(MAX_SIGNATURES) {
            let manifest = self.registry.manifest(self.call, &found.digest).await;
            let layers = manifest.map(|it| it.content.layers).unwrap_or_default();
            let [layer] = layers.as_slice() else { continue };
            if layer.media_type.starts_with(cosign::BUNDLE_PREFIX)
                && let Ok(bundle) = self.blob(layer).await
            {
                bundles.push(bundle);
            }
        }
        Ok(bundles)
    }

    async fn notation(&self, policy: &notation::Policy, now: Timestamp) -> Result<Verdict, String> {
        let repository = self.call.repository.canonical();
        let statement = policy
            .statement(&repository, self.digest.as_str())
            .map_err(|error| error.to_string())?;
        if statement.is_skipped() {
            return Ok(Verdict::Ignored);
        }
        let failed = |error: RegistryError| error.to_string();
        let manifest = self.registry.manifest(self.call, self.digest.as_str());
        let manifest = manifest.await.map_err(failed)?;
        let kind = Some(notation::ARTIFACT_TYPE);
        let found = self.registry.referrers(self.call, self.digest, kind).await.map_err(failed)?;
        if found.is_empty() {
            return Err(format!(
                "no signature is associated with \"{repository}@{}\", make sure the artifact was \
                 signed successfully",
                self.digest
            ));
        }
        let mut whys = vec!["signature verification failed".to_owned()];
        for signature in found.iter().take(notation::MAX_ATTEMPTS) {
            match self.envelope(&signature.digest, &manifest, (statement, now)).await? {
                Ok(notation::Verdict::Verified) => return Ok(Verdict::Verified),
                Ok(notation::Verdict::Ignored) => return Ok(Verdict::Ignored),
                Err(why) => whys.push(format!(
                    "failed to verify signature with digest {}, {why}",
                    signature.digest
                )),
            }
        }
        if found.len() >= notation::MAX_ATTEMPTS {
            return Err(format!(
                "signature evaluation stopped. The configured limit of {} signatures to verify per \
                 artifact exceeded",
                notation::MAX_ATTEMPTS
            ));
        }
        Err(whys.join("\n"))
    }

    async fn envelope(
        &self,
        digest: &str,
        signed: &Manifest,
        (statement, now): (notation::Statement<'_>, Timestamp),
    ) -> Result<Result<notation::Verdict, signature::Error>, String> {
        let lost = |error: RegistryError| {
            format!(
                "unable to retrieve digital signature with digest \"{digest}\" associated with \
                 \"{}\" from the Repository, error : {error}",
                self.shown
            )
        };
        let manifest = self.registry.manifest(self.call, digest).await.map_err(lost)?;
        let layer = manifest.content.layers.first().ok_or_else(|| {
            lost(RegistryError::Answer("signature manifest has no layer".to_owned()))
        })?;
        let bytes = self.blob(layer).await.map_err(lost)?;
        let envelope = notation::Envelope { media_type: &layer.media_type, bytes: &bytes };
        let target = notation::Target {
            media_type: &signed.media_type,
            digest: signed.digest.as_str(),
            size: signed.bytes.len() as u64,
        };
        Ok(statement.verify(envelope, target, now))
    }

    async fn blob(&self, layer: &registry::Descriptor) -> Result<bytes::Bytes, RegistryError> {
        self.registry.small_blob(self.call, layer, MAX_SIGNATURE).await
    }
}
