//! Tokens of providers as sharing takes them: for recipients, whose policies name issuer, audiences and subject. Nothing
//! of the provider's own configuration counts but how its tokens are verified.

use async_trait::async_trait;
use serde_json::{Map, Value};
use tarn_sharing::access::{ForeignRefusal, ForeignTokens};

use super::claims::genuine;
use super::{Flaw, Issuers, TokenError};

#[async_trait]
impl ForeignTokens for Issuers {
    async fn verify(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[String],
        now_s: i64,
    ) -> Result<Map<String, Value>, ForeignRefusal> {
        self.claims(token, issuer, audiences, now_s).await.map_err(|error| match error {
            TokenError::Expired => ForeignRefusal::Expired,
            TokenError::Unavailable => ForeignRefusal::Unavailable,
            TokenError::Invalid(_) | TokenError::Rejected(_) => {
                tracing::info!(reason = %error, "a token of an identity provider was refused");
                ForeignRefusal::Invalid
            }
        })
    }
}

impl Issuers {
    async fn claims(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[String],
        now_s: i64,
    ) -> Result<Map<String, Value>, TokenError> {
        let (token, provider) = self.signed(token).await?;
        if provider.issuer != issuer {
            return Err(TokenError::Invalid(Flaw::Issuer));
        }
        genuine(&token.claims, provider, audiences, now_s)?;
        serde_json::from_slice(&token.claims)
            .map_err(|_| TokenError::Invalid(Flaw::Malformed("its claims are no map")))
    }
}
