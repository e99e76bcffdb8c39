//! Asks a provider for its keys. Only addresses of the configuration are asked, and those at the origin of a configured
//! issuer that its discovery document names: no redirect is followed, no proxy of the environment used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use serde::Deserialize;

use super::feed::Pace;
use super::jwk::{InvalidKeys, Keys};
use super::provider::{KeysAt, Provider, check_url};

/// The longest document that is read, in bytes.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Why a provider cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its certificates cannot be read.
    #[error("the certificates in {path} cannot be read")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// They are no certificates.
    #[error("{path} holds no certificates in PEM")]
    NoCertificates {
        /// The file.
        path: PathBuf,
    },
    /// There is no client to ask with.
    #[error("no HTTP client could be made for provider {provider}")]
    Client {
        /// Its name.
        provider: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

/// Why there were no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{url} cannot be reached")]
    Unreachable {
        url: Url,
        #[source]
        source: reqwest::Error,
    },
    #[error("{url} answered {status}")]
    Status { url: Url, status: StatusCode },
    #[error("{url} answered more than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong { url: Url },
    #[error("{url} is no discovery document")]
    Discovery { url: Url },
    #[error("the discovery document is that of another issuer, {found:?}")]
    OtherIssuer { found: String },
    #[error("the keys are said to be at {found:?}, which is not the issuer's origin: set jwks_url")]
    Elsewhere { found: String },
    #[error("{url} holds no usable keys")]
    Keys {
        url: Url,
        #[source]
        source: InvalidKeys,
    },
}

/// Where the keys of a provider come from.
pub(super) struct Source {
    provider: Arc<Provider>,
    http: Client,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    pub(super) fn open(provider: Arc<Provider>, pace: Pace) -> Result<Self, OpenError> {
        // An error only says that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            .map(|ip| SocketAddr::new(ip, 0));
        let mut http = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(pace.timeout)
            .user_agent("tarn")
            .resolve_to_addrs("localhost", &loopback);
        if let Some(path) = &provider.ca_file {
            for certificate in certificates(path)? {
                http = http.add_root_certificate(certificate);
            }
        }
        let http =
            http.build().map_err(|source| OpenError::Client { provider: provider.name.clone(), source })?;
        Ok(Self { provider, http })
    }

    /// Fetches once, and tells the log and the metrics what came of it.
    pub(super) async fn fetch(&self) -> Result<Keys, FetchError> {
        let fetched = self.ask().await;
        let provider = &self.provider.name;
        let outcome = match &fetched {
            Ok(keys) => {
                tracing::debug!(provider, keys = keys.count(), "fetched the keys of an issuer");
                "ok"
            }
            Err(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(provider, %error, cause, "the keys of an issuer could not be fetched");
                "failed"
            }
        };
        metrics::counter!("tarn_oidc_key_fetches_total", "provider" => provider.clone(), "outcome" => outcome)
            .increment(1);
        fetched
    }

    async fn ask(&self) -> Result<Keys, FetchError> {
        let url = match &self.provider.keys {
            KeysAt::Configured(url) => url.clone(),
            KeysAt::Discovered(at) => self.discover(at).await?,
        };
        let document = self.get(&url).await?;
        Keys::read(&document).map_err(|source| FetchError::Keys { url, source })
    }

    async fn discover(&self, at: &Url) -> Result<Url, FetchError> {
        let document = self.get(at).await?;
        let Discovery { issuer, jwks_uri } =
            serde_json::from_slice(&document).map_err(|_| FetchError::Discovery { url: at.clone() })?;
        if issuer != self.provider.issuer {
            return Err(FetchError::OtherIssuer { found: issuer });
        }
        let here = check_url(&jwks_uri).ok().filter(|url| url.origin() == at.origin());
        here.ok_or(FetchError::Elsewhere { found: jwks_uri })
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let unreachable = |source: reqwest::Error| FetchError::Unreachable {
            url: url.clone(),
            source: source.without_url(),
        };
        let mut answer = self.http.get(url.clone()).send().await.map_err(unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status { url: url.clone(), status: answer.status() });
        }
        let mut document = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if document.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLong { url: url.clone() });
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

fn certificates(path: &PathBuf) -> Result<Vec<Certificate>, OpenError> {
    let pem = std::fs::read(path).map_err(|source| OpenError::Certificates { path: path.clone(), source })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(OpenError::NoCertificates { path: path.clone() }),
    }
}
