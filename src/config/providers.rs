//! Identity providers: as many as are named, each with settings of its own. `[oidc.<name>]` in the file,
//! `TARN_OIDC_<NAME>_<SETTING>` in the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::keys::{Key, provider_key};
use super::layers::{ConfigError, Layers, Source};
use crate::identity::oidc::{Algorithm, KeysAt, Policies, Provider, check_issuer, check_url};

/// The table of the file.
pub(super) const TABLE: &str = "oidc";
/// What variables begin with.
pub(super) const PREFIX: &str = "TARN_OIDC_";
/// The most providers.
const PROVIDERS_MAX: usize = 16;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 32;
/// How far a clock may be off, in seconds.
const LEEWAY_SECONDS_MAX: i64 = 300;
/// How long a session may outlive its token, in seconds: 12 hours.
const OUTLIVE_SECONDS_MAX: i64 = 43_200;

const ISSUER: &str = "issuer";
const AUDIENCES: &str = "audiences";
const JWKS_URL: &str = "jwks_url";
const ALGORITHMS: &str = "algorithms";
const POLICY_CLAIM: &str = "policy_claim";
const ROLE_POLICIES: &str = "role_policies";
const SUBJECT_CLAIM: &str = "subject_claim";
const CLAIMS: &str = "claims";
const LEEWAY: &str = "leeway_seconds";
const OUTLIVE: &str = "sessions_outlive_token_seconds";
const CA_FILE: &str = "ca_file";

/// The settings of one provider. A variable is the name in capitals behind that of the provider.
pub(crate) const PROVIDER_KEYS: &[Key] = &[
    provider_key(ISSUER, "ISSUER", "", "the issuer, as `iss` of its tokens says it"),
    provider_key(AUDIENCES, "AUDIENCES", "", "values of `aud` that mean this server"),
    provider_key(JWKS_URL, "JWKS_URL", "", "where its keys are; empty: where its discovery document says"),
    provider_key(ALGORITHMS, "ALGORITHMS", "RS256,ES256", "what its tokens may be signed by"),
    provider_key(POLICY_CLAIM, "POLICY_CLAIM", "policy", "the claim that names policies"),
    provider_key(
        ROLE_POLICIES,
        "ROLE_POLICIES",
        "",
        "policies of everyone it vouches for, in place of a claim",
    ),
    provider_key(SUBJECT_CLAIM, "SUBJECT_CLAIM", "sub", "the claim that tells who it is"),
    provider_key(CLAIMS, "CLAIMS", "", "claims that policies may look at; empty: all"),
    provider_key(LEEWAY, "LEEWAY_SECONDS", "60", "how far its clock may be off"),
    provider_key(OUTLIVE, "SESSIONS_OUTLIVE_TOKEN_SECONDS", "0", "how long sessions may outlive their token"),
    provider_key(CA_FILE, "CA_FILE", "", "certificates of its own authority, in PEM"),
];

/// The settings of a provider that have several values.
pub(super) const LISTS: [&str; 4] = [AUDIENCES, ALGORITHMS, ROLE_POLICIES, CLAIMS];

/// Values by the name of a setting.
pub(crate) type Values = BTreeMap<&'static str, (Source, Vec<String>)>;

/// A provider's name and its setting of a variable behind [`PREFIX`]. A `_` in a name means `-`.
pub(super) fn of_variable(rest: &str) -> Option<(String, &'static Key)> {
    let named = PROVIDER_KEYS.iter().filter_map(|key| {
        let name = rest.strip_suffix(key.variable)?.strip_suffix('_')?;
        Some((name.to_ascii_lowercase().replace('_', "-"), key))
    });
    // The longest setting: `A_POLICY_CLAIM` is no setting `CLAIM` of a provider `a-policy`.
    named.filter(|(name, _)| is_name(name)).max_by_key(|(_, key)| key.variable.len())
}

/// Whether a provider may be called that.
pub(super) fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(good)
}

/// All providers, checked.
pub(super) fn read(layers: &Layers) -> Result<Vec<Provider>, ConfigError> {
    let mut providers: Vec<Provider> = Vec::new();
    for (name, values) in layers.providers() {
        let one = One { name, values };
        if providers.len() == PROVIDERS_MAX {
            return Err(one.invalid(ISSUER, format!("at most {PROVIDERS_MAX} providers are taken")));
        }
        let provider = one.read()?;
        if let Some(other) = providers.iter().find(|other| other.issuer == provider.issuer) {
            return Err(one.invalid(ISSUER, format!("it is that of {} already", other.name)));
        }
        providers.push(provider);
    }
    Ok(providers)
}

