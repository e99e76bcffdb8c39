//! S3 Metadata over the journals of a server.

use async_trait::async_trait;
use tarn_inventory::journal::{Journal, JournalError, JournalStatus, TableState, TableStatus};
use tarn_objectcore::name::BucketName;
use tarn_objectcore::s3::{
    Expiration, LiveInventory, MetadataCall, MetadataError, MetadataStatus, MetadataTable, MetadataTables,
    MetadataTold, MetadataWanted,
};

use super::{BucketJournals, refused};

#[async_trait]
impl MetadataTables for BucketJournals {
    async fn create(&self, call: &MetadataCall<'_>, wanted: MetadataWanted) -> Result<(), MetadataError> {
        match self.journals.get(call.bucket.as_str()) {
            Ok(_) => Err(MetadataError::Exists),
            Err(_) => self.put(call.bucket, wanted, call.caller).await,
        }
    }

    async fn get(&self, call: &MetadataCall<'_>) -> Result<MetadataTold, MetadataError> {
        let (journal, status) = self.journals.get(call.bucket.as_str()).map_err(refused)?;
        Ok(told(&journal, &status))
    }

    async fn expire(&self, call: &MetadataCall<'_>, after: Expiration) -> Result<(), MetadataError> {
        let wanted = MetadataWanted { expiration: after, ..self.wanted(call)? };
        self.put(call.bucket, wanted, call.caller).await
    }

    async fn keep_inventory(
        &self,
        call: &MetadataCall<'_>,
        inventory: LiveInventory,
    ) -> Result<(), MetadataError> {
        let wanted = MetadataWanted { inventory, ..self.wanted(call)? };
        self.put(call.bucket, wanted, call.caller).await
    }

    async fn delete(&self, call: &MetadataCall<'_>) -> Result<(), MetadataError> {
        BucketJournals::delete(self, call.bucket, call.caller).await
    }

    async fn forget(&self, bucket: &BucketName) -> Result<(), MetadataError> {
        match self.journals.delete(&self.catalog, bucket.as_str()).await {
            Ok(()) | Err(JournalError::Missing(_) | JournalError::NoSuchBucket(_)) => Ok(()),
            Err(
                error @ (JournalError::Invalid(_)
                | JournalError::Changed(_)
                | JournalError::Store { .. }
                | JournalError::Commit(_)),
            ) => Err(refused(error)),
        }
    }
}

impl BucketJournals {
    /// What is wanted of the tables now.
    fn wanted(&self, call: &MetadataCall<'_>) -> Result<MetadataWanted, MetadataError> {
        let (journal, _) = self.journals.get(call.bucket.as_str()).map_err(refused)?;
        let inventory = if journal.inventory { LiveInventory::Enabled } else { LiveInventory::Disabled };
        Ok(MetadataWanted { expiration: expiration(&journal), inventory })
    }
}

fn expiration(journal: &Journal) -> Expiration {
    journal.record_expiration_days.map_or(Expiration::Never, Expiration::Days)
}

fn told(journal: &Journal, status: &JournalStatus) -> MetadataTold {
    MetadataTold {
        warehouse: status.journal.warehouse.clone(),
        namespace: status.journal.namespace.clone(),
        journal: table(&status.journal),
        expiration: expiration(journal),
        inventory: status.inventory.as_ref().map(table),
    }
}

fn table(status: &TableStatus) -> MetadataTable {
    MetadataTable {
        name: status.table.clone(),
        uuid: status.table_uuid.clone(),
        status: match status.state {
            TableState::Creating => MetadataStatus::Creating,
            TableState::Backfilling => MetadataStatus::Backfilling,
            TableState::Active => MetadataStatus::Active,
            TableState::Failed => MetadataStatus::Failed(status.reason.clone().unwrap_or_default()),
        },
    }
}
