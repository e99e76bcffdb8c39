//! Updates of encryption keys (V3).

use std::sync::Arc;

use super::Builder;
use crate::metadata::{EncryptedKey, FormatVersion, InvalidMetadata};

impl Builder {
    pub(super) fn add_encryption_key(&mut self, key: &Arc<EncryptedKey>) -> Result<(), InvalidMetadata> {
        let version = self.table.format_version;
        if version < FormatVersion::V3 {
            return Err(InvalidMetadata::new(format!(
                "an encryption key needs format version 3, the table has {version}"
            )));
        }
        match self.table.encryption_keys.iter().find(|known| known.key_id == key.key_id) {
            Some(known) if known == key => Ok(()),
            Some(_) => Err(InvalidMetadata::new(format!("encryption key '{}' already exists", key.key_id))),
            None => {
                self.table.encryption_keys.push_back(Arc::clone(key));
                self.changed = true;
                Ok(())
            }
        }
    }

    pub(super) fn remove_encryption_key(&mut self, id: &str) {
        let before = self.table.encryption_keys.len();
        self.table.encryption_keys.retain(|key| key.key_id != id);
        if self.table.encryption_keys.len() != before {
            self.changed = true;
            self.removed_keys.insert(id.to_owned());
        }
    }

    /// Without its key a snapshot cannot be read, nor a key that another one encrypts.
    pub(super) fn check_keys(&self) -> Result<(), InvalidMetadata> {
        if self.removed_keys.is_empty() {
            return Ok(());
        }
        let keys = || self.table.encryption_keys();
        let is_gone = |id: &&str| self.removed_keys.contains(*id) && !keys().any(|key| key.key_id == *id);
        let by_snapshots = self.table.snapshots().filter_map(|snapshot| snapshot.key_id());
        let by_keys = keys().filter_map(|key| key.encrypted_by_id());
        match by_snapshots.chain(by_keys).find(is_gone) {
            None => Ok(()),
            Some(id) => Err(InvalidMetadata::new(format!("encryption key '{id}' is in use"))),
        }
    }
}