/// One provider's settings as text.
struct One<'a> {
    name: &'a str,
    values: &'a Values,
}

impl One<'_> {
    fn read(&self) -> Result<Provider, ConfigError> {
        let issuer = self.one(ISSUER, |text| Ok::<_, String>(text.to_owned()))?;
        let issuer = issuer.ok_or_else(|| self.invalid(ISSUER, "a value is required".into()))?;
        let discovery = check_issuer(&issuer).map_err(|error| self.invalid(ISSUER, error.to_string()))?;
        let keys = self.one(JWKS_URL, check_url)?.map_or(KeysAt::Discovered(discovery), KeysAt::Configured);
        let audiences = self.list(AUDIENCES).to_vec();
        if audiences.is_empty() {
            return Err(
                self.invalid(AUDIENCES, "at least one is required: tokens for others are not taken".into())
            );
        }
        let algorithms = self.list(ALGORITHMS).iter().map(|name| name.parse::<Algorithm>());
        let algorithms = algorithms.collect::<Result<Vec<_>, _>>();
        let algorithms = algorithms.map_err(|error| self.invalid(ALGORITHMS, error.to_string()))?;
        if algorithms.is_empty() {
            return Err(self.invalid(ALGORITHMS, "at least one is required".into()));
        }
        let claim = |key: &'static str| {
            let named = self.one(key, |text| Ok::<_, String>(text.to_owned()))?;
            named.ok_or_else(|| self.invalid(key, "the name of a claim is required".into()))
        };
        let fixed = self.list(ROLE_POLICIES).to_vec();
        let policies =
            if fixed.is_empty() { Policies::Claim(claim(POLICY_CLAIM)?) } else { Policies::Fixed(fixed) };
        Ok(Provider {
            name: self.name.to_owned(),
            issuer,
            keys,
            audiences,
            algorithms,
            policies,
            subject_claim: claim(SUBJECT_CLAIM)?,
            claims: self.list(CLAIMS).to_vec(),
            leeway_seconds: self.seconds(LEEWAY, LEEWAY_SECONDS_MAX)?,
            outlive_seconds: self.seconds(OUTLIVE, OUTLIVE_SECONDS_MAX)?,
            ca_file: self.one(CA_FILE, |text| Ok::<_, String>(PathBuf::from(text)))?,
        })
    }

    fn list(&self, key: &str) -> &[String] {
        self.values.get(key).map_or(&[], |(_, values)| values)
    }

    fn one<T, E: fmt::Display>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ConfigError> {
        match self.list(key) {
            [] => Ok(None),
            [value] => read(value).map(Some).map_err(|error| self.invalid(key, error.to_string())),
            _ => Err(self.invalid(key, "one value is expected, not a list".into())),
        }
    }

    fn seconds(&self, key: &'static str, most: i64) -> Result<i64, ConfigError> {
        let expected = || format!("a number of seconds from 0 to {most} is expected");
        let read =
            |text: &str| text.parse().ok().filter(|value| (0..=most).contains(value)).ok_or_else(expected);
        self.one(key, read)?.ok_or_else(|| self.invalid(key, expected()))
    }

    fn invalid(&self, key: &'static str, reason: String) -> ConfigError {
        let from = self.values.get(key).map_or(Source::Default, |(source, _)| *source);
        ConfigError::Provider { name: format!("{TABLE}.{}.{key}", self.name), from, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[oidc.keycloak]\nissuer = 'https://id.example/realms/a'\naudiences = ['tarn']\n";

    fn from_file(text: &str) -> Result<Vec<Provider>, ConfigError> {
        let mut layers = Layers::defaults();
        layers.add_file("tarn.toml".into(), text)?;
        read(&layers)
    }

    fn from_variables(pairs: &[(&str, &str)]) -> Result<Vec<Provider>, ConfigError> {
        let mut layers = Layers::defaults();
        layers.add_environment(pairs.iter().map(|&(name, value)| (name.into(), value.into())))?;
        read(&layers)
    }

    #[test]
    fn a_provider_needs_its_issuer_and_an_audience_and_nothing_more() {
        let providers = from_file(GOOD).unwrap();
        let [provider] = &providers[..] else { panic!("{providers:?}") };
        assert_eq!(
            (provider.name.as_str(), provider.issuer.as_str()),
            ("keycloak", "https://id.example/realms/a")
        );
        let at = "https://id.example/realms/a/.well-known/openid-configuration".parse().unwrap();
        assert_eq!(provider.keys, KeysAt::Discovered(at));
        assert_eq!(provider.algorithms, [Algorithm::Rs256, Algorithm::Es256]);
        assert_eq!(provider.policies, Policies::Claim("policy".into()));
        assert_eq!((provider.leeway_seconds, provider.outlive_seconds), (60, 0));
    }

    #[test]
    fn the_environment_says_the_same_and_stands_over_the_file() {
        let providers = from_variables(&[
            ("TARN_OIDC_MY_IDP_ISSUER", "http://127.0.0.1:8080/"),
            ("TARN_OIDC_MY_IDP_AUDIENCES", "a, b"),
            ("TARN_OIDC_MY_IDP_POLICY_CLAIM", "tarn_policies"),
            ("TARN_OIDC_MY_IDP_JWKS_URL", "http://localhost:8080/keys"),
        ]);
        let providers = providers.unwrap();
        assert_eq!(
            (providers[0].name.as_str(), &providers[0].audiences[..]),
            ("my-idp", &["a".into(), "b".into()][..])
        );
        assert_eq!(providers[0].policies, Policies::Claim("tarn_policies".into()));
        let mut layers = Layers::defaults();
        layers
            .add_environment([("TARN_OIDC_KEYCLOAK_AUDIENCES".to_owned(), "other".to_owned())].into_iter())
            .unwrap();
        layers.add_file("tarn.toml".into(), GOOD).unwrap();
        assert_eq!(read(&layers).unwrap()[0].audiences, ["other"]);
        let shown = super::super::table(&layers);
        assert!(
            shown.contains("oidc.keycloak.audiences") && shown.contains("TARN_OIDC_KEYCLOAK_AUDIENCES"),
            "{shown}"
        );
        assert_eq!(super::super::json(&layers)["oidc.keycloak.issuer"]["source"], "file");
    }

    #[test]
    fn a_bad_provider_is_refused_by_the_name_of_its_setting() {
        for (more, at) in [
            ("jwks_url = 'http://id.example/keys'", "jwks_url"),
            ("jwks_url = 'http://127.0.0.1.example/keys'", "jwks_url"),
            ("jwks_url = 'file:///etc/passwd'", "jwks_url"),
            ("jwks_url = 'https://user:word@id.example/keys'", "jwks_url"),
            ("algorithms = ['none']", "algorithms"),
            ("algorithms = ['RS256', 'HS256']", "algorithms"),
            ("algorithms = []", "algorithms"),
            ("leeway_seconds = 301", "leeway_seconds"),
            ("sessions_outlive_token_seconds = -1", "sessions_outlive_token_seconds"),
            ("policy_claim = ''", "policy_claim"),
            ("[oidc.other]\nissuer = 'https://id.example/realms/a'\naudiences = ['b']", "issuer"),
            ("[oidc.other]\nissuer = 'http://id.example'\naudiences = ['b']", "issuer"),
            ("[oidc.other]\nissuer = 'https://id.example/?a=b'\naudiences = ['b']", "issuer"),
            ("[oidc.other]\naudiences = ['b']", "issuer"),
            ("[oidc.other]\nissuer = 'https://other.example'", "audiences"),
        ] {
            match from_file(&format!("{GOOD}{more}")) {
                Err(ConfigError::Provider { name, .. }) => {
                    assert!(name.ends_with(&format!(".{at}")), "{name}")
                }
                other => panic!("{more}: {other:?}"),
            }
        }
        for unknown in ["[oidc.a]\nisuer = 'x'", "[oidc]\nissuer = 'x'", "[oidc.'A b']\nissuer = 'x'"] {
            assert!(matches!(from_file(unknown), Err(ConfigError::Unknown { .. })), "{unknown}");
        }
        assert!(matches!(from_variables(&[("TARN_OIDC_A_ISUER", "x")]), Err(ConfigError::Unknown { .. })));
    }

    #[test]
    fn the_guide_names_every_setting_of_a_provider() {
        let guide = include_str!("../../docs/GUIDE.md");
        for key in PROVIDER_KEYS {
            let row = format!("| `{}` | `{}` |", key.name, key.variable);
            assert!(guide.contains(&row), "docs/GUIDE.md lacks {row}");
        }
    }
}
