use super::*;

const GOOD: &str = "-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUWRlwihgBz/QHJ9ZqCWVv39C03zwwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjYxMDU5MDBaGA8yMTI2MTEwMjEwNTkw
MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBsG
3ciQ5c6BHDJ8bfqHnOpFmxEWmTaRTSGlRskQHK1Kn6PjeRrT6PqchFr5d/koldkC
U9J0AGCJMjGtp2D+xU+jUzBRMB0GA1UdDgQWBBSPM7Ri8/OCZacct/cO5UOFQOtH
4DAfBgNVHSMEGDAWgBSPM7Ri8/OCZacct/cO5UOFQOtH4DAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIBZ5HDIiJjpoVYLe3RgMFrFFYlb46w0sai3C
74P3DDcuAiEA4LxcqrMa1OzOUqHIzTWwH6wtW8fF5CBWk5jAQ36Eu1g=
-----END CERTIFICATE-----
";
const BAD: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const CUT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n";

fn check(pem: &str, expected: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    let found = match trusted(file.path().to_str().unwrap()) {
        Ok(store) => {
            let context = TlsContext::builder().with_trust_store(store).build();
            // It takes a damaged one for a defect and panics.
            let connector = Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .tls_context(context.unwrap());
            let _ = connector.build();
            "good".to_owned()
        }
        Err(reason) => reason,
    };
    assert!(found.contains(expected), "{expected} in {found}");
}

#[test]
fn certificates_that_can_be_used_are_trusted_and_a_file_without_any_is_refused() {
    check(GOOD, "good");
    check(&[BAD, GOOD, CUT].concat(), "good");
    for pem in [BAD, CUT, "", "nothing"] {
        check(pem, "it holds no usable certificate");
    }
    assert!(trusted("/no/such/file").is_err());
}
