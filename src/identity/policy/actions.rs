//! The actions a statement names, worked out once when it is read.

use tarn_openapi::access::{Action, Family};

/// A set of actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionSet(Vec<bool>);

impl Default for ActionSet {
    fn default() -> Self {
        Self(vec![false; Action::ALL.len()])
    }
}

impl ActionSet {
    /// Adds what a text such as `s3:Get*` names; case counts for nothing. A text that names no action is an error: it
    /// would be a rule that never applies.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        let pattern = text.to_ascii_lowercase();
        let mut named = false;
        for (has, action) in self.0.iter_mut().zip(Action::ALL) {
            let mut names = [Some(action.name()), action.second_name()].into_iter().flatten();
            if names.any(|name| wildcard_matches(&pattern, &name.to_ascii_lowercase())) {
                *has = true;
                named = true;
            }
        }
        if named { Ok(()) } else { Err(format!("this server has no action {text:?}")) }
    }

    /// All others.
    pub(super) fn inverted(mut self) -> Self {
        for has in &mut self.0 {
            *has = !*has;
        }
        self
    }

    pub(super) fn has(&self, action: Action) -> bool {
        self.0.get(action as usize).copied().unwrap_or(false)
    }

    /// Whether any of them is done to a resource with an ARN.
    pub(super) fn needs_resource(&self) -> bool {
        let of_resources = |action: &Action| matches!(action.family(), Family::S3 | Family::S3Tables);
        Action::ALL.iter().any(|action| of_resources(action) && self.has(*action))
    }
}

/// `*` is any text, `?` any character. Names of actions are short ASCII: going back to the last `*` is cheap.
fn wildcard_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[from] => {
                at += 1;
                from += 1;
            }
            Some(_) | None => match star {
                Some((star_at, star_from)) => {
                    star = Some((star_at, star_from + 1));
                    (at, from) = (star_at + 1, star_from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ActionSet {
        let mut set = ActionSet::default();
        set.add(text).unwrap();
        set
    }

    #[test]
    fn texts_name_actions_whatever_their_case() {
        assert!(set("s3:getobject").has(Action::GetObject) && !set("s3:getobject").has(Action::GetObjectAcl));
        assert!(set("S3:Get*").has(Action::GetObjectAcl) && !set("s3:Get*").has(Action::PutObject));
        assert!(set("s3:*Object").has(Action::PutObject) && !set("s3:*Object").has(Action::GetObjectAcl));
        assert!(set("s3:?etObject").has(Action::GetObject));
        assert!(Action::ALL.iter().all(|action| set("*").has(*action)));
        assert!(!set("s3:*").has(Action::CreateTable) && !set("s3*").inverted().has(Action::CreateTable));
        assert!(set("s3tables:CreateWarehouse").has(Action::CreateTableBucket));
        assert!(
            ActionSet::default().add("s3:GetObjct").is_err() && ActionSet::default().add("ec2:*").is_err()
        );
    }

    #[test]
    fn the_place_of_an_action_is_its_number() {
        for (place, action) in Action::ALL.iter().enumerate() {
            assert_eq!(*action as usize, place);
        }
    }
}
