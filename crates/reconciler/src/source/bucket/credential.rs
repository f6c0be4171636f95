//! From a spec and its Secrets to the way a bucket is spoken to.

use ::bucket::{Credential, Ldap, Options, Provider};
use access::Reader;
use api::{
    reason,
    source::{Bucket, BucketProvider, BucketSts, StsProvider},
};
use cloud::{AwsKey, Token};
use controller::secret::Data;
use http_client::Proxy;
use kube::ResourceExt as _;
use url::Url;

use super::{azure, denied};
use crate::source::{Context, condition, pass::Failure};

/// Where keys of AWS come from if the bucket tells no region.
const REGION: &str = "us-east-1";

/// Reads everything that the spec refers to. Texts are upstream's.
pub(super) async fn options(it: &Bucket, context: &Context) -> Result<Options, Failure> {
    let spec = &it.spec;
    let kind = spec.provider.unwrap_or_default();
    let account = spec.service_account_name.as_deref().filter(|it| !it.is_empty());
    if kind != BucketProvider::Generic && account.is_some() {
        check_gate(context)?;
    }
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    let reader = context.reader(&namespace, ("Bucket", &name));
    let data = match &spec.secret_ref {
        Some(reference) => Some(secret(&reader, &reference.name, "secret").await?),
        None => None,
    };
    let proxy = match &spec.proxy_secret_ref {
        Some(reference) => reader
            .proxy(&reference.name)
            .await
            .map_err(|why| denied(&format!("failed to get proxy URL: {why}")))?,
        None => Proxy::default(),
    };
    let tls = match &spec.cert_secret_ref {
        Some(reference) => Some(
            reader
                .tls(&reference.name)
                .await
                .map_err(|why| denied(&format!("failed to get TLS config: {why}")))?,
        ),
        None => None,
    };
    let insecure = spec.insecure.unwrap_or(false);
    // TLS material does not matter where there is no TLS.
    let tls = tls.filter(|_| !insecure && kind != BucketProvider::Gcp);
    if let Some(sts) = &spec.sts {
        check(it, sts)?;
    }
    let credential = given(it, data.as_ref(), (&reader, &proxy)).await?;
    let credential = match &spec.sts {
        Some(sts) => of_service(sts, (&reader, &proxy, credential)).await?,
        None => credential,
    };
    Ok(Options {
        provider: provider(kind),
        name: spec.bucket_name.clone(),
        endpoint: spec.endpoint.clone(),
        region: spec.region.clone().unwrap_or_default(),
        insecure,
        credential,
        http: http_client::Options::of(tls, proxy),
        pool: context.http.clone(),
    })
}

