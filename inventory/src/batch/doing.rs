//! What is done to one object, and what becomes of it. Its rights and its failures are its own.

use std::time::Duration;

use tarn_openapi::access::{Action, Resource};

use super::Parts;
use super::bulk::{Carried, Item, ItemError, There};
use super::completion::{Row, Status};
use super::outside::{Remote, Replicated};
use super::spec::{Does, Replication, Spec, Way};
use super::tasks::Task;
use crate::jobs::Context;

/// Does what a batch does.
pub(super) struct Doing<'a> {
    pub(super) parts: &'a Parts,
    pub(super) spec: &'a Spec,
    pub(super) context: &'a Context,
    /// The other server, where there is one.
    pub(super) remote: Option<&'a dyn Remote>,
}

impl Doing<'_> {
    /// Whether the bytes of objects are moved, not only what is known of them.
    pub(super) fn moves_bytes(&self) -> bool {
        match self.spec.does {
            Does::Expire | Does::Delete | Does::Tag(_) => false,
            Does::Copy { .. } | Does::Replicate(_) => !self.spec.dry_run,
        }
    }

    /// What an object came to. Its rights and its failures are its own.
    pub(super) async fn task(&self, task: &Task) -> Row {
        let row = |status, code, http, message: String| Row {
            bucket: task.bucket.clone(),
            key: task.key.clone(),
            status,
            code,
            http,
            message,
        };
        let denied = match self.refusal(task) {
            Ok(()) => None,
            Err((code, http, message)) => Some(row(Status::Failed, code, http, message.into())),
        };
        if let Some(row) = denied {
            return row;
        }
        let done = match &self.spec.does {
            Does::Expire | Does::Delete => "deleted".to_owned(),
            Does::Tag(_) => "tagged".to_owned(),
            Does::Replicate(to) => {
                let place = match to.way {
                    Way::Push => &*to.endpoint.url,
                    Way::Pull => "this server",
                };
                format!("copied to s3://{}/{} of {place}", to.target.bucket, to.key(&task.key))
            }
            Does::Copy { target, .. } => {
                format!("copied to s3://{}/{}", target.bucket, self.spec.key_in(target, &task.key))
            }
        };
        if self.spec.dry_run {
            return row(Status::DryRun, "", 0, format!("would be {done}"));
        }
        match self.attempts(task).await {
            Ok(Replicated::Copied) => row(Status::Succeeded, "", 200, done),
            Ok(Replicated::Found) => row(Status::Succeeded, "", 200, "there already".into()),
            Err(ItemError { code, status, message, .. }) => row(Status::Failed, code, status, message),
        }
    }

    fn refusal(&self, task: &Task) -> Result<(), (&'static str, u16, &'static str)> {
        if task.bucket != self.spec.bucket {
            return Err(("InvalidRequest", 400, "the object lies in another bucket than the batch is of"));
        }
        let object = Resource::Object(&task.bucket, &task.key);
        let may_look = !self.spec.is_of_here()
            || !self.spec.rules.iter().any(|rule| !rule.tags.is_empty())
            || self.context.may(Action::GetObjectTagging, object);
        let may = match &self.spec.does {
            Does::Expire | Does::Delete => self.context.may(Action::DeleteObject, object),
            Does::Tag(_) => self.context.may(Action::PutObjectTagging, object),
            Does::Replicate(to) => match to.way {
                Way::Push => self.context.may(Action::GetObject, object),
                Way::Pull => {
                    let key = to.key(&task.key);
                    self.context.may(Action::PutObject, Resource::Object(&to.target.bucket, &key))
                }
            },
            Does::Copy { target, .. } => {
                let key = self.spec.key_in(target, &task.key);
                self.context.may(Action::GetObject, object)
                    && self.context.may(Action::PutObject, Resource::Object(&target.bucket, &key))
            }
        };
        if may && may_look {
            Ok(())
        } else {
            Err(("AccessDenied", 403, "the author of the batch may not do this"))
        }
    }

    /// Tags are read and given by rights of their own.
    fn carried(&self, from: Item<'_>, to: Item<'_>) -> Carried {
        let may = |action, item: Item<'_>| self.context.may(action, Resource::Object(item.bucket, item.key));
        match may(Action::GetObjectTagging, from) && may(Action::PutObjectTagging, to) {
            true => Carried::Tags,
            false => Carried::NoTags,
        }
    }

    /// Of what goes to another server or comes from one, this server's right counts here; there it is that of the keys.
    fn tags_if(&self, action: Action, item: Item<'_>) -> Carried {
        match self.context.may(action, Resource::Object(item.bucket, item.key)) {
            true => Carried::Tags,
            false => Carried::NoTags,
        }
    }

    /// Tries as often as the batch says.
    async fn attempts(&self, task: &Task) -> Result<Replicated, ItemError> {
        let mut left = self.spec.attempts;
        loop {
            left = left.saturating_sub(1);
            match self.once(task).await {
                Err(error) if error.may_work_later && left > 0 => {
                    tokio::time::sleep(Duration::from_millis(self.spec.delay_ms)).await;
                }
                ended => return ended,
            }
        }
    }

    async fn once(&self, task: &Task) -> Result<Replicated, ItemError> {
        let bulk = &*self.parts.bulk;
        let etag = task.etag.as_deref();
        let from = Item { bucket: &task.bucket, key: &task.key, etag };
        match &self.spec.does {
            Does::Expire | Does::Delete => bulk.delete(&task.bucket, &task.key, etag).await?,
            Does::Tag(change) => bulk.tag(from, change).await?,
            Does::Copy { target, replace } => {
                let key = self.spec.key_in(target, &task.key);
                let to = Item { bucket: &target.bucket, key: &key, etag: None };
                let there = if *replace { There::Replaced } else { There::Kept };
                bulk.copy(from, to, there, self.carried(from, to)).await?;
            }
            Does::Replicate(replication) => return self.replicate(from, replication).await,
        }
        Ok(Replicated::Copied)
    }

    async fn replicate(&self, from: Item<'_>, to: &Replication) -> Result<Replicated, ItemError> {
        let remote = self.remote.ok_or_else(|| ItemError {
            code: "ServiceUnavailable",
            status: 503,
            message: "the other server is not connected".into(),
            may_work_later: true,
        })?;
        let key = to.key(from.key);
        let target = Item { bucket: &to.target.bucket, key: &key, etag: None };
        let there = if to.replace { There::Replaced } else { There::Kept };
        match to.way {
            Way::Push => {
                let carried = self.tags_if(Action::GetObjectTagging, from);
                remote.push(from, target, there, carried).await
            }
            Way::Pull => {
                let carried = self.tags_if(Action::PutObjectTagging, target);
                remote.pull(from, target, there, carried).await
            }
        }
    }
}
