//! In which form a version is told to a client: what it can read and what the version needs, put together.

use std::collections::BTreeSet;

use super::{Capabilities, Failure, Formats};
use crate::table::Feature;

/// A format of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Files with URLs; columns are known by their names.
    Parquet,
    /// Actions of a Delta log.
    Delta,
}

impl Format {
    /// Its name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
        }
    }
}

/// The form of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The format.
    pub format: Format,
    /// What the client is told that reading takes; of the delta format only.
    pub features: BTreeSet<Feature>,
    /// How columns are found in files.
    pub columns: Columns,
}

/// How a client finds columns in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// As the table says.
    AsMapped,
    /// By their names: ids and names in files are not told.
    ByName,
}

impl Form {
    /// The form for a client of what needs `features`. `plain` is `Err`, with the reason, where files cannot be read by
    /// the names of columns alone.
    pub fn choose(
        capabilities: &Capabilities,
        features: &BTreeSet<Feature>,
        plain: Result<(), &str>,
    ) -> Result<Self, Failure> {
        match (capabilities.formats, plain) {
            (Formats::Parquet | Formats::Either, Ok(())) => Ok(Self::by_name(Format::Parquet)),
            (Formats::Parquet, Err(why)) => Err(unreadable(why, features)),
            (Formats::Delta, _) | (Formats::Either, Err(_)) => delta(capabilities, features, plain),
        }
    }

    fn by_name(format: Format) -> Self {
        Self { format, features: BTreeSet::new(), columns: Columns::ByName }
    }
}

fn delta(
    capabilities: &Capabilities,
    features: &BTreeSet<Feature>,
    plain: Result<(), &str>,
) -> Result<Form, Failure> {
    let told: BTreeSet<Feature> =
        features.iter().copied().filter(|&feature| capabilities.reads(feature)).collect();
    let missing: Vec<&str> =
        needed(features).filter(|feature| !told.contains(feature)).map(Feature::name).collect();
    match plain {
        _ if missing.is_empty() => {
            Ok(Form { format: Format::Delta, features: told, columns: Columns::AsMapped })
        }
        // Who reads such files by the names of columns reads them right.
        Ok(()) => Ok(Form::by_name(Format::Delta)),
        Err(_) => Err(unreadable(&format!("reading the table takes {}", missing.join(", ")), features)),
    }
}

/// What a client must know: it reads widened types right whether it is told of them or not.
fn needed(features: &BTreeSet<Feature>) -> impl Iterator<Item = Feature> {
    features.iter().copied().filter(|&feature| feature != Feature::TypeWidening)
}

fn unreadable(why: &str, features: &BTreeSet<Feature>) -> Failure {
    let names: Vec<String> = needed(features).map(|feature| feature.name().to_ascii_lowercase()).collect();
    let list = if names.is_empty() { String::new() } else { format!(";readerfeatures={}", names.join(",")) };
    Failure::unsupported(format!(
        "Unsupported Delta Table Properties: {why}. Use a client that can read it, one that sends the header \
         delta-sharing-capabilities: responseformat=delta{list}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: &str) -> Capabilities {
        Capabilities::parse(Some(header)).unwrap()
    }

    #[test]
    fn a_plain_version_is_told_as_parquet_to_whom_reads_that() {
        let features = BTreeSet::from([Feature::ColumnMapping]);
        for header in
            ["", "responseformat=parquet", "responseformat=delta,parquet;readerfeatures=columnmapping"]
        {
            let form = Form::choose(&client(header), &features, Ok(())).unwrap();
            assert_eq!((form.format, form.features.len()), (Format::Parquet, 0), "{header}");
        }
    }

    #[test]
    fn who_reads_only_delta_gets_delta_with_what_it_knows() {
        let features = BTreeSet::from([Feature::ColumnMapping, Feature::TypeWidening]);
        let known = client("responseformat=delta;readerfeatures=columnmapping");
        let form = Form::choose(&known, &features, Err("a column was renamed")).unwrap();
        assert_eq!((form.format, form.columns), (Format::Delta, Columns::AsMapped));
        assert!(!form.features.contains(&Feature::TypeWidening));
        let widening = client("responseformat=delta;readerfeatures=columnmapping,typewidening");
        assert_eq!(Form::choose(&widening, &features, Ok(())).unwrap().features, features);
        // By the names of columns it reads the same.
        let bare = Form::choose(&client("responseformat=delta"), &features, Ok(())).unwrap();
        assert_eq!((bare.format, bare.columns), (Format::Delta, Columns::ByName));
    }

    #[test]
    fn who_cannot_read_a_version_is_told_what_it_takes() {
        let features = BTreeSet::from([Feature::ColumnMapping, Feature::DeletionVectors]);
        let why = Err("rows are deleted");
        let failure = Form::choose(&client(""), &features, why).unwrap_err();
        assert_eq!(
            failure.message,
            "Unsupported Delta Table Properties: rows are deleted. Use a client that can read it, one that sends the \
             header delta-sharing-capabilities: responseformat=delta;readerfeatures=columnmapping,deletionvectors"
        );
        for formats in ["delta", "delta,parquet"] {
            let header = format!("responseformat={formats};readerfeatures=columnmapping");
            let failure = Form::choose(&client(&header), &features, why).unwrap_err();
            assert!(failure.message.contains("takes deletionVectors."), "{}", failure.message);
        }
    }
}
