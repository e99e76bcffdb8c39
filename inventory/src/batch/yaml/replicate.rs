//! `replicate`: objects to another S3 endpoint, or from one. The side without an endpoint is this server.

use serde::Deserialize;

use super::common::{Listing, Retry, URL_BYTES_MAX, Which, kind, prefix_of, secret};
use super::filter::{Rule, rule};
use crate::batch::outside::{Endpoint, Style};
use crate::batch::spec::{Does, Place, Replication, Spec, Way};
use crate::report::aistor::Refused;
use crate::report::aistor::document::Told;
use crate::report::aistor::scalar::{Text, choice, refused, wrong};

/// The region where nothing is said.
const REGION: &str = "us-east-1";

kind!(
    /// Objects to another endpoint, or from one.
    Replicate {
        source: Side,
        target: Side,
        flags: Option<Flags>,
        replace: Option<Text>,
        manifest: Option<Listing>,
    }
);

/// What AIStor puts into a block of its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Flags {
    filter: Option<Rule>,
    notify: Option<Told>,
    retry: Option<Retry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Side {
    r#type: Option<Text>,
    bucket: Text,
    prefix: Option<Text>,
    endpoint: Option<Text>,
    path: Option<Text>,
    region: Option<Text>,
    credentials: Option<Keys>,
    snowball: Option<Snowball>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Keys {
    access_key: Text,
    secret_key: Text,
    session_token: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Snowball {
    disable: Text,
}

pub(super) fn replicate(said: &Replicate) -> Result<Spec, Refused> {
    let (source, target) = (said.source.endpoint("source")?, said.target.endpoint("target")?);
    let (way, endpoint) = match (source, target) {
        (None, Some(endpoint)) => (Way::Push, endpoint),
        (Some(endpoint), None) => (Way::Pull, endpoint),
        (None, None) => {
            let message =
                "neither source nor target has an endpoint: within this server `copy` copies".into();
            return Err(refused(said.target.bucket.referenced, message));
        }
        (Some(_), Some(_)) => {
            let message = "one of source and target is this server: it has no endpoint".into();
            return Err(refused(said.target.bucket.referenced, message));
        }
    };
    if let Some(at) = said.manifest.as_ref().filter(|_| way == Way::Pull).and_then(Listing::first) {
        let message = "a manifest names objects of this server; from another one a filter does".into();
        return Err(refused(at.referenced, message));
    }
    let flags = said.flags.as_ref();
    let filter = flags.and_then(|flags| flags.filter.as_ref());
    let mut common = said.common();
    common.retry = common.retry.or(flags.and_then(|flags| flags.retry.as_ref()));
    common.notify = common.notify.or(flags.and_then(|flags| flags.notify.as_ref()));
    common.report_bucket = (way == Way::Pull).then_some(&said.target.bucket);
    let prefix = prefix_of(said.target.prefix.as_ref(), "target.prefix")?;
    let replication = Replication {
        way,
        endpoint,
        target: Place { bucket: said.target.bucket.value.clone(), prefix },
        replace: choice(said.replace.as_ref(), "replace", &[("true", true), ("false", false)], false)?,
    };
    let which = Which {
        bucket: &said.source.bucket,
        prefix: said.source.prefix.as_ref(),
        rules: filter.iter().map(|said| rule(said, "flags.filter")).collect::<Result<_, _>>()?,
        manifest: said.manifest.as_ref(),
    };
    common.spec(Does::Replicate(Box::new(replication)), which)
}

impl Side {
    /// The endpoint of the side that is elsewhere.
    fn endpoint(&self, name: &str) -> Result<Option<Endpoint>, Refused> {
        let at = |part: &str| format!("{name}.{part}");
        choice(self.r#type.as_ref(), &at("type"), &[("s3", ()), ("minio", ()), ("tarn", ())], ())?;
        if let Some(Snowball { disable }) = &self.snowball {
            choice(Some(disable), &at("snowball.disable"), &[("true", ())], ())?;
        }
        let Some(url) = self.endpoint.as_ref().filter(|url| !url.value.is_empty()) else {
            return match &self.credentials {
                Some(keys) => {
                    let message = format!("{} are of an endpoint, and there is none", at("credentials"));
                    Err(refused(keys.access_key.referenced, message))
                }
                None => Ok(None),
            };
        };
        if url.value.len() > URL_BYTES_MAX {
            return Err(wrong(url, &at("endpoint"), &format!("at most {URL_BYTES_MAX} bytes")));
        }
        let Some(keys) = &self.credentials else {
            let message = format!("{} has no credentials: accessKey and secretKey", at("endpoint"));
            return Err(refused(url.referenced, message));
        };
        let styles = [("auto", Style::Auto), ("on", Style::Path), ("off", Style::Host)];
        let session_token = keys.session_token.as_ref().filter(|token| !token.value.is_empty());
        let session_token =
            session_token.map(|token| secret(token, &at("credentials.sessionToken"))).transpose()?;
        Ok(Some(Endpoint {
            url: url.value.trim_end_matches('/').to_owned(),
            style: choice(self.path.as_ref(), &at("path"), &styles, Style::Auto)?,
            region: self.region.as_ref().map_or(REGION.to_owned(), |region| region.value.clone()),
            access_key: keys.access_key.value.clone(),
            secret_key: secret(&keys.secret_key, &at("credentials.secretKey"))?,
            session_token,
        }))
    }
}
