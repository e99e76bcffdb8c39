//! What a genuine token's claims mean. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use tarn_openapi::access::WebIdentity;

use super::super::policy::node::Node;
use super::provider::{Policies, Provider};
use super::{Flaw, Rejection, TokenError, Verified};

/// The longest subject or name of a policy, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The most policies one token names.
const POLICIES_MAX: usize = 100;
/// Claims of tokens that are none to sign in with: bound to a proof (RFC 7800), or telling of a logout.
const NOT_BEARER: [&str; 2] = ["cnf", "events"];

/// The claims of a token that is good at `now` and is for one of ours.
pub(super) struct Genuine {
    claims: Vec<(String, Node)>,
    /// When it ends, in seconds since the Unix epoch.
    expires: i64,
    /// The audience of ours that it is for.
    audience: String,
}

/// Checks all but whom the claims speak of. Their signature must have been checked.
pub(super) fn genuine(
    claims: &[u8],
    provider: &Provider,
    ours: &[String],
    now: i64,
) -> Result<Genuine, TokenError> {
    let Ok(Node::Map(claims)) = serde_json::from_slice(claims) else {
        return Err(TokenError::Invalid(Flaw::Malformed("its claims are not JSON or name one twice")));
    };
    let claim = |wanted: &str| find(&claims, wanted);
    if claim("iss") != Some(&Node::Text(provider.issuer.clone())) {
        return Err(TokenError::Invalid(Flaw::Issuer));
    }
    let time = |name: &str| match claim(name) {
        None => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or_else(|| wrong(name)),
    };
    let (expires, leeway) = (time("exp")?.ok_or_else(|| wrong("exp"))?, provider.leeway_seconds);
    if now >= expires.saturating_add(leeway) {
        return Err(TokenError::Expired);
    }
    let not_before = time("nbf")?.max(time("iat")?);
    if not_before.is_some_and(|begin| begin > now.saturating_add(leeway)) {
        return Err(TokenError::Invalid(Flaw::NotYet));
    }
    let audiences = texts(claim("aud").ok_or_else(|| wrong("aud"))?).ok_or_else(|| wrong("aud"))?;
    let audience = audiences.iter().find(|audience| ours.iter().any(|known| known == *audience));
    let audience = (*audience.ok_or(TokenError::Rejected(Rejection::Audience))?).to_owned();
    if let Some(kind) = NOT_BEARER.into_iter().find(|name| claim(name).is_some()) {
        return Err(TokenError::Rejected(Rejection::Kind(kind)));
    }
    Ok(Genuine { claims, expires, audience })
}

/// Whom the claims speak of, when they are good at `now`. Their signature must have been checked.
pub(super) fn identify(claims: &[u8], provider: &Provider, now: i64) -> Result<Verified, TokenError> {
    let Genuine { claims, expires, audience } = genuine(claims, provider, &provider.audiences, now)?;
    let claim = |wanted: &str| find(&claims, wanted);
    let subject = match claim(&provider.subject_claim) {
        Some(Node::Text(subject)) if is_name(subject) => subject,
        Some(_) | None => return Err(wrong(&provider.subject_claim)),
    };
    let policies = match &provider.policies {
        Policies::Fixed(names) => names.clone(),
        Policies::Claim(name) => policies(claim(name)).ok_or_else(|| wrong(name))?,
    };
    let identity = WebIdentity {
        id: format!("{}:{subject}", provider.name).into(),
        policies,
        claims: shown(&claims, provider),
        // When the token itself is not taken any more, or as long after as is configured.
        expires: expires.saturating_add(provider.leeway_seconds).saturating_add(provider.outlive_seconds),
    };
    Ok(Verified {
        identity: Arc::new(identity),
        subject: subject.clone(),
        audience,
        issuer: provider.issuer.clone(),
    })
}

fn find<'c>(claims: &'c [(String, Node)], wanted: &str) -> Option<&'c Node> {
    claims.iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
}

fn wrong(claim: &str) -> TokenError {
    TokenError::Rejected(Rejection::Claim(claim.to_owned()))
}

/// A moment in seconds since the Unix epoch; a part of a second does not count.
fn seconds(value: &Node) -> Option<i64> {
    let Node::Number(text) = value else { return None };
    let whole = text.parse().ok();
    whole.or_else(|| text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number as i64))
}

/// One text, or a list of texts.
fn texts(value: &Node) -> Option<Vec<&str>> {
    match value {
        Node::List(nodes) => nodes.iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    }
}

fn text(node: &Node) -> Option<&str> {
    match node {
        Node::Text(text) => Some(text),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Map(_) => None,
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The names of policies: none where the claim is not there, `None` where it has no form of such.
fn policies(claim: Option<&Node>) -> Option<Vec<String>> {
    let names: Vec<String> = match claim {
        None => return Some(Vec::new()),
        Some(Node::Text(list)) => {
            list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        Some(list) => texts(list)?.into_iter().map(str::to_owned).collect(),
    };
    (names.len() <= POLICIES_MAX && names.iter().all(|name| is_name(name))).then_some(names)
}

/// The claims that conditions can look at: values and lists of values. What lies deeper has no form there.
fn shown(claims: &[(String, Node)], provider: &Provider) -> BTreeMap<String, Vec<String>> {
    let wanted = |name: &String| provider.claims.is_empty() || provider.claims.contains(name);
    let shown = claims.iter().filter(|(name, _)| wanted(name));
    shown.filter_map(|(name, value)| Some((name.clone(), values(value)?))).collect()
}

fn values(node: &Node) -> Option<Vec<String>> {
    match node {
        Node::List(nodes) => nodes.iter().map(value).collect(),
        one => value(one).map(|value| vec![value]),
    }
}

fn value(node: &Node) -> Option<String> {
    match node {
        Node::Text(text) | Node::Number(text) => Some(text.clone()),
        Node::Bool(value) => Some(value.to_string()),
        Node::Null | Node::List(_) | Node::Map(_) => None,
    }
}
