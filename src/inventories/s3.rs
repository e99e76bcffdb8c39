//! The sub-resources of S3: AWS's `?inventory` and AIStor's `?minio-inventory`.

use async_trait::async_trait;
use serde_json::json;
use tarn_inventory::report::{aistor, aws};
use tarn_objectcore::name::BucketName;
use tarn_objectcore::s3::{Inventories, InventoryCall, InventoryError, InventoryFace};

use super::{Asker, BucketInventories, Found};

/// Definitions of a page.
const PAGE: usize = 100;

#[async_trait]
impl Inventories for BucketInventories {
    async fn put(&self, call: &InventoryCall<'_>, text: &[u8]) -> Result<(), InventoryError> {
        let asker = Asker { principal: call.caller, sender: call.sender };
        match call.face {
            InventoryFace::Aistor => self.put_yaml(call.bucket, call.id, text, asker).await,
            InventoryFace::Aws => {
                let read = read_xml(call.id, text)?;
                let put = (read.spec(call.bucket.as_str()), read.schedule(), read.enabled);
                BucketInventories::put(self, put, asker).await
            }
        }
    }

    fn get(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError> {
        let found = self.find(call.bucket, call.id).ok_or(InventoryError::Missing)?;
        match call.face {
            InventoryFace::Aws => xml_of(&found).map(|read| aws::document(&read)),
            InventoryFace::Aistor => aistor::Inventory::text_of(&found.spec).map(|text| {
                let (bucket, id) = (&found.spec.bucket, &found.spec.id);
                json!({"bucket": bucket, "id": id, "user": self.user(&found), "yamlDef": text}).to_string()
            }),
        }
        .ok_or(InventoryError::Missing)
    }

    fn list(&self, call: &InventoryCall<'_>, token: Option<&str>) -> Result<String, InventoryError> {
        let found = self.of_bucket(call.bucket);
        let behind = found.iter().filter(|found| token.is_none_or(|token| found.spec.id.as_str() > token));
        match call.face {
            InventoryFace::Aws => {
                let (page, next) = page(behind.filter_map(xml_of), |read| read.id.clone());
                Ok(aws::page(&page, token, next.as_deref()))
            }
            InventoryFace::Aistor => {
                let own = behind.filter(|found| aistor::Inventory::text_of(&found.spec).is_some());
                let (page, next) = page(own, |found| found.spec.id.clone());
                let item = |found: &&Found| {
                    let (bucket, id) = (&found.spec.bucket, &found.spec.id);
                    json!({"bucket": bucket, "id": id, "user": self.user(found)})
                };
                let items: Vec<_> = page.iter().map(item).collect();
                Ok(json!({"items": items, "nextContinuationToken": next.unwrap_or_default()}).to_string())
            }
        }
    }

    async fn delete(&self, call: &InventoryCall<'_>) -> Result<(), InventoryError> {
        let found = self.find(call.bucket, call.id).ok_or(InventoryError::Missing)?;
        let is_own = match call.face {
            InventoryFace::Aws => xml_of(&found).is_some(),
            InventoryFace::Aistor => aistor::Inventory::text_of(&found.spec).is_some(),
        };
        if !is_own {
            return Err(InventoryError::Missing);
        }
        BucketInventories::delete(self, call.bucket, call.id).await
    }

    fn template(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError> {
        template(call.bucket, call.id)
    }

    fn status(&self, call: &InventoryCall<'_>) -> Result<String, InventoryError> {
        let found = self.find(call.bucket, call.id).ok_or(InventoryError::Missing)?;
        Ok(json!(BucketInventories::status(self, &found)).to_string())
    }

    async fn forget(&self, bucket: &BucketName) -> Result<(), InventoryError> {
        for found in self.of_bucket(bucket) {
            match BucketInventories::delete(self, bucket, &found.spec.id).await {
                Ok(()) | Err(InventoryError::Missing) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A definition to begin with; an id that it could not have is refused now.
pub(crate) fn template(bucket: &BucketName, id: &str) -> Result<String, InventoryError> {
    let text = aistor::template(bucket.as_str(), id);
    super::read_yaml(bucket, id, text.as_bytes()).map(|_| text)
}

fn read_xml(id: &str, text: &[u8]) -> Result<aws::Configuration, InventoryError> {
    let read = aws::Configuration::parse(text).map_err(|refused| match refused {
        aws::Refused::Malformed(message) => InventoryError::Malformed(message),
        aws::Refused::Invalid { name, value, message } => {
            InventoryError::Invalid { name: name.into(), value, message }
        }
        aws::Refused::NotImplemented(message) => InventoryError::NotImplemented(message),
    })?;
    if read.id == id {
        return Ok(read);
    }
    let message = format!("The document has the Id {:?}, the request {id:?}.", read.id);
    Err(InventoryError::Invalid { name: "id".into(), value: id.to_owned(), message })
}

/// What was written as XML, as it stands now: the schedule can be suspended by other means.
fn xml_of(found: &Found) -> Option<aws::Configuration> {
    let read = aws::Configuration::of(&found.spec)?;
    Some(aws::Configuration { enabled: found.definition.enabled, ..read })
}

/// The first of these, and the last one's id when there are more.
fn page<T>(found: impl Iterator<Item = T>, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let mut page: Vec<T> = found.take(PAGE + 1).collect();
    let more = page.len() > PAGE;
    page.truncate(PAGE);
    let next = page.last().filter(|_| more).map(id);
    (page, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_with_a_token_only_where_more_follows() {
        let ids = |count: usize| (0..count).map(|number| format!("{number:03}"));
        let (all, none) = page(ids(PAGE), String::clone);
        assert_eq!((all.len(), none), (PAGE, None));
        let (some, next) = page(ids(PAGE + 1), String::clone);
        assert_eq!((some.len(), next), (PAGE, Some("099".into())));
    }
}
