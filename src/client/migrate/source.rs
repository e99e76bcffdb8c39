//! The other catalog, by the Iceberg REST specification. It is only read (MG1).

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::Kind;
use crate::client::path_segment;
use crate::identity::Secret;

/// Time for a whole request.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Names asked for in a page.
const PAGE_SIZE: usize = 1000;
/// Pages of one listing: a server that never ends is not followed for ever.
const PAGES_MAX: usize = 10_000;
/// Tries of a request that the server was too busy for, and the pause before the second.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// How to reach the other catalog.
pub(crate) struct Access {
    /// Its address, with any path before `/v1`.
    pub(crate) uri: String,
    pub(crate) warehouse: Option<String>,
    pub(crate) sign_in: SignIn,
    pub(crate) headers: HeaderMap,
}

/// How to be known to it.
pub(crate) enum SignIn {
    Nobody,
    Token(Secret),
    /// `<client id>:<client secret>`, exchanged for a token.
    Credential {
        credential: Secret,
        token_uri: Option<String>,
        scope: String,
    },
}

/// Why the other catalog did not tell.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The address is none.
    #[error("{0:?} is not the address of a catalog, such as https://catalog.example/api")]
    Address(String),
    /// Nobody answered.
    #[error("{path} could not be read")]
    Unreachable {
        /// What was asked.
        path: String,
        /// Why.
        source: reqwest::Error,
    },
    /// It answered with an error.
    #[error("{path} was answered {status}: {message}{}", hint(*.status))]
    Refused {
        /// What was asked.
        path: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// It sent the request elsewhere, where headers and secrets would go along.
    #[error("{path} was redirected to {to}: name that address with --from if it is to be trusted")]
    Redirected {
        /// What was asked.
        path: String,
        /// Where it would have gone.
        to: String,
    },
    /// It is no Iceberg REST catalog, or not one that is understood.
    #[error("{path} was answered with something else than the specification has")]
    Answer {
        /// What was asked.
        path: String,
    },
}

fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "; --token-env or --credential-env sign in",
        _ => "",
    }
}

/// The other catalog.
pub(crate) struct Source {
    http: reqwest::Client,
    uri: String,
    /// Between `/v1/` and the rest; ends in `/` when there is one.
    prefix: String,
    separator: String,
    token: Option<Secret>,
}

impl Source {
    /// Signs in, and asks for the configuration.
    pub(crate) async fn open(access: Access) -> Result<Self, SourceError> {
        let Access { uri, warehouse, sign_in, headers } = access;
        let uri = uri.trim_end_matches('/').to_owned();
        let address = reqwest::Url::parse(&uri).ok();
        if address.is_none_or(|address| !matches!(address.scheme(), "http" | "https")) {
            return Err(SourceError::Address(uri));
        }
        let http = reqwest::Client::builder().timeout(TIMEOUT).default_headers(headers);
        let http = http.redirect(reqwest::redirect::Policy::none()).build();
        let http = http.map_err(|source| SourceError::Unreachable { path: uri.clone(), source })?;
        let mut source = Self { http, uri, prefix: String::new(), separator: "\u{1f}".into(), token: None };
        source.token = source.sign_in(sign_in).await?;
        let query = warehouse.map(|name| format!("?warehouse={}", path_segment(&name))).unwrap_or_default();
        let config = source.get(&format!("/v1/config{query}")).await?;
        let setting = |name: &str| {
            let set = |group: &str| config[group][name].as_str().map(str::to_owned);
            set("overrides").or_else(|| set("defaults"))
        };
        if let Some(uri) = setting("uri") {
            source.uri = uri.trim_end_matches('/').to_owned();
        }
        if let Some(prefix) = setting("prefix").filter(|prefix| !prefix.is_empty()) {
            source.prefix = format!("{}/", prefix.trim_matches('/'));
        }
        if let Some(separator) = setting("namespace-separator") {
            let decoded = percent_encoding::percent_decode_str(&separator).decode_utf8_lossy();
            source.separator = decoded.into_owned();
        }
        Ok(source)
    }

    async fn sign_in(&self, sign_in: SignIn) -> Result<Option<Secret>, SourceError> {
        let (credential, token_uri, scope) = match sign_in {
            SignIn::Nobody => return Ok(None),
            SignIn::Token(token) => return Ok(Some(token)),
            SignIn::Credential { credential, token_uri, scope } => (credential, token_uri, scope),
        };
        let path = token_uri.unwrap_or_else(|| format!("{}/v1/oauth/tokens", self.uri));
        let (id, secret) = credential.expose().split_once(':').unwrap_or(("", credential.expose()));
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", &scope),
        ];
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", path_segment(value))).collect();
        let request = self
            .http
            .post(&path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"));
        let answer = answer(&path, request).await?;
        let token = answer["access_token"].as_str().map(|token| Secret::new(token.to_owned()));
        token.map(Some).ok_or(SourceError::Answer { path })
    }

