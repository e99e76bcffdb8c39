//! Definitions from XML. What is not known, twice there or missing is refused: it is not guessed.

use super::xml::{self, Element};
use super::{ARN, Configuration, DOCUMENT_BYTES_MAX, FIELDS, FileFormat, Frequency, Refused};
use crate::report::spec::{Field, Versions, is_id};

/// The longest prefix of source keys, in bytes.
const PREFIX_BYTES_MAX: usize = 1024;
/// The longest prefix of the output's keys, in bytes.
const DESTINATION_PREFIX_BYTES_MAX: usize = 512;
/// The longest account, in bytes.
const ACCOUNT_BYTES_MAX: usize = 64;

pub(super) fn configuration(document: &[u8]) -> Result<Configuration, Refused> {
    if document.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the document is longer than {DOCUMENT_BYTES_MAX} bytes");
        return Err(Refused::Malformed(message));
    }
    let root = xml::read(document)
        .map_err(|xml::Broken { line, problem }| malformed(line, &format!("the document {problem}")))?;
    if root.name != "InventoryConfiguration" {
        let message =
            format!("the document is of element {:?}; InventoryConfiguration is expected", shown(&root.name));
        return Err(malformed(root.line, &message));
    }
    let allowed =
        ["Destination", "IsEnabled", "Filter", "Id", "IncludedObjectVersions", "OptionalFields", "Schedule"];
    let top = Part::new(&root, &allowed)?;
    let destination = Part::new(top.needed("Destination")?, &["S3BucketDestination"])?;
    let allowed = ["AccountId", "Bucket", "Format", "Prefix", "Encryption"];
    let destination = Part::new(destination.needed("S3BucketDestination")?, &allowed)?;
    if destination.child("Encryption").is_some() {
        let message = "This server does not encrypt objects: leave Encryption out of the destination.";
        return Err(Refused::NotImplemented(message.into()));
    }
    let account = destination.child("AccountId").map(|account| account.text.trim().to_owned());
    let prefix = destination.child("Prefix").map(|prefix| prefix.text.clone());
    let filter = match top.child("Filter") {
        Some(filter) => Some(Part::new(filter, &["Prefix"])?.needed("Prefix")?.text.clone()),
        None => None,
    };
    let schedule = Part::new(top.needed("Schedule")?, &["Frequency"])?;
    let read = Configuration {
        id: top.needed("Id")?.text.trim().to_owned(),
        enabled: choice(top.needed("IsEnabled")?, &[("true", true), ("false", false)])?,
        account,
        bucket: bucket(&destination.needed("Bucket")?.text)?,
        prefix,
        format: format(destination.needed("Format")?)?,
        versions: choice(
            top.needed("IncludedObjectVersions")?,
            &[("All", Versions::All), ("Current", Versions::Current)],
        )?,
        filter,
        fields: top.child("OptionalFields").map(fields).transpose()?,
        frequency: choice(
            schedule.needed("Frequency")?,
            &[("Daily", Frequency::Daily), ("Weekly", Frequency::Weekly)],
        )?,
    };
    check(&read)?;
    Ok(read)
}

fn malformed(line: usize, message: &str) -> Refused {
    Refused::Malformed(format!("line {line}: {message}"))
}

/// So much of a value as an error repeats.
fn shown(value: &str) -> String {
    value.chars().take(64).collect()
}

/// An element whose children are known, each at most once.
struct Part<'a>(&'a Element);

impl<'a> Part<'a> {
    fn new(element: &'a Element, allowed: &[&str]) -> Result<Self, Refused> {
        for (at, child) in element.children.iter().enumerate() {
            if !allowed.contains(&child.name.as_str()) {
                let allowed = allowed.join(", ");
                let message = format!("{} has no element {:?}; allowed: {allowed}", element.name, child.name);
                return Err(malformed(child.line, &message));
            }
            if element.children[..at].iter().any(|before| before.name == child.name) {
                return Err(malformed(child.line, &format!("{} has {} twice", element.name, child.name)));
            }
        }
        Ok(Self(element))
    }

    fn child(&self, name: &str) -> Option<&'a Element> {
        self.0.children.iter().find(|child| child.name == name)
    }

    fn needed(&self, name: &str) -> Result<&'a Element, Refused> {
        let lacks = || malformed(self.0.line, &format!("{} lacks {name}", self.0.name));
        self.child(name).ok_or_else(lacks)
    }
}

/// One of a few words.
fn choice<T: Copy>(element: &Element, allowed: &[(&str, T)]) -> Result<T, Refused> {
    let text = element.text.trim();
    let found = allowed.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
        let message = format!("{} cannot be {:?}; allowed: {}", element.name, shown(text), names.join(", "));
        malformed(element.line, &message)
    })
}

fn format(element: &Element) -> Result<FileFormat, Refused> {
    if element.text.trim() == "ORC" {
        let message = "This server does not write ORC; the Format may be CSV or Parquet.";
        return Err(Refused::NotImplemented(message.into()));
    }
    choice(element, &[("CSV", FileFormat::Csv), ("Parquet", FileFormat::Parquet)])
}

fn bucket(text: &str) -> Result<String, Refused> {
    let text = text.trim();
    let name = text.strip_prefix(ARN).filter(|name| !name.is_empty() && !name.contains(['/', ':']));
    name.map(str::to_owned).ok_or_else(|| Refused::Invalid {
        name: "Bucket",
        value: text.to_owned(),
        message: format!("The destination's Bucket is the ARN of a bucket, such as {ARN}reports."),
    })
}

fn fields(element: &Element) -> Result<Vec<Field>, Refused> {
    let mut fields = Vec::new();
    for child in &element.children {
        if child.name != "Field" {
            let message = format!("OptionalFields has no element {:?}; allowed: Field", child.name);
            return Err(malformed(child.line, &message));
        }
        let field = choice(child, &FIELDS)?;
        if fields.contains(&field) {
            let message = format!("the Field {} is there twice", child.text.trim());
            return Err(malformed(child.line, &message));
        }
        fields.push(field);
    }
    Ok(fields)
}

/// The limits of texts.
fn check(read: &Configuration) -> Result<(), Refused> {
    let invalid =
        |name, value: &str, message: String| Err(Refused::Invalid { name, value: value.to_owned(), message });
    if !is_id(&read.id) {
        let message =
            "An Id is 1 to 64 letters, digits, hyphens, underscores and dots, the first no dot.".to_owned();
        return invalid("Id", &read.id, message);
    }
    let within = |text: &Option<String>, most: usize| text.as_ref().is_none_or(|text| text.len() <= most);
    if !within(&read.filter, PREFIX_BYTES_MAX) {
        let message = format!("The Prefix of the Filter has at most {PREFIX_BYTES_MAX} bytes.");
        return invalid("Prefix", "", message);
    }
    if !within(&read.prefix, DESTINATION_PREFIX_BYTES_MAX) {
        let message =
            format!("The Prefix of the destination has at most {DESTINATION_PREFIX_BYTES_MAX} bytes.");
        return invalid("Prefix", "", message);
    }
    if !within(&read.account, ACCOUNT_BYTES_MAX) {
        return invalid("AccountId", "", format!("An AccountId has at most {ACCOUNT_BYTES_MAX} bytes."));
    }
    Ok(())
}
