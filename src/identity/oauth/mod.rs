//! OAuth2 for the catalog: client credentials, where the client is an access key and its secret, and token exchange.

pub(crate) mod endpoint;
mod exchange;
mod jwt;
mod token;

pub use endpoint::router;
pub use token::Tokens;

/// Whether `path` is the token endpoint.
pub(crate) fn is_token_path(path: &str) -> bool {
    matches!(path, "/_iceberg/v1/oauth/tokens" | "/iceberg/v1/oauth/tokens")
}
