//! Connections to servers: kept for the next request, encrypted, by the proxy that the environment names.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::identity::variable;

/// A PEM file of the certificates to trust in place of the system's.
const CA_VARIABLE: &str = "AWS_CA_BUNDLE";

/// Makes what an SDK's requests go over.
pub(super) fn client() -> Result<SharedHttpClient, String> {
    let context = context()?;
    // Each has a pool of its own, and the SDK asks for one with each request.
    let kept = Mutex::new(BTreeMap::<_, SharedHttpConnector>::new());
    Ok(http_client_fn(move |settings, _| {
        let key = (settings.connect_timeout(), settings.read_timeout());
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let connector = kept.entry(key).or_insert_with(|| made(settings, &context));
        connector.clone()
    }))
}

/// Makes what requests of our own go over.
#[cfg(feature = "dynamodb")]
pub(crate) fn connector() -> Result<SharedHttpConnector, String> {
    let settings = HttpConnectorSettings::builder().connect_timeout(super::settings::CONNECT);
    Ok(made(&settings.build(), &context()?))
}

fn made(settings: &HttpConnectorSettings, context: &TlsContext) -> SharedHttpConnector {
    let builder = Connector::builder()
        .connector_settings(settings.clone())
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context.clone());
    SharedHttpConnector::new(builder.build())
}

fn context() -> Result<TlsContext, String> {
    let trusted = match variable(CA_VARIABLE) {
        None => TrustStore::default(),
        Some(path) => trusted(&path).map_err(|e| format!("{CA_VARIABLE}={path}: {e}"))?,
    };
    let context = TlsContext::builder().with_trust_store(trusted).build();
    context.map_err(|e| e.to_string())
}

/// Reads a file of certificates and leaves out what is none: the SDK would panic at it.
fn trusted(path: &str) -> Result<TrustStore, String> {
    let pem = std::fs::read(path).map_err(|e| e.to_string())?;
    let (mut store, mut roots, mut n_unusable) = (TrustStore::empty(), RootCertStore::empty(), 0);
    for block in CertificateDer::pem_slice_iter(&pem) {
        match block {
            Ok(block) if roots.add(block.clone()).is_ok() => {
                let text = STANDARD.encode(&block);
                let pem =
                    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
                store.add_pem_certificate(pem);
            }
            _ => n_unusable += 1,
        }
    }
    if roots.is_empty() {
        return Err("it holds no usable certificate in PEM".to_owned());
    }
    if n_unusable > 0 {
        tracing::warn!(path, n_unusable, "certificates left out");
    }
    Ok(store)
}

#[cfg(test)]
mod tests;
