//! The keys that conditions and variables name.

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    CurrentTime,
    EpochTime,
    SourceIp,
    SecureTransport,
    UserAgent,
    Referer,
    Username,
    UserId,
    PrincipalType,
    PrincipalArn,
    Groups,
    Prefix,
    Namespace,
    TableName,
    ViewName,
    /// One of [`SENT`]: what the request carries, by its key.
    Sent(&'static str),
    /// A claim of the token of an identity provider.
    Claim(String),
}

/// Keys whose values a front passes with its question.
const SENT: [&str; 4] = ["s3:delimiter", "s3:max-keys", "s3:VersionId", "sts:DurationSeconds"];

/// The longest name of a claim, in bytes.
const CLAIM_BYTES_MAX: usize = 128;

impl Key {
    /// Reads a key; its letters may be of either case, but for the name of a claim.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("jwt:") {
            let claim = &text[4..];
            let good = |b: u8| b.is_ascii_graphic() && !matches!(b, b'$' | b'{' | b'}' | b',' | b'\'');
            let named = (1..=CLAIM_BYTES_MAX).contains(&claim.len()) && claim.bytes().all(good);
            return named.then(|| Key::Claim(claim.to_owned()));
        }
        Some(match lower.as_str() {
            "aws:currenttime" => Key::CurrentTime,
            "aws:epochtime" => Key::EpochTime,
            "aws:sourceip" => Key::SourceIp,
            "aws:securetransport" => Key::SecureTransport,
            "aws:useragent" => Key::UserAgent,
            "aws:referer" => Key::Referer,
            "aws:username" => Key::Username,
            "aws:userid" => Key::UserId,
            "aws:principaltype" => Key::PrincipalType,
            "aws:principalarn" => Key::PrincipalArn,
            "aws:groups" => Key::Groups,
            "s3:prefix" => Key::Prefix,
            "s3tables:namespace" => Key::Namespace,
            "s3tables:tablename" => Key::TableName,
            "s3tables:viewname" => Key::ViewName,
            other => Key::Sent(sent(other)?),
        })
    }
}

/// A key whose value a request brings along, as the front names it.
pub(super) fn sent(name: &str) -> Option<&'static str> {
    SENT.into_iter().find(|key| key.eq_ignore_ascii_case(name))
}
