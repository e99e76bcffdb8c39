//! Profile files: what a client is configured with (Delta Sharing protocol, "Profile File Format").
//!
//! A bearer token goes into version 1: clients read it there only. Version 2 is for OAuth clients.

use serde::Serialize;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Where clients find what they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Of the protocol.
    pub sharing: String,
    /// Where OAuth clients ask for tokens.
    pub token: String,
    /// Of activation links; the code follows behind a `/`.
    pub activation: String,
    /// Of the catalog for Iceberg clients, when there is one.
    pub iceberg: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bearer<'a> {
    share_credentials_version: u8,
    endpoint: &'a str,
    bearer_token: &'a str,
    expiration_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    iceberg_endpoint: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Client<'a> {
    share_credentials_version: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    endpoint: &'a str,
    token_endpoint: &'a str,
    client_id: Uuid,
    client_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iceberg_endpoint: Option<&'a str>,
}

impl Endpoints {
    /// Those of a server at `public`, such as `https://tarn.example:9000`.
    pub fn below(public: &str) -> Self {
        let base = format!("{}/_delta-sharing", public.trim_end_matches('/'));
        Self {
            sharing: format!("{base}/v1"),
            token: format!("{base}/oauth/token"),
            activation: format!("{base}/activation"),
            iceberg: Some(format!("{base}/iceberg")),
        }
    }

    /// The link that a code opens.
    pub fn activation_link(&self, code: &str) -> Zeroizing<String> {
        Zeroizing::new(format!("{}/{code}", self.activation))
    }

    /// The profile of a bearer token.
    pub fn bearer_profile(&self, jwt: &str, expires_ms: i64) -> Zeroizing<String> {
        json(&Bearer {
            share_credentials_version: 1,
            endpoint: &self.sharing,
            bearer_token: jwt,
            expiration_time: iso(expires_ms),
            iceberg_endpoint: self.iceberg.as_deref(),
        })
    }

    /// The profile of an OAuth client.
    pub fn client_profile(&self, client_id: Uuid, client_secret: &str) -> Zeroizing<String> {
        json(&Client {
            share_credentials_version: 2,
            kind: "oauth_client_credentials",
            endpoint: &self.sharing,
            token_endpoint: &self.token,
            client_id,
            client_secret,
            iceberg_endpoint: self.iceberg.as_deref(),
        })
    }
}

fn json(profile: &impl Serialize) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string_pretty(profile).expect("texts always become JSON"))
}

/// ISO 8601 in UTC, with milliseconds.
fn iso(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{moment:.3}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_bearer_token_is_told_in_version_1_and_a_client_in_version_2() {
        let endpoints = Endpoints::below("https://tarn.example:9000/");
        let profile: Value =
            serde_json::from_str(&endpoints.bearer_profile("a.b.c", 1_893_456_000_000)).unwrap();
        let expected = json!({
            "shareCredentialsVersion": 1,
            "endpoint": "https://tarn.example:9000/_delta-sharing/v1",
            "bearerToken": "a.b.c",
            "expirationTime": "2030-01-01T00:00:00.000Z",
            "icebergEndpoint": "https://tarn.example:9000/_delta-sharing/iceberg",
        });
        assert_eq!(profile, expected);
        let profile: Value =
            serde_json::from_str(&endpoints.client_profile(Uuid::from_u128(1), "s")).unwrap();
        let expected = json!({
            "shareCredentialsVersion": 2,
            "type": "oauth_client_credentials",
            "endpoint": "https://tarn.example:9000/_delta-sharing/v1",
            "tokenEndpoint": "https://tarn.example:9000/_delta-sharing/oauth/token",
            "clientId": "00000000-0000-0000-0000-000000000001",
            "clientSecret": "s",
            "icebergEndpoint": "https://tarn.example:9000/_delta-sharing/iceberg",
        });
        assert_eq!(profile, expected);
        let link = endpoints.activation_link("code");
        assert_eq!(*link, "https://tarn.example:9000/_delta-sharing/activation/code");
    }
}
