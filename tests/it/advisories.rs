//! `docs/ADVISORIES.md` names tests: each must be there.

use std::collections::BTreeSet;
use std::path::Path;

/// The names of tests of advisories in a text, behind `mark`.
fn names(text: &str, mark: &str) -> BTreeSet<String> {
    let families = ["cve_", "ghsa_"].map(|family| format!("{mark}{family}"));
    let found = families.iter().flat_map(|begin| text.match_indices(begin.as_str()));
    let named = found.map(|(at, _)| {
        let rest = &text[at + mark.len()..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest[..end].to_owned()
    });
    named.collect()
}

/// The names of the tests in the sources below a folder.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            found.extend(names(&text, concat!("f", "n ")));
        }
    }
}

#[test]
fn every_advisory_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = names(include_str!("../../docs/ADVISORIES.md"), "`");
    let mut there = BTreeSet::new();
    for folder in
        ["src", "catalog/src", "objectcore/src", "openapi/src", "inventory/src", "sql/src", "tests/it"]
    {
        tests_below(&root.join(folder), &mut there);
    }
    assert!(there.len() > 20, "{there:?}");
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "named in docs/ADVISORIES.md and not there: {missing:?}");
}
