//! The XML of metadata tables.

use crate::s3::error::S3Error;
use crate::s3::metadata::{
    Expiration, LiveInventory, MetadataStatus, MetadataTable, MetadataTold, MetadataWanted,
};
use crate::s3::xml::{Element, Writer};

/// The warehouse of the tables: a table bucket in AWS's terms.
pub(super) const WAREHOUSE: &str = "system";
/// The name of the table of changes.
pub(super) const JOURNAL: &str = "journal";

/// The account in ARNs. Tarn has none.
const ACCOUNT: &str = "000000000000";
/// How long rows of a journal stay at least and at most, as AWS has it.
const EXPIRATION_DAYS: std::ops::RangeInclusive<u32> = 7..=2_147_483_647;

/// Reads a `MetadataConfiguration`.
pub(super) fn configuration(document: &[u8]) -> Result<MetadataWanted, S3Error> {
    let root = Element::parse(document, "MetadataConfiguration")?;
    let journal = root.child("JournalTableConfiguration").ok_or_else(S3Error::malformed_xml)?;
    if let Some(annotations) = root.child("AnnotationTableConfiguration")
        && state(annotations)? == LiveInventory::Enabled
    {
        return Err(S3Error::not_implemented("Annotation tables are not implemented."));
    }
    let inventory = root.child("InventoryTableConfiguration").map(live_inventory).transpose()?;
    Ok(MetadataWanted {
        expiration: expiration(journal)?,
        inventory: inventory.unwrap_or(LiveInventory::Disabled),
    })
}

/// Reads a `JournalTableConfiguration`.
pub(super) fn journal_update(document: &[u8]) -> Result<Expiration, S3Error> {
    expiration(&Element::parse(document, "JournalTableConfiguration")?)
}

/// Reads an `InventoryTableConfiguration`.
pub(super) fn inventory_update(document: &[u8]) -> Result<LiveInventory, S3Error> {
    live_inventory(&Element::parse(document, "InventoryTableConfiguration")?)
}

/// Reads a `MetadataTableConfiguration`: the ARN of the table bucket, and the name of the table.
pub(super) fn older(document: &[u8]) -> Result<(String, String), S3Error> {
    let root = Element::parse(document, "MetadataTableConfiguration")?;
    let to = root.child("S3TablesDestination").ok_or_else(S3Error::malformed_xml)?;
    let text = |name| to.text_of(name).map(str::to_owned).ok_or_else(S3Error::malformed_xml);
    Ok((text("TableBucketArn")?, text("TableName")?))
}

fn expiration(journal: &Element) -> Result<Expiration, S3Error> {
    refuse_encryption(journal)?;
    let record = journal.child("RecordExpiration").ok_or_else(S3Error::malformed_xml)?;
    match (record.text_of("Expiration"), record.text_of("Days")) {
        (Some("DISABLED"), None) => Ok(Expiration::Never),
        (Some("DISABLED"), Some(days)) => {
            Err(S3Error::argument("Days", days, "Records that do not expire have no days."))
        }
        (Some("ENABLED"), Some(days)) => match days.parse() {
            Ok(number) if EXPIRATION_DAYS.contains(&number) => Ok(Expiration::Days(number)),
            Ok(_) | Err(_) => {
                let (least, most) = EXPIRATION_DAYS.into_inner();
                let message = format!("Days must be a whole number from {least} to {most}.");
                Err(S3Error::argument("Days", days, message))
            }
        },
        (Some("ENABLED"), None) => {
            Err(S3Error::argument("Days", "", "Records that expire need a number of days."))
        }
        (Some(_) | None, _) => Err(S3Error::malformed_xml()),
    }
}

fn live_inventory(inventory: &Element) -> Result<LiveInventory, S3Error> {
    refuse_encryption(inventory)?;
    state(inventory)
}

