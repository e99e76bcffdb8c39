//! The rules of the house that a machine can check: who may depend on whom, one arrow, licences.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Every crate of ours and the crates of ours it may use. `tarn-tests` and `tarn-bench` may use all.
const MAY_USE: [(&str, &[&str]); 7] = [
    ("tarn-openapi", &[]),
    ("tarn-objectcore", &["tarn-openapi"]),
    ("tarn-catalog", &["tarn-openapi"]),
    ("tarn-sharing", &["tarn-openapi", "tarn-catalog"]),
    ("tarn-inventory", &["tarn-openapi", "tarn-catalog"]),
    ("tarn-sql", &["tarn-openapi", "tarn-catalog", "tarn-inventory"]),
    (
        "tarn",
        &["tarn-openapi", "tarn-objectcore", "tarn-catalog", "tarn-sharing", "tarn-inventory", "tarn-sql"],
    ),
];

/// Crates that would put a second copy of a type on both sides of one of our borders.
const ONE_COPY: [&str; 7] =
    ["arrow-array", "arrow-schema", "parquet", "object_store", "axum", "rustls", "tokio"];

/// One TLS and crypto provider: ring.
const REFUSED: [&str; 3] = ["aws-lc-rs", "aws-lc-sys", "openssl-sys"];

/// Licences that go with Apache-2.0 in one binary. MPL-2.0 is a copyleft of single files: its
/// crates (imbl) are used unchanged.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let output = Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--format-version=1",
                "--locked",
                "--filter-platform=x86_64-unknown-linux-gnu",
            ])
            .arg("--manifest-path")
            .arg(manifest)
            .output()
            .expect("cargo metadata runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("cargo metadata answers JSON")
    })
}

/// The packages that are built here: id, name, version.
fn built() -> Vec<(&'static str, &'static Value)> {
    let metadata = metadata();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let ids: BTreeSet<&str> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    let packages = metadata["packages"].as_array().unwrap();
    let named = packages.iter().map(|package| (package["id"].as_str().unwrap(), package));
    named.filter(|(id, _)| ids.contains(id)).collect()
}

#[test]
fn crates_depend_only_in_the_direction_of_the_design() {
    let rules: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let mut seen = BTreeSet::new();
    for (_, package) in built() {
        let name = package["name"].as_str().unwrap();
        let Some(allowed) = rules.get(name) else { continue };
        seen.insert(name);
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            let ours = used == "tarn" || used.starts_with("tarn-");
            assert!(!ours || allowed.contains(&used), "{name} must not depend on {used}");
        }
    }
    assert_eq!(seen.len(), rules.len(), "a crate of the design is missing: {seen:?}");
}

#[test]
fn shared_libraries_are_there_once() {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (_, package) in built() {
        let name = package["name"].as_str().unwrap();
        versions.entry(name).or_default().push(package["version"].as_str().unwrap());
    }
    for name in ONE_COPY {
        assert_eq!(versions.get(name).map(Vec::len), Some(1), "{name}: {:?}", versions.get(name));
    }
    for name in REFUSED {
        assert!(!versions.contains_key(name), "{name} would be a second crypto provider");
    }
}

#[test]
fn every_licence_goes_with_apache_2() {
    let allowed: Vec<spdx::Licensee> =
        LICENCES.iter().map(|licence| spdx::Licensee::parse(licence).expect(licence)).collect();
    for (id, package) in built() {
        let text = package["license"].as_str().unwrap_or_else(|| panic!("{id} names no licence"));
        let licence = spdx::Expression::parse_mode(text, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        let fits = licence.evaluate(|wanted| allowed.iter().any(|licensee| licensee.satisfies(wanted)));
        assert!(fits, "{id} has the licence {text}");
    }
}
