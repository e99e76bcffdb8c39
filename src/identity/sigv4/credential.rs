//! The credential scope: `<access key>/<yyyymmdd>/<region>/<service>/aws4_request`.

/// A service whose scope is accepted. Any region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    S3,
    S3Express,
    S3Tables,
    Sts,
    ExecuteApi,
    Glue,
}

impl Service {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "s3" => Some(Self::S3),
            "s3express" => Some(Self::S3Express),
            "s3tables" => Some(Self::S3Tables),
            "sts" => Some(Self::Sts),
            "execute-api" => Some(Self::ExecuteApi),
            "glue" => Some(Self::Glue),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::S3Express => "s3express",
            Self::S3Tables => "s3tables",
            Self::Sts => "sts",
            Self::ExecuteApi => "execute-api",
            Self::Glue => "glue",
        }
    }

    /// Whether the service signs as S3 does: the path encoded once, and the payload's hash always
    /// in `x-amz-content-sha256`.
    pub(crate) fn is_object_service(self) -> bool {
        match self {
            Self::S3 | Self::S3Express => true,
            Self::S3Tables | Self::Sts | Self::ExecuteApi | Self::Glue => false,
        }
    }
}

/// Who signed, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) access_key: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: Service,
}

impl Credential {
    /// Reads the five parts; says which one is wrong. An access key may hold slashes.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.rsplitn(5, '/');
        let mut next = || parts.next().ok_or("the credential needs five parts separated by '/'");
        let terminator = next()?;
        let (service, region, date, access_key) = (next()?, next()?, next()?, next()?);
        if terminator != "aws4_request" {
            return Err("the credential must end in aws4_request");
        }
        if date.len() != 8 || !date.bytes().all(|b| b.is_ascii_digit()) {
            return Err("the credential's date must be yyyymmdd");
        }
        if access_key.is_empty() {
            return Err("the access key id is empty");
        }
        let service = Service::parse(service).ok_or("the credential's service is not served here")?;
        Ok(Self { access_key: access_key.into(), date: date.into(), region: region.into(), service })
    }

    /// The scope without the access key, as it is signed.
    pub(crate) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_from_the_right_so_that_a_key_may_hold_slashes() {
        let credential = Credential::parse("a/b/20130524/eu-x/s3tables/aws4_request").unwrap();
        assert_eq!(credential.access_key, "a/b");
        assert_eq!(credential.scope(), "20130524/eu-x/s3tables/aws4_request");
    }

    #[test]
    fn a_broken_credential_is_refused() {
        for bad in [
            "",
            "a/20130524/r/s3",
            "a/20130524/r/s3/aws5_request",
            "a/2013/r/s3/aws4_request",
            "a/20130524/r/ec2/aws4_request",
            "/20130524/r/s3/aws4_request",
        ] {
            assert!(Credential::parse(bad).is_err(), "{bad}");
        }
    }
}