    /// The namespaces right inside `parent`, or the outermost.
    pub(super) async fn namespaces(
        &self,
        parent: Option<&Vec<String>>,
    ) -> Result<Vec<Vec<String>>, SourceError> {
        let query = parent.map(|levels| format!("parent={}", path_segment(&self.joined(levels))));
        let listed = self.pages("namespaces", query.as_deref(), "namespaces").await;
        let listed = match (listed, parent) {
            (Ok(listed), _) => listed,
            // A catalog without nesting may not know the question.
            (Err(SourceError::Refused { status, .. }), Some(_)) if is_unsupported(status) => {
                return Ok(Vec::new());
            }
            (Err(error), _) => return Err(error),
        };
        let depth = parent.map_or(0, Vec::len) + 1;
        let names = listed.iter().filter_map(levels);
        // A catalog that does not look at the question answers with the outermost again.
        Ok(names
            .filter(|name| name.len() == depth && parent.is_none_or(|parent| name.starts_with(parent)))
            .collect())
    }

    /// The names of tables or views of a namespace; `None` when the catalog does not have that kind.
    pub(super) async fn relations(
        &self,
        kind: Kind,
        namespace: &[String],
    ) -> Result<Option<Vec<String>>, SourceError> {
        let path = format!("namespaces/{}/{}", path_segment(&self.joined(namespace)), kind.path());
        match self.pages(&path, None, "identifiers").await {
            Ok(listed) => {
                let names = listed.iter().filter_map(|ident| ident["name"].as_str().map(str::to_owned));
                Ok(Some(names.collect()))
            }
            Err(SourceError::Refused { status, .. }) if kind == Kind::View && is_unsupported(status) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The properties of a namespace.
    pub(super) async fn properties(
        &self,
        namespace: &[String],
    ) -> Result<BTreeMap<String, String>, SourceError> {
        let path = format!("/v1/{}namespaces/{}", self.prefix, path_segment(&self.joined(namespace)));
        let answer = self.get(&path).await?;
        let pairs = answer["properties"].as_object().into_iter().flatten();
        Ok(pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect())
    }

    /// A table or view as the catalog loads it.
    pub(super) async fn load(
        &self,
        kind: Kind,
        namespace: &[String],
        name: &str,
    ) -> Result<Value, SourceError> {
        let (levels, name) = (path_segment(&self.joined(namespace)), path_segment(name));
        self.get(&format!("/v1/{}namespaces/{levels}/{}/{name}", self.prefix, kind.path())).await
    }

    fn joined(&self, levels: &[String]) -> String {
        levels.join(&self.separator)
    }

    async fn pages(&self, path: &str, query: Option<&str>, field: &str) -> Result<Vec<Value>, SourceError> {
        let base = format!("/v1/{}{path}?pageSize={PAGE_SIZE}", self.prefix);
        let base = query.map_or(base.clone(), |query| format!("{base}&{query}"));
        // An empty token asks for the first page, and tells a server that pages are understood.
        let (mut all, mut token) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let mut answer = self.get(&format!("{base}&pageToken={}", path_segment(&token))).await?;
            match answer[field].take() {
                Value::Array(listed) => all.extend(listed),
                _ => return Err(SourceError::Answer { path: base }),
            }
            match answer["next-page-token"].as_str() {
                Some(next) if !next.is_empty() && next != token => token = next.to_owned(),
                Some(_) | None => return Ok(all),
            }
        }
        Err(SourceError::Answer { path: base })
    }

    async fn get(&self, path: &str) -> Result<Value, SourceError> {
        let mut pause = PAUSE;
        for tries in 1.. {
            let mut request = self.http.get(format!("{}{path}", self.uri));
            if let Some(token) = &self.token {
                request = request.bearer_auth(token.expose());
            }
            match answer(path, request).await {
                Err(SourceError::Refused { status, .. }) if tries < TRIES && is_busy(status) => {}
                Err(SourceError::Unreachable { .. }) if tries < TRIES => {}
                other => return other,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(SourceError::Answer { path: path.into() })
    }
}

async fn answer(path: &str, request: reqwest::RequestBuilder) -> Result<Value, SourceError> {
    let unreachable =
        |source: reqwest::Error| SourceError::Unreachable { path: path.into(), source: source.without_url() };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    if status.is_redirection() {
        let to = response.headers().get(reqwest::header::LOCATION).and_then(|to| to.to_str().ok());
        return Err(SourceError::Redirected { path: path.into(), to: to.unwrap_or("nowhere").into() });
    }
    let bytes = response.bytes().await.map_err(unreachable)?;
    let value: Option<Value> = serde_json::from_slice(&bytes).ok();
    if status.is_success() {
        return value.ok_or_else(|| SourceError::Answer { path: path.into() });
    }
    let message = value.as_ref().and_then(|value| {
        value["error"]["message"].as_str().or(value["error_description"].as_str()).map(str::to_owned)
    });
    let message = message.unwrap_or_else(|| "no reason".into());
    Err(SourceError::Refused { path: path.into(), status, message })
}

fn is_busy(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// How catalogs say that they do not have a route.
fn is_unsupported(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_ACCEPTABLE
            | StatusCode::NOT_IMPLEMENTED
    )
}

fn levels(name: &Value) -> Option<Vec<String>> {
    name.as_array()?.iter().map(|level| level.as_str().map(str::to_owned)).collect()
}
