//! Definitions of jobs: documents of the catalog's log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schedule::Schedule;
use super::work::InvalidSpec;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// The longest specification as JSON, in bytes: each checkpoint of a run is kept with it.
const SPEC_BYTES_MAX: usize = 128 * 1024;
/// Items per second that may be asked for.
const RATE_MAX: u64 = 1_000_000_000;

/// What is to be done, when, and for whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name among all jobs: 1 to 255 characters. Of an inventory `<bucket>/<id>`.
    pub name: String,
    /// The kind of work.
    pub kind: String,
    /// What that kind does, in its full form.
    pub spec: Value,
    /// When it runs.
    pub schedule: Schedule,
    /// Whether the schedule holds. Runs can be asked for all the same.
    pub enabled: bool,
    /// Whose rights it has.
    pub author: Author,
    /// Which goes first when several wait.
    #[serde(default)]
    pub priority: Priority,
    /// Items it looks at per second at most; `None`: as the server allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_per_second_max: Option<u64>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
}

/// A definition to put.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewDefinition {
    /// Its name among all jobs.
    pub name: String,
    /// The kind of work.
    pub kind: String,
    /// What that kind does.
    pub spec: Value,
    /// When it runs.
    #[serde(default = "once")]
    pub schedule: Schedule,
    /// Whether the schedule holds.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Which goes first when several wait.
    #[serde(default)]
    pub priority: Priority,
    /// Items it looks at per second at most.
    #[serde(default)]
    pub items_per_second_max: Option<u64>,
}

fn once() -> Schedule {
    Schedule::Once
}

fn yes() -> bool {
    true
}

impl NewDefinition {
    /// Refuses what is out of its limits, whatever the kind of work.
    pub(super) fn check(&self) -> Result<(), InvalidSpec> {
        let invalid = |at: &str, message: String| Err(InvalidSpec::Field { at: at.into(), message });
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let parts = self.name.split('/');
        let is_name = self.name.len() <= NAME_BYTES_MAX
            && self.name.bytes().all(named)
            && parts.into_iter().all(|part| !matches!(part, "" | "." | ".."));
        if !is_name || self.name == "runs" {
            let allowed = "letters, digits, '.', '_', '-', and '/' between parts; not 'runs'";
            return invalid("name", format!("a name has 1 to {NAME_BYTES_MAX} of {allowed}"));
        }
        if self.spec.to_string().len() > SPEC_BYTES_MAX {
            return invalid("spec", format!("a specification has at most {SPEC_BYTES_MAX} bytes as JSON"));
        }
        if self.items_per_second_max.is_some_and(|rate| !(1..=RATE_MAX).contains(&rate)) {
            return invalid("items_per_second_max", format!("1 to {RATE_MAX}"));
        }
        self.schedule.check().or_else(|error| invalid("schedule", error.to_string()))
    }

    /// The definition this makes, of `author`, at `now_ms`. One that changes nothing in `before` stays as it was.
    pub(super) fn over(self, before: Option<&Definition>, author: Author, now_ms: i64) -> Definition {
        let Self { name, kind, spec, schedule, enabled, priority, items_per_second_max } = self;
        let created_ms = before.map_or(now_ms, |before| before.created_ms);
        let was_ms = before.map_or(now_ms, |before| before.changed_ms);
        let mut made = Definition {
            name,
            kind,
            spec,
            schedule,
            enabled,
            author,
            priority,
            items_per_second_max,
            created_ms,
            changed_ms: was_ms,
        };
        if before.is_some_and(|before| *before != made) {
            // A clock that goes back must not make it look as if it had run since.
            made.changed_ms = now_ms.max(was_ms + 1);
        }
        made
    }
}

impl Definition {
    /// When it is due, given when its last run began to wait: at once after a change, then as its schedule says.
    pub(super) fn due_ms(&self, last_ms: Option<i64>) -> Option<i64> {
        if !self.enabled {
            return None;
        }
        match last_ms.filter(|last_ms| *last_ms >= self.changed_ms) {
            Some(last_ms) => self.schedule.next(self.changed_ms, last_ms),
            None => Some(self.changed_ms),
        }
    }
}

/// Who made a job: it runs with the rights its author has then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The access key; `None` is root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What tells the key from another of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Which job goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// When nothing else waits.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Before others.
    High,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn new(name: &str) -> NewDefinition {
        serde_json::from_value(json!({"name": name, "kind": "test", "spec": {}})).unwrap()
    }

    #[test]
    fn names_and_limits_are_checked() {
        for name in ["nightly", "bucket.a/id-1"] {
            new(name).check().unwrap();
        }
        for name in ["", "runs", "a b", "/a", "a/", "a/../b", "caf\u{e9}", &"x".repeat(256)] {
            assert!(
                matches!(new(name).check(), Err(InvalidSpec::Field { at, .. }) if at == "name"),
                "{name}"
            );
        }
        let large = NewDefinition { spec: json!("x".repeat(SPEC_BYTES_MAX)), ..new("a") };
        assert!(large.check().unwrap_err().to_string().starts_with("spec: "));
        let slow = NewDefinition { items_per_second_max: Some(0), ..new("a") };
        assert!(slow.check().unwrap_err().to_string().contains("1 to 1000000000"));
        let never = NewDefinition { schedule: Schedule::Cron("never".into()), ..new("a") };
        assert!(never.check().unwrap_err().to_string().starts_with("schedule: "));
    }

    #[test]
    fn a_changed_definition_is_due_at_once_and_an_unchanged_one_when_its_schedule_says() {
        let author = || Author { key: None, fingerprint: None };
        let hourly = || NewDefinition { schedule: Schedule::Hourly, ..new("a") };
        let first = hourly().over(None, author(), 1000);
        assert_eq!((first.due_ms(None), first.due_ms(Some(1000))), (Some(1000), Some(1000 + 3_600_000)));
        let same = hourly().over(Some(&first), author(), 9000);
        assert_eq!(same, first);
        let changed = NewDefinition { spec: json!({"a": 1}), ..hourly() }.over(Some(&first), author(), 9000);
        assert_eq!((changed.created_ms, changed.due_ms(Some(1000))), (1000, Some(9000)));
        let disabled = Definition { enabled: false, ..changed };
        assert_eq!(disabled.due_ms(None), None);
    }
}
