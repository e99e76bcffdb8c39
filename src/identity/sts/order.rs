//! Reads the form. Pure.

use std::ops::RangeInclusive;

use tarn_openapi::access::Restriction;

use super::super::policy::Policy;
use super::super::secret::Secret;
use super::StsError;

const VERSION: &str = "2011-06-15";
/// A session without a policy of its own may do what its parent may.
pub(in crate::identity) const ALL_OF_PARENT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
/// What AWS has and Tarn has not.
const NOT_SERVED: [&str; 4] = ["AssumeRoleWithSAML", "GetFederationToken", "GetCallerIdentity", "AssumeRoot"];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    AssumeRole,
    AssumeRoleWithWebIdentity,
    GetSessionToken,
}

/// Credentials that are asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) operation: Operation,
    pub(super) restriction: Restriction,
    pub(super) lifetime_seconds: i64,
    /// `RoleSessionName`, told back.
    pub(super) name: String,
    /// `WebIdentityToken`, of the operation that takes one.
    pub(super) token: Option<Secret>,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Operation::AssumeRole => "AssumeRole",
            Operation::AssumeRoleWithWebIdentity => "AssumeRoleWithWebIdentity",
            Operation::GetSessionToken => "GetSessionToken",
        }
    }

    /// The fields it takes beside `Action` and `Version`.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Operation::AssumeRole => {
                &["RoleArn", "RoleSessionName", "Policy", "DurationSeconds", "ExternalId"]
            }
            Operation::AssumeRoleWithWebIdentity => {
                &["RoleArn", "RoleSessionName", "Policy", "DurationSeconds", "WebIdentityToken"]
            }
            Operation::GetSessionToken => &["DurationSeconds"],
        }
    }

    /// The lifetimes it gives, and the one it gives unasked, in seconds: those of AWS.
    fn lifetimes(self) -> (RangeInclusive<i64>, i64) {
        match self {
            Operation::AssumeRole | Operation::AssumeRoleWithWebIdentity => (900..=43_200, 3_600),
            Operation::GetSessionToken => (900..=129_600, 43_200),
        }
    }
}

impl Wanted {
    pub(super) fn read(fields: Vec<(String, String)>) -> Result<Self, StsError> {
        for (place, (name, _)) in fields.iter().enumerate() {
            if fields[..place].iter().any(|(known, _)| known == name) {
                return Err(StsError::Parameter(format!("{name} is given twice")));
            }
        }
        let field =
            |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let operation = match field("Action").unwrap_or_default() {
            "AssumeRole" => Operation::AssumeRole,
            "AssumeRoleWithWebIdentity" => Operation::AssumeRoleWithWebIdentity,
            "GetSessionToken" => Operation::GetSessionToken,
            other => {
                let known = NOT_SERVED.into_iter().find(|name| *name == other);
                return Err(known.map_or_else(|| StsError::Action(other.into()), StsError::NotServed));
            }
        };
        if field("Version") != Some(VERSION) {
            return Err(StsError::Action(operation.name().into()));
        }
        let common = ["Action", "Version"];
        let takes = |name: &str| common.contains(&name) || operation.fields().contains(&name);
        if let Some((name, _)) = fields.iter().find(|(name, _)| !takes(name)) {
            return Err(StsError::Parameter(format!("{name} is not taken here")));
        }
        let policy = field("Policy").filter(|text| !text.is_empty());
        if let Some(text) = policy {
            Policy::parse(text).map_err(|error| StsError::Policy(error.to_string()))?;
        }
        let token = match (operation, field("WebIdentityToken")) {
            (Operation::AssumeRoleWithWebIdentity, None) => {
                return Err(StsError::Parameter("WebIdentityToken is required".into()));
            }
            (_, token) => token.map(|token| Secret::new(token.into())),
        };
        Ok(Self {
            operation,
            restriction: Restriction::Policy(policy.unwrap_or(ALL_OF_PARENT).into()),
            lifetime_seconds: lifetime(operation, field("DurationSeconds"))?,
            name: session_name(field("RoleSessionName"))?,
            token,
        })
    }
}

fn lifetime(operation: Operation, text: Option<&str>) -> Result<i64, StsError> {
    let (range, unasked) = operation.lifetimes();
    let Some(text) = text else { return Ok(unasked) };
    let seconds = text.parse().ok().filter(|seconds| range.contains(seconds));
    seconds.ok_or_else(|| {
        StsError::Parameter(format!("DurationSeconds is {} to {}", range.start(), range.end()))
    })
}

fn session_name(text: Option<&str>) -> Result<String, StsError> {
    let Some(text) = text else { return Ok("session".into()) };
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if (2..=64).contains(&text.len()) && text.bytes().all(good) {
        Ok(text.into())
    } else {
        Err(StsError::Parameter("RoleSessionName has 2 to 64 of a-z, A-Z, 0-9 and _+=,.@-".into()))
    }
}
