//! Definitions as XML.

use super::xml::element;
use super::{ARN, Configuration, FIELDS, FileFormat, Frequency};
use crate::report::spec::{Field, Versions};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A definition as a document of its own.
pub fn document(configuration: &Configuration) -> String {
    let mut out = format!("{HEAD}<InventoryConfiguration xmlns=\"{NAMESPACE}\">");
    body(&mut out, configuration);
    out.push_str("</InventoryConfiguration>");
    out
}

/// A page of definitions: `ListInventoryConfigurationsResult`. `next` tells that there are more.
pub fn page(configurations: &[Configuration], token: Option<&str>, next: Option<&str>) -> String {
    let mut out = format!("{HEAD}<ListInventoryConfigurationsResult xmlns=\"{NAMESPACE}\">");
    if let Some(token) = token {
        element(&mut out, "ContinuationToken", token);
    }
    for configuration in configurations {
        out.push_str("<InventoryConfiguration>");
        body(&mut out, configuration);
        out.push_str("</InventoryConfiguration>");
    }
    element(&mut out, "IsTruncated", truth(next.is_some()));
    if let Some(next) = next {
        element(&mut out, "NextContinuationToken", next);
    }
    out.push_str("</ListInventoryConfigurationsResult>");
    out
}

fn body(out: &mut String, configuration: &Configuration) {
    out.push_str("<Destination><S3BucketDestination>");
    if let Some(account) = &configuration.account {
        element(out, "AccountId", account);
    }
    element(out, "Bucket", &format!("{ARN}{}", configuration.bucket));
    element(out, "Format", format_name(configuration.format));
    if let Some(prefix) = &configuration.prefix {
        element(out, "Prefix", prefix);
    }
    out.push_str("</S3BucketDestination></Destination>");
    element(out, "IsEnabled", truth(configuration.enabled));
    if let Some(prefix) = &configuration.filter {
        out.push_str("<Filter>");
        element(out, "Prefix", prefix);
        out.push_str("</Filter>");
    }
    element(out, "Id", &configuration.id);
    element(out, "IncludedObjectVersions", versions_name(configuration.versions));
    if let Some(fields) = &configuration.fields {
        out.push_str("<OptionalFields>");
        fields.iter().for_each(|&field| element(out, "Field", field_name(field)));
        out.push_str("</OptionalFields>");
    }
    out.push_str("<Schedule>");
    element(out, "Frequency", frequency_name(configuration.frequency));
    out.push_str("</Schedule>");
}

fn truth(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

fn format_name(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Csv => "CSV",
        FileFormat::Parquet => "Parquet",
    }
}

fn versions_name(versions: Versions) -> &'static str {
    match versions {
        Versions::All => "All",
        Versions::Current => "Current",
    }
}

fn frequency_name(frequency: Frequency) -> &'static str {
    match frequency {
        Frequency::Daily => "Daily",
        Frequency::Weekly => "Weekly",
    }
}

fn field_name(field: Field) -> &'static str {
    FIELDS.iter().find(|(_, known)| *known == field).map_or("", |(name, _)| name)
}
