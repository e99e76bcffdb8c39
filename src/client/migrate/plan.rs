//! What becomes of each name: decided from what both catalogs say.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Namespace,
    Table,
    View,
}

/// What is planned for a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    /// A namespace to make with these properties.
    Create(BTreeMap<String, String>),
    /// A metadata file to register.
    Register { location: String },
    /// A view whose file lies elsewhere, to make anew from its current version: a view has no other files. `from` is the
    /// file that `view` was read from, where the other catalog names one.
    Copy { view: Box<Value>, from: Option<String> },
    /// It is there already, the same.
    Done,
    /// Another one has the name here, with this metadata file.
    Clash { here: String },
    /// Its file does not lie in the bucket of the warehouse, so this server cannot read it.
    Elsewhere { location: String },
    /// Its file should lie in the bucket and does not.
    Missing { location: String },
    /// The other catalog cannot load it: why.
    Unreadable(String),
}

/// What became of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was to do, or nothing was tried.
    Untouched,
    /// It is here now.
    Made,
    /// It was refused, or the answer did not come: why.
    Failed(String),
    /// It is here, and the other catalog has gone on to this metadata file meanwhile (MG3).
    MovedOn(String),
}

/// A name, what is planned for it, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) namespace: Vec<String>,
    /// None of a namespace.
    pub(crate) name: Option<String>,
    pub(crate) fate: Fate,
    pub(crate) outcome: Outcome,
}

impl Kind {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Table => "table",
            Self::View => "view",
        }
    }

    /// The collection in paths.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Namespace => "namespaces",
            Self::Table => "tables",
            Self::View => "views",
        }
    }
}

impl Fate {
    /// A word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Register { .. } => "register",
            Self::Copy { .. } => "copy",
            Self::Done => "done",
            Self::Clash { .. } => "clash",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Missing { .. } => "missing",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Why it will not come along; `None` when it will, or is there.
    pub(crate) fn obstacle(&self) -> Option<String> {
        match self {
            Self::Create(_) | Self::Register { .. } | Self::Copy { .. } | Self::Done => None,
            Self::Clash { here } => Some(format!("another one has the name here: {here}")),
            Self::Elsewhere { location } => Some(format!("it lies outside the warehouse: {location}")),
            Self::Missing { location } => Some(format!("the metadata file is not there: {location}")),
            Self::Unreadable(why) => Some(why.clone()),
        }
    }
}

impl Item {
    pub(super) fn new(kind: Kind, namespace: Vec<String>, name: Option<String>, fate: Fate) -> Self {
        Self { kind, namespace, name, fate, outcome: Outcome::Untouched }
    }

    pub(crate) fn full_name(&self) -> String {
        match &self.name {
            Some(name) => format!("{}.{name}", self.namespace.join(".")),
            None => self.namespace.join("."),
        }
    }

    /// Whether it is not here as it is there, after a migration.
    pub(crate) fn is_left_behind(&self) -> bool {
        match self.outcome {
            Outcome::Made => false,
            Outcome::Untouched => self.fate.obstacle().is_some(),
            Outcome::Failed(_) | Outcome::MovedOn(_) => true,
        }
    }
}

/// What there is of a table or view in both catalogs.
pub(super) struct Seen<'a> {
    pub(super) kind: Kind,
    /// As the other catalog loads it.
    pub(super) there: &'a Value,
    /// The metadata file of the one with its name here.
    pub(super) here: Option<&'a str>,
    /// Of a view here that was made anew: the file it was made from.
    pub(super) made_from: Option<&'a str>,
}

/// The property of a view that was made anew: the metadata file it was made from, `-` where that has no name.
pub(super) const MADE_FROM: &str = "tarn.migrated-from";

/// Where to look for a metadata file, if that may decide: the key in the bucket of the warehouse.
pub(super) fn key<'a>(warehouse: &str, location: &'a str) -> Option<&'a str> {
    location.strip_prefix("s3://")?.strip_prefix(warehouse)?.strip_prefix('/').filter(|key| !key.is_empty())
}

/// What to do with a table or view; `exists`: its metadata file is there.
pub(super) fn decide(warehouse: &str, seen: &Seen<'_>, exists: bool) -> Fate {
    let named = seen.there["metadata-location"].as_str();
    if seen.made_from.is_some_and(|from| from == named.unwrap_or("-")) {
        return Fate::Done;
    }
    let copy = |from: Option<&str>| Fate::Copy {
        view: Box::new(seen.there["metadata"].clone()),
        from: from.map(str::to_owned),
    };
    let Some(location) = named else {
        return match seen.kind {
            Kind::View if seen.here.is_none() => copy(None),
            Kind::View | Kind::Table | Kind::Namespace => {
                Fate::Unreadable("the other catalog names no metadata file".into())
            }
        };
    };
    match seen.here {
        Some(here) if here == location => return Fate::Done,
        Some(here) => return Fate::Clash { here: here.to_owned() },
        None => {}
    }
    match (key(warehouse, location), seen.kind) {
        (Some(_), _) if exists => Fate::Register { location: location.to_owned() },
        (Some(_), Kind::Table | Kind::Namespace) => Fate::Missing { location: location.to_owned() },
        (None, Kind::Table | Kind::Namespace) => Fate::Elsewhere { location: location.to_owned() },
        (Some(_) | None, Kind::View) => copy(Some(location)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fate(kind: Kind, location: &str, here: Option<&str>, exists: bool) -> &'static str {
        let there = json!({"metadata-location": location, "metadata": {}});
        decide("main", &Seen { kind, there: &there, here, made_from: None }, exists).word()
    }

    #[test]
    fn a_table_is_registered_only_from_a_file_of_the_warehouse_and_only_onto_a_free_name() {
        for (location, here, exists, expected) in [
            ("s3://main/t/1.json", None, true, "register"),
            ("s3://main/t/1.json", None, false, "missing"),
            ("s3://main/t/1.json", Some("s3://main/t/1.json"), false, "done"),
            ("s3://main/t/2.json", Some("s3://main/t/1.json"), true, "clash"),
            ("s3://main2/t/1.json", None, true, "elsewhere"),
            ("s3://main/", None, true, "elsewhere"),
            ("gs://main/t/1.json", None, true, "elsewhere"),
            ("s3a://main/t/1.json", None, true, "elsewhere"),
        ] {
            assert_eq!(fate(Kind::Table, location, here, exists), expected, "{location} {here:?} {exists}");
        }
    }

    #[test]
    fn a_view_whose_file_cannot_be_registered_is_made_anew() {
        assert_eq!(fate(Kind::View, "s3://main/v/1.json", None, true), "register");
        assert_eq!(fate(Kind::View, "s3://main/v/1.json", None, false), "copy");
        assert_eq!(fate(Kind::View, "s3://other/v/1.json", None, false), "copy");
        let nowhere = json!({"metadata": {}});
        let seen = |kind| Seen { kind, there: &nowhere, here: None, made_from: None };
        assert_eq!(decide("main", &seen(Kind::View), false).word(), "copy");
        assert_eq!(decide("main", &seen(Kind::Table), false).word(), "unreadable");
        let elsewhere = json!({"metadata-location": "s3://other/v/1.json", "metadata": {}});
        let made = |from| {
            let here = Some("s3://main/v/9.json");
            decide("main", &Seen { kind: Kind::View, there: &elsewhere, here, made_from: from }, false)
        };
        assert_eq!(made(Some("s3://other/v/1.json")).word(), "done");
        assert_eq!((made(Some("s3://other/v/0.json")).word(), made(None).word()), ("clash", "clash"));
    }
}
