//! What the server reaches by itself: receivers of webhooks and of the ends of batches, and S3 endpoints that batches copy
//! from and to.
//!
//! - OB1: no connection is made to an address that the settings do not allow, whatever a name resolves to, and no redirect
//!   is followed (`address.rs`).
//! - OB2: a secret that is needed again is kept sealed, opens for the one purpose it was given for, and is in no error
//!   (`seal.rs`).

pub(crate) mod address;
mod batches;
mod s3;
mod seal;
mod transfer;

use std::time::Duration;

use reqwest::{ClientBuilder, Url, redirect};

pub(crate) use self::address::Reach;
pub(crate) use self::batches::BatchOutside;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that reaches what may be reached, and nothing else (OB1). A URL that names an address must be asked for
/// with [`refuses`] too: it is not resolved.
pub(crate) fn client(reach: Reach) -> ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(std::sync::Arc::new(reach))
        .user_agent(concat!("tarn/", env!("CARGO_PKG_VERSION")))
}

/// Whether a URL names an address that must not be reached. Of one that names a host this is told by the resolver.
pub(crate) fn refuses(reach: Reach, url: &Url) -> bool {
    address::literal(url).is_some_and(|address| !reach.allows(address))
}

/// A URL to reach: `http` or `https`, a host, and nobody's name or password, which would be shown.
pub(crate) fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("the URL is wrong: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("the URL begins with http:// or https:// and names a host".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL with a user or password is not taken: it would be shown".into());
    }
    Ok(url)
}

/// Why nothing answered, with its causes and without the URL, which may hold what must not be told.
pub(crate) fn unreachable(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
