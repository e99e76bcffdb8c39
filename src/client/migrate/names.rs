//! Which names go along.

/// Patterns of dotted names, `*` any text and `?` any character: `sales.*` is all in `sales`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Globs {
    /// One of them; none is all.
    pub(crate) include: Vec<String>,
    /// None of them.
    pub(crate) exclude: Vec<String>,
}

impl Globs {
    /// Whether a table or view goes along, or, without a name, a namespace.
    pub(super) fn pass(&self, namespace: &[String], name: Option<&str>) -> bool {
        let mut full = namespace.join(".");
        if let Some(name) = name {
            full = format!("{full}.{name}");
        }
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, &full));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[from] => (at, from) = (at + 1, from + 1),
            Some(_) | None => {
                let Some((star_at, star_from)) = star else { return false };
                star = Some((star_at, star_from + 1));
                (at, from) = (star_at + 1, star_from + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(include: &[&str], exclude: &[&str], name: &str) -> bool {
        let own = |patterns: &[&str]| patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let globs = Globs { include: own(include), exclude: own(exclude) };
        let mut levels: Vec<String> = name.split('.').map(str::to_owned).collect();
        let table = levels.pop();
        globs.pass(&levels, table.as_deref())
    }

    #[test]
    fn names_pass_by_patterns() {
        assert!(pass(&[], &[], "a.b.t"));
        assert!(pass(&["a.*"], &[], "a.b.t") && !pass(&["a.*"], &[], "b.t"));
        assert!(!pass(&["a.*"], &["*.t"], "a.b.t") && pass(&["a.*"], &["*.t"], "a.b.u"));
        assert!(pass(&["x.*", "a.?.t"], &[], "a.b.t") && !pass(&["a.?.t"], &[], "a.bb.t"));
        assert!(pass(&["*s"], &[], "a.orders") && !pass(&["*s"], &[], "a.order"));
    }
}
