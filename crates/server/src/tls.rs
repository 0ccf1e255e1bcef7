//! TLS: what clients are shown, and which versions they may speak.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use crate::from_files::FromFiles;

/// A certificate with its chain and its key, from files that may be replaced while it serves.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<FromFiles<Arc<CertifiedKey>>>);

impl Certificate {
    /// Reads the chain and the key, and checks that they belong together.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn read(chain: PathBuf, key: PathBuf) -> Result<Self, String> {
        let names = [chain.display().to_string(), key.display().to_string()];
        let parse = move |contents: &[Vec<u8>]| match contents {
            [chain, key] => certified(chain, key, &names).map(Arc::new),
            _ => Err("one file is missing".to_owned()),
        };
        let files = FromFiles::read("certificate", vec![chain, key], parse)?;
        Ok(Self(Arc::new(files)))
    }

    /// Takes up what the files hold by now, if it is sound.
    pub fn look(&self) {
        self.0.look();
    }

    /// Makes the configuration of a listener: TLS 1.2 and 1.3, always with the certificate of the day.
    ///
    /// # Errors
    /// When the cryptography has none of these versions.
    pub fn listener(&self) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?;
        Ok(builder
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone())))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current()))
    }
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

fn certified(chain: &[u8], key: &[u8], names: &[String; 2]) -> Result<CertifiedKey, String> {
    let [chain_name, key_name] = names;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{chain_name} is not PEM"))?;
    if chain.is_empty() {
        return Err(format!("{chain_name} holds no `BEGIN CERTIFICATE`"));
    }
    // What the parser says could quote the key.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
        format!("{key_name} holds no private key in PEM: PKCS #8, PKCS #1 or SEC 1, not encrypted")
    })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("the key in {key_name} is not that of the first certificate in {chain_name}")
        }
        other => format!("{chain_name} with {key_name}: {other}"),
    })
}
