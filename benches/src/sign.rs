//! SigV4 for the load generator: headers only, payload unsigned, one signing key per run.
//!
//! Written apart from the server's verifier on purpose: each checks the other.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The credentials and scope that every request of a run is signed with.
#[derive(Clone)]
pub struct Signer {
    access_key: String,
    region: String,
    service: &'static str,
    date: String,
    key: [u8; 32],
}

/// The three headers that a signature adds.
pub struct Signed {
    pub date: String,
    pub authorization: String,
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

impl Signer {
    /// A signer for today. A run over midnight UTC would have to make a new one; runs are short.
    pub fn new(access_key: &str, secret_key: &str, region: &str, service: &'static str) -> Self {
        let date = jiff::Timestamp::now().strftime("%Y%m%d").to_string();
        let day = mac(format!("AWS4{secret_key}").as_bytes(), date.as_bytes());
        let key = mac(&mac(&mac(&day, region.as_bytes()), service.as_bytes()), b"aws4_request");
        Self { access_key: access_key.into(), region: region.into(), service, date, key }
    }

    /// Signs a request. `query` must be sorted and encoded already.
    pub fn sign(&self, method: &str, host: &str, path: &str, query: &str) -> Signed {
        let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{date}\n\n\
             host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD"
        );
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let digest = hex::encode(Sha256::digest(canonical.as_bytes()));
        let signature =
            hex::encode(mac(&self.key, format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}").as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
             Signature={signature}",
            self.access_key
        );
        Signed { date, authorization }
    }
}
