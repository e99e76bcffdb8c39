//! What a client can read (`delta-sharing-capabilities`) and how it wants files named (`fileidhash`).

use std::collections::BTreeSet;

use super::Failure;
use crate::table::Feature;

/// The most reader features that are kept of a header: there are some twenty in all.
const FEATURES_MAX: usize = 64;

/// What a client said it can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The formats it reads.
    pub formats: Formats,
    /// Features of Delta it reads, in lower case.
    features: BTreeSet<String>,
    /// Whether it asks for a line at the end.
    pub end_stream: bool,
    /// Whether it asks for the answer later.
    pub async_query: bool,
}

/// The formats a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formats {
    /// Parquet only; so is one that says nothing.
    Parquet,
    /// Delta only.
    Delta,
    /// Both.
    Either,
}

impl Capabilities {
    /// Of the header, if there was one. Case does not count; unknown keys are passed over.
    pub fn parse(header: Option<&str>) -> Result<Self, Failure> {
        let mut capabilities = Self {
            formats: Formats::Parquet,
            features: BTreeSet::new(),
            end_stream: false,
            async_query: false,
        };
        let header = header.unwrap_or_default().to_ascii_lowercase();
        for (key, value) in header.split(';').filter_map(|pair| pair.split_once('=')) {
            let values = || value.split(',').map(str::trim).filter(|value| !value.is_empty());
            match key.trim() {
                "responseformat" => capabilities.formats = formats(values())?,
                "readerfeatures" => {
                    capabilities.features = values().take(FEATURES_MAX).map(str::to_owned).collect();
                }
                "includeendstreamaction" => capabilities.end_stream = value.trim() == "true",
                "asyncquery" => capabilities.async_query = value.trim() == "true",
                _other => {}
            }
        }
        Ok(capabilities)
    }

    /// Whether it reads tables that need this.
    pub fn reads(&self, feature: Feature) -> bool {
        self.features.contains(&feature.name().to_ascii_lowercase())
    }
}

fn formats<'a>(listed: impl Iterator<Item = &'a str>) -> Result<Formats, Failure> {
    let listed: Vec<&str> = listed.collect();
    match (listed.contains(&"parquet"), listed.contains(&"delta")) {
        (true, true) => Ok(Formats::Either),
        (true, false) => Ok(Formats::Parquet),
        (false, true) => Ok(Formats::Delta),
        (false, false) if listed.is_empty() => Ok(Formats::Parquet),
        (false, false) => Err(Failure::invalid(format!(
            "Unsupported responseformat: '{}'. Supported: parquet, delta",
            listed.join(",")
        ))),
    }
}

impl Feature {
    /// Its name in Delta's protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::ColumnMapping => "columnMapping",
            Self::DeletionVectors => "deletionVectors",
            Self::TimestampNtz => "timestampNtz",
            Self::VariantType => "variantType",
            Self::TypeWidening => "typeWidening",
        }
    }
}

/// How files are named. Either way a file has one name for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileIds {
    /// The names of the parquet format.
    Parquet,
    /// The names of the delta format.
    Delta,
}

impl FileIds {
    /// Of the header, if there was one.
    pub fn parse(header: Option<&str>) -> Result<Option<Self>, Failure> {
        let Some(raw) = header else { return Ok(None) };
        match raw.trim().to_ascii_lowercase().as_str() {
            "parquet" => Ok(Some(Self::Parquet)),
            "delta" => Ok(Some(Self::Delta)),
            _other => {
                Err(Failure::invalid(format!("Unsupported fileidhash: '{raw}'. Supported: parquet, delta")))
            }
        }
    }

    /// The header of the answer to a request that had it.
    pub fn echo(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_whatever_its_case_and_order() {
        let told = Capabilities::parse(Some(
            " ReaderFeatures = DeletionVectors, columnmapping;RESPONSEFORMAT=Parquet,DELTA;\
             includeEndStreamAction=TRUE;asyncquery=true;;x;y=",
        ))
        .unwrap();
        assert_eq!((told.formats, told.end_stream, told.async_query), (Formats::Either, true, true));
        assert!(told.reads(Feature::DeletionVectors) && told.reads(Feature::ColumnMapping));
        assert!(!told.reads(Feature::TimestampNtz));
    }

    #[test]
    fn who_says_nothing_reads_parquet_and_wants_no_line_at_the_end() {
        for header in [None, Some(""), Some("responseformat="), Some("includeendstreamaction=false")] {
            let told = Capabilities::parse(header).unwrap();
            assert_eq!((told.formats, told.end_stream), (Formats::Parquet, false), "{header:?}");
            assert!(!told.async_query);
        }
        assert_eq!(Capabilities::parse(Some("responseformat=delta,arrow")).unwrap().formats, Formats::Delta);
        assert!(Capabilities::parse(Some("responseformat=arrow")).is_err());
    }

    #[test]
    fn file_names_of_an_unknown_kind_are_refused() {
        assert_eq!(FileIds::parse(None), Ok(None));
        assert_eq!(FileIds::parse(Some(" Delta ")), Ok(Some(FileIds::Delta)));
        assert_eq!(FileIds::parse(Some("PARQUET")).unwrap().unwrap().echo(), "parquet");
        for raw in ["", "md5", "delta,parquet"] {
            let failure = FileIds::parse(Some(raw)).unwrap_err();
            assert_eq!(
                failure.message,
                format!("Unsupported fileidhash: '{raw}'. Supported: parquet, delta")
            );
        }
    }
}