fn state(table: &Element) -> Result<LiveInventory, S3Error> {
    match table.text_of("ConfigurationState") {
        Some("ENABLED") => Ok(LiveInventory::Enabled),
        Some("DISABLED") => Ok(LiveInventory::Disabled),
        Some(_) | None => Err(S3Error::malformed_xml()),
    }
}

fn refuse_encryption(table: &Element) -> Result<(), S3Error> {
    match table.child("EncryptionConfiguration") {
        None => Ok(()),
        Some(_) => Err(S3Error::not_implemented("Encryption of metadata tables is not implemented.")),
    }
}

/// Writes a `GetBucketMetadataConfigurationResult`.
pub(super) fn told(told: &MetadataTold, region: &str) -> Writer {
    let mut writer = Writer::new("GetBucketMetadataConfigurationResult", 1024);
    writer.open("MetadataConfigurationResult").open("DestinationResult");
    writer.element("TableBucketType", "aws").element("TableBucketArn", &bucket_arn(told, region));
    writer.element("TableNamespace", &told.namespace).close("DestinationResult");
    writer.open("JournalTableConfigurationResult");
    table(&mut writer, &told.journal, (told, region));
    writer.open("RecordExpiration");
    match told.expiration {
        Expiration::Never => writer.element("Expiration", "DISABLED"),
        Expiration::Days(days) => writer.element("Expiration", "ENABLED").number("Days", days.into()),
    };
    writer.close("RecordExpiration").close("JournalTableConfigurationResult");
    writer.open("InventoryTableConfigurationResult");
    match &told.inventory {
        None => {
            writer.element("ConfigurationState", "DISABLED");
        }
        Some(inventory) => {
            writer.element("ConfigurationState", "ENABLED");
            table(&mut writer, inventory, (told, region));
        }
    }
    writer.close("InventoryTableConfigurationResult").close("MetadataConfigurationResult");
    writer
}

/// Writes a `GetBucketMetadataTableConfigurationResult`.
pub(super) fn told_older(told: &MetadataTold, region: &str) -> Writer {
    let mut writer = Writer::new("GetBucketMetadataTableConfigurationResult", 768);
    writer.open("MetadataTableConfigurationResult").open("S3TablesDestinationResult");
    writer.element("TableBucketArn", &bucket_arn(told, region)).element("TableName", &told.journal.name);
    writer.element("TableArn", &table_arn(&told.journal, (told, region)).unwrap_or_default());
    writer.element("TableNamespace", &told.namespace);
    writer.close("S3TablesDestinationResult").close("MetadataTableConfigurationResult");
    writer.element("Status", status(&told.journal.status));
    failure(&mut writer, &told.journal.status);
    writer
}

fn table(writer: &mut Writer, table: &MetadataTable, of: (&MetadataTold, &str)) {
    writer.element("TableStatus", status(&table.status));
    failure(writer, &table.status);
    writer.element("TableName", &table.name);
    if let Some(arn) = table_arn(table, of) {
        writer.element("TableArn", &arn);
    }
}

fn failure(writer: &mut Writer, status: &MetadataStatus) {
    match status {
        MetadataStatus::Failed(why) => {
            writer.open("Error").element("ErrorCode", "InternalError").element("ErrorMessage", why);
            writer.close("Error");
        }
        MetadataStatus::Creating | MetadataStatus::Backfilling | MetadataStatus::Active => {}
    }
}

fn status(status: &MetadataStatus) -> &'static str {
    match status {
        MetadataStatus::Creating => "CREATING",
        MetadataStatus::Backfilling => "BACKFILLING",
        MetadataStatus::Active => "ACTIVE",
        MetadataStatus::Failed(_) => "FAILED",
    }
}

fn bucket_arn(told: &MetadataTold, region: &str) -> String {
    format!("arn:aws:s3tables:{region}:{ACCOUNT}:bucket/{}", told.warehouse)
}

fn table_arn(table: &MetadataTable, (told, region): (&MetadataTold, &str)) -> Option<String> {
    let uuid = table.uuid.as_ref()?;
    Some(format!("{}/table/{uuid}", bucket_arn(told, region)))
}