/// As whom: what a Secret says, else an identity of the cloud, else nobody.
async fn given(
    it: &Bucket,
    data: Option<&Data>,
    (reader, proxy): (&Reader<'_>, &Proxy),
) -> Result<Credential, Failure> {
    let kind = it.spec.provider.unwrap_or_default();
    let name = it.spec.secret_ref.as_ref().map(|it| it.name.as_str()).unwrap_or_default();
    match (kind, data) {
        (BucketProvider::Generic | BucketProvider::Aws, Some(data)) => keys(name, data),
        (BucketProvider::Gcp, Some(data)) => service_account(name, data),
        (BucketProvider::Azure, Some(data)) => {
            azure::credential((name, data), (reader.cloud, proxy)).await
        }
        (BucketProvider::Generic, None) => Ok(Credential::Anonymous),
        (_, None) => of_cloud(it, (reader, proxy)).await,
    }
}

fn provider(kind: BucketProvider) -> Provider {
    match kind {
        BucketProvider::Generic => Provider::Generic,
        BucketProvider::Aws => Provider::Aws,
        BucketProvider::Gcp => Provider::Gcp,
        BucketProvider::Azure => Provider::Azure,
    }
}

fn check_gate(context: &Context) -> Result<(), Failure> {
    if context.options.object_level_workload_identity {
        return Ok(());
    }
    let message = "to use spec.serviceAccountName for provider authentication please enable the \
                   ObjectLevelWorkloadIdentity feature gate in the controller";
    Err(Failure::stall(condition::FETCH_FAILED, reason::FEATURE_GATE_DISABLED, message))
}

/// What the cloud gives out for a ServiceAccount, that of the spec or of the flag; without one it is
/// the process itself.
async fn of_cloud(
    it: &Bucket,
    (reader, proxy): (&Reader<'_>, &Proxy),
) -> Result<Credential, Failure> {
    let account = it.spec.service_account_name.as_deref();
    if reader.workload.account(account).is_none() {
        return Ok(Credential::Process);
    }
    let region = it.spec.region.as_deref().filter(|it| !it.is_empty()).unwrap_or(REGION);
    let wanted = match it.spec.provider.unwrap_or_default() {
        BucketProvider::Generic => return Ok(Credential::Anonymous),
        BucketProvider::Aws if !AwsKey::is_region(region) => {
            return Err(denied(&format!("'{region}' is no region of AWS")));
        }
        BucketProvider::Aws => (cloud::Provider::Aws, region),
        BucketProvider::Gcp => (cloud::Provider::Gcp, ""),
        BucketProvider::Azure => (cloud::Provider::Azure, azure::STORAGE),
    };
    let sts = it.spec.sts.as_ref().map(|sts| sts.endpoint.as_str());
    let token = reader.token(wanted, sts, (account, proxy)).await;
    Ok(match token.map_err(|why| denied(&format!("failed to get credentials: {why}")))? {
        Token::Aws(key) => {
            let (id, secret, session) = key.parts();
            let session = session.map(str::to_owned);
            Credential::Key { id: id.to_owned(), secret: secret.to_owned(), session }
        }
        Token::Bearer(bearer) => Credential::Bearer(bearer.token),
    })
}

async fn secret(reader: &Reader<'_>, name: &str, what: &str) -> Result<Data, Failure> {
    reader.secret(name).await.map_err(|why| {
        denied(&format!("failed to get {what} '{}': {}", reader.full_name(name), why.bare()))
    })
}

/// The text of a key without white space around it; empty if there is none.
pub(super) fn text(data: &Data, key: &str) -> String {
    data.get(key).map(|it| String::from_utf8_lossy(it).trim().to_owned()).unwrap_or_default()
}

fn keys(name: &str, data: &Data) -> Result<Credential, Failure> {
    if !data.contains_key("accesskey") || !data.contains_key("secretkey") {
        let why = "required fields 'accesskey' and 'secretkey'";
        return Err(denied(&format!("invalid '{name}' secret data: {why}")));
    }
    let (id, secret) = (text(data, "accesskey"), text(data, "secretkey"));
    // Without either, requests are not signed, as upstream.
    if id.is_empty() || secret.is_empty() {
        return Ok(Credential::Anonymous);
    }
    Ok(Credential::Key { id, secret, session: None })
}

fn service_account(name: &str, data: &Data) -> Result<Credential, Failure> {
    if !data.contains_key("serviceaccount") {
        let why = "required fields 'serviceaccount'";
        return Err(denied(&format!("invalid '{name}' secret data: {why}")));
    }
    Ok(Credential::ServiceAccount(text(data, "serviceaccount")))
}

/// The credential of a service for temporary keys.
async fn of_service(
    sts: &BucketSts,
    (reader, proxy, given): (&Reader<'_>, &Proxy, Credential),
) -> Result<Credential, Failure> {
    Url::parse(&sts.endpoint).map_err(|why| {
        let message = format!("failed to parse STS endpoint '{}': {why}", sts.endpoint);
        Failure::stall(condition::FETCH_FAILED, reason::URL_INVALID, message)
    })?;
    if sts.provider != StsProvider::Ldap || given != Credential::Anonymous {
        return Ok(given);
    }
    let (username, password) = match &sts.secret_ref {
        Some(reference) => {
            let data = secret(reader, &reference.name, "STS secret").await?;
            let (username, password) = (text(&data, "username"), text(&data, "password"));
            if username.is_empty() || password.is_empty() {
                return Err(denied(&format!(
                    "invalid '{}' secret data for 'ldap' STS provider: required fields username, \
                     password",
                    reference.name
                )));
            }
            (username, password)
        }
        None => (String::new(), String::new()),
    };
    let tls = match &sts.cert_secret_ref {
        Some(reference) => Some(
            reader
                .tls(&reference.name)
                .await
                .map_err(|why| denied(&format!("failed to get STS TLS config: {why}")))?,
        ),
        None => None,
    };
    let http = http_client::Options::of(tls, proxy.clone());
    Ok(Credential::Ldap(Ldap { endpoint: sts.endpoint.clone(), username, password, http }))
}

/// Which services go with which buckets; the CRD says it as well.
fn check(it: &Bucket, sts: &BucketSts) -> Result<(), Failure> {
    let kind = it.spec.provider.unwrap_or_default();
    let bucket = format!("{kind:?}").to_lowercase();
    let service = format!("{:?}", sts.provider).to_lowercase();
    let why = match (kind, sts.provider) {
        (BucketProvider::Aws, StsProvider::Aws) if sts.secret_ref.is_some() => {
            format!("spec.sts.secretRef is not required for the '{service}' STS provider")
        }
        (BucketProvider::Aws, StsProvider::Aws) if sts.cert_secret_ref.is_some() => {
            format!("spec.sts.certSecretRef is not required for the '{service}' STS provider")
        }
        (BucketProvider::Aws, StsProvider::Aws) | (BucketProvider::Generic, StsProvider::Ldap) => {
            return Ok(());
        }
        (BucketProvider::Aws | BucketProvider::Generic, _) => {
            format!("STS provider '{service}' is not supported for '{bucket}' bucket provider")
        }
        _ => format!("STS configuration is not supported for '{bucket}' bucket provider"),
    };
    Err(Failure::stall(condition::FETCH_FAILED, reason::INVALID_STS_CONFIGURATION, why))
}
