//! A configured provider, checked.

use std::net::IpAddr;
use std::path::PathBuf;

use reqwest::Url;

use super::algorithm::Algorithm;

/// Where discovery documents are, below the issuer (OpenID Connect Discovery 1.0, section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A provider whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: String,
    /// `iss` of its tokens, byte for byte.
    pub issuer: String,
    /// Where its keys are.
    pub keys: KeysAt,
    /// `aud` of tokens that are for this server; at least one.
    pub audiences: Vec<String>,
    /// What its tokens may be signed by.
    pub algorithms: Vec<Algorithm>,
    /// What gives holders their rights.
    pub policies: Policies,
    /// The claim that names who the token speaks of.
    pub subject_claim: String,
    /// The claims that policies may look at; none named is all.
    pub claims: Vec<String>,
    /// How far its clock may be off, in seconds.
    pub leeway_seconds: i64,
    /// How long sessions may go on after the token they were asked for with, in seconds.
    pub outlive_seconds: i64,
    /// Certificates of its own authority, in PEM.
    pub ca_file: Option<PathBuf>,
}

/// Where keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysAt {
    /// At this address.
    Configured(Url),
    /// Where the discovery document at this address says, at the issuer's own origin.
    Discovered(Url),
}

/// What gives holders their rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policies {
    /// The policies that this claim names, as a list or a text with commas.
    Claim(String),
    /// These, whatever a token says.
    Fixed(Vec<String>),
}

/// Why a text is no address to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It cannot be read.
    #[error("it is not an absolute URL")]
    Syntax,
    /// Whoever is on the way could answer.
    #[error("it must begin with https://; http:// is for 127.0.0.1, [::1] and localhost only")]
    Insecure,
    /// It has what an issuer has not.
    #[error("it must have no user, query or fragment")]
    Extra,
}

/// Reads an issuer URL, and where its discovery document is.
pub fn check_issuer(text: &str) -> Result<Url, InvalidUrl> {
    check_url(text)?;
    check_url(&format!("{}{DISCOVERY}", text.strip_suffix('/').unwrap_or(text)))
}

/// Reads an address that this server will ask.
pub fn check_url(text: &str) -> Result<Url, InvalidUrl> {
    let url = Url::parse(text).map_err(|_| InvalidUrl::Syntax)?;
    let extra = !url.username().is_empty() || url.password().is_some();
    if extra || url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidUrl::Extra);
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(host) => Ok(url),
        ("http", Some(_)) => Err(InvalidUrl::Insecure),
        _ => Err(InvalidUrl::Syntax),
    }
}

/// `localhost` is one: the client that asks resolves it to loopback addresses whatever the resolver says.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
