use std::collections::HashMap;
use std::io::{Seek as _, Write as _};

use serde_json::json;

use super::*;

/// Two runs of CSV as AWS has it; the second in two files.
fn compared(old: &[&str], new: &[&[&str]]) -> Result<Difference, CompareError> {
    let mut files: HashMap<String, String> = HashMap::new();
    let mut report = |name: &str, parts: &[&[&str]]| {
        let keys: Vec<String> = (0..parts.len()).map(|part| format!("{name}{part}.csv")).collect();
        for (key, part) in keys.iter().zip(parts) {
            files.insert(key.clone(), part.join("\n"));
        }
        let listed: Vec<_> =
            keys.iter().map(|key| json!({"key": key, "size": 1, "MD5checksum": ""})).collect();
        let manifest = json!({"fileFormat": "CSV", "fileSchema": "Bucket, Key, Size", "files": listed});
        Report::read(manifest.to_string().as_bytes()).unwrap()
    };
    let (from, to) = (report("old", &[old]), report("new", new));
    compare(&from, &to, |key| {
        let path = std::env::temp_dir().join(format!("{}-{key}", uuid::Uuid::new_v4()));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(path)?;
        file.write_all(files[key].as_bytes())?;
        file.rewind()?;
        Ok(file)
    })
}

#[test]
fn what_was_added_removed_and_changed_is_told_over_the_bounds_of_files() {
    let old = [r#""b","a","1""#, r#""b","a%20b","2""#, r#""b","c","3""#, r#""b","e","3""#];
    let new = [
        &[r#""b","a","1""#, r#""b","a%20b","5""#, r#""b","b%2Cx","9""#][..],
        &[r#""b","e","3""#, r#""b","%C3%A9","0""#],
    ];
    let difference = compared(&old, &new).unwrap();
    assert_eq!((difference.from_rows, difference.to_rows), (4, 5));
    let told = |keys: &Keys| (keys.count, keys.keys.clone());
    assert_eq!(told(&difference.added), (2, vec!["b,x".into(), "\u{e9}".into()]));
    assert_eq!(told(&difference.removed), (1, vec!["c".into()]));
    assert_eq!(told(&difference.changed), (1, vec!["a b".into()]));
}

#[test]
fn two_equal_runs_differ_in_nothing_and_an_empty_one_in_all() {
    let rows = [r#""b","a","1""#, r#""b","c","3""#];
    let same = compared(&rows, &[&rows]).unwrap();
    assert_eq!((same.added.count, same.removed.count, same.changed.count), (0, 0, 0));
    assert_eq!(compared(&rows, &[]).unwrap().removed.count, 2);
    assert_eq!(compared(&[], &[&rows]).unwrap().added.count, 2);
}

#[test]
fn only_the_first_keys_are_told_but_all_are_counted() {
    let rows: Vec<String> = (0..250).map(|number| format!("\"b\",\"{number:03}\",\"1\"")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let added = compared(&[], &[&rows]).unwrap().added;
    assert_eq!((added.count, added.keys.len()), (250, KEYS_MAX));
}

#[test]
fn files_that_are_not_what_the_manifest_says_are_refused() {
    let rows = [r#""b","c","1""#, r#""b","a","3""#];
    assert!(matches!(compared(&rows, &[&rows]), Err(CompareError::Order { row, .. }) if row == "a"));
    assert!(matches!(compared(&["\"b\""], &[&rows]), Err(CompareError::File { .. })));
    let report = |format: &str, schema: &str| {
        let manifest = json!({"fileFormat": format, "fileSchema": schema, "files": []});
        Report::read(manifest.to_string().as_bytes()).unwrap()
    };
    let none = |_: &str| Err(io::Error::other("no file"));
    let unlike = compare(&report("CSV", "Key"), &report("CSV", "Key, Size"), none);
    assert!(matches!(unlike, Err(CompareError::Unlike)));
    let unknown = compare(&report("ORC", ""), &report("ORC", ""), none);
    assert!(matches!(unknown, Err(CompareError::Format(_))));
    assert!(matches!(Report::read(b"{}"), Err(CompareError::Manifest(_))));
}
