//! An authority of a test's own, and the certificates that it issues.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Returns its own certificate, which clients are to trust.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate for a name; returns it and its key.
    pub fn issue(&self, name: &str) -> [String; 2] {
        self.sign(CertificateParams::new([name.to_owned()]).unwrap())
    }

    /// Issues one that has expired.
    pub fn issue_expired(&self, name: &str) -> [String; 2] {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        [certificate.pem(), key.serialize_pem()]
    }
}
