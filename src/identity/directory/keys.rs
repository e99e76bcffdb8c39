//! Access keys with a grant of their own.

use jiff::Timestamp;
use serde::Serialize;

use super::super::key::{self, AccessKey, Grant, Owner, Policy};
use super::write::{Kind, read};
use super::{Directory, DirectoryError, Holder, KEY_KIND, KeyDocument};

const KEY: Kind = Kind { kind: KEY_KIND, called: "access key" };

/// A key without its secret, as it is listed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct ListedKey {
    /// The id.
    pub(crate) id: String,
    /// What it may do.
    pub(crate) policy: Policy,
    /// Where; none is everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) buckets: Option<Vec<String>>,
    /// When it was made (RFC 3339).
    pub(crate) created: String,
}

/// Why a key was not created or deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// A key of this id exists.
    #[error("an access key {0:?} exists already")]
    Exists(String),
    /// There is none.
    #[error("there is no access key {0:?}")]
    Missing(String),
    /// Administrators reach everything, so a list of buckets makes no sense.
    #[error("a key with policy admin cannot be limited to buckets")]
    LimitedAdmin,
    /// As of everything that the directory keeps.
    #[error(transparent)]
    Directory(DirectoryError),
}

impl Directory {
    /// All keys with grants of their own, by id.
    pub(crate) fn keys(&self) -> Vec<ListedKey> {
        let state = self.catalog.snapshot();
        let keys = read::<KeyDocument>(&state, KEY_KIND, None);
        keys.filter_map(|(id, document)| listed(id, document)).collect()
    }

    /// Makes a key with a generated secret, durable when this returns. `id` is generated when not given.
    pub(crate) async fn create_key(
        &self,
        id: Option<String>,
        grant: Grant,
        now: Timestamp,
    ) -> Result<AccessKey, KeyError> {
        let (generated, secret) = key::generate();
        let id = id.unwrap_or(generated);
        key::check_id(&id).map_err(DirectoryError::Key)?;
        if grant.policy == Policy::Admin && grant.buckets.is_some() {
            return Err(KeyError::LimitedAdmin);
        }
        if id == self.root {
            return Err(KeyError::Exists(id));
        }
        self.expect_room(KEY_KIND, self.keys_max, "access keys")?;
        let holder = Holder::Grant(grant.clone());
        let document = KeyDocument { secret: secret.clone(), created: format!("{now:.0}"), holder };
        self.create(KEY_KIND, &id, &document).await?;
        Ok(AccessKey { id: id.into(), secret, owner: Owner::Granted(grant) })
    }

    /// Deletes a key with a grant of its own, also one that cannot be read. Its next request is refused.
    pub(crate) async fn delete_key(&self, id: &str) -> Result<(), KeyError> {
        let missing = || KeyError::Missing(id.into());
        let kept = self.catalog.get_document(KEY_KIND, id).ok_or_else(missing)?;
        match serde_json::from_str::<KeyDocument>(&kept.json).map(|document| document.holder) {
            Ok(Holder::User(_) | Holder::ServiceAccount(_)) => return Err(missing()),
            Ok(Holder::Grant(_)) | Err(_) => {}
        }
        match self.remove(KEY, id, kept.revision).await {
            // If its id was taken again, by another key than was meant.
            Err(DirectoryError::Contended) => Err(missing()),
            outcome => outcome.map_err(KeyError::from),
        }
    }
}

impl From<DirectoryError> for KeyError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Exists(id) => Self::Exists(id),
            DirectoryError::Missing { kind: _, name } => Self::Missing(name),
            error => Self::Directory(error),
        }
    }
}

fn listed(id: &str, document: KeyDocument) -> Option<ListedKey> {
    let Grant { policy, buckets } = match document.holder {
        Holder::Grant(grant) => grant,
        Holder::User(_) | Holder::ServiceAccount(_) => return None,
    };
    let buckets = buckets.map(|names| names.into_iter().collect());
    Some(ListedKey { id: id.into(), policy, buckets, created: document.created })
}
