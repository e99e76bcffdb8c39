//! Metadata of a user-defined function (REST spec, `FunctionMetadata`), format version 1.
//!
//! The catalog keeps functions and does not interpret them: the document is checked to have the
//! specification's shape and then stays as it came, fields nobody knows included.

use std::collections::BTreeSet;

use serde_json::Value;

use super::object::{InvalidMetadata, ObjectReader};
use super::requirement::uuid_of;

/// The one format version of functions.
const FORMAT_VERSION: i64 = 1;
/// How deep a parameter's type may nest.
const TYPE_DEPTH_MAX: usize = 32;

/// The metadata of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionMetadata {
    json: Value,
}

impl FunctionMetadata {
    /// Reads a function, checked to have the specification's shape.
    pub fn from_json(value: Value) -> Result<Self, InvalidMetadata> {
        let mut object = ObjectReader::new("function", value.clone())?;
        uuid_of(&object.string("function-uuid")?)?;
        let version = object.i64("format-version")?;
        if version != FORMAT_VERSION {
            let message =
                format!("format version {version} of functions is not supported ({FORMAT_VERSION} is)");
            return Err(InvalidMetadata::new(message));
        }
        let (mut ids, mut specific_names) = (BTreeSet::new(), BTreeSet::new());
        for definition in object.array("definitions")? {
            let (id, specific_name) = check_definition(definition)?;
            if !ids.insert(id.clone()) {
                return Err(InvalidMetadata::new(format!("definition '{id}' is there more than once")));
            }
            if let Some(name) = specific_name
                && !specific_names.insert(name.clone())
            {
                return Err(InvalidMetadata::new(format!("specific name '{name}' is there more than once")));
            }
        }
        if ids.is_empty() {
            return Err(InvalidMetadata::new("a function has no definition"));
        }
        object.array("definition-log")?.into_iter().try_for_each(check_log_entry)?;
        object.string_opt("location")?;
        object.string_opt("doc")?;
        object.bool_opt("secure")?;
        object.string_map_opt("properties")?;
        Ok(Self { json: value })
    }

    /// The JSON object.
    pub fn json(&self) -> &Value {
        &self.json
    }
}

/// A definition's id and specific name.
fn check_definition(value: Value) -> Result<(String, Option<String>), InvalidMetadata> {
    let mut object = ObjectReader::new("function definition", value)?;
    let id = object.string("definition-id")?;
    let specific_name = object.string_opt("specific-name")?;
    let mut types = Vec::new();
    let mut names = BTreeSet::new();
    for parameter in object.array("parameters")? {
        let mut parameter = ObjectReader::new("function parameter", parameter)?;
        let name = parameter.string("name")?;
        if !names.insert(name.clone()) {
            return Err(InvalidMetadata::new(format!("parameter '{name}' is there more than once")));
        }
        parameter.string_opt("doc")?;
        let of = parameter.required("type")?;
        check_type(&of, 0)?;
        types.push(of);
    }
    check_definition_id(&id, &types)?;
    let returned = object.required("return-type")?;
    check_type(&returned, 0)?;
    match object.string("function-type")?.as_str() {
        "udf" => {}
        "udtf" if returned.get("type").and_then(Value::as_str) == Some("struct") => {}
        "udtf" => return Err(InvalidMetadata::new("the return type of a udtf is a struct")),
        other => return Err(InvalidMetadata::new(format!("unknown function type '{other}'"))),
    }
    object.bool_opt("return-nullable")?;
    object.string_opt("doc")?;
    let current = object.i64("current-version-id")?;
    let mut versions = BTreeSet::new();
    for version in object.array("versions")? {
        let id = check_version(version)?;
        if !versions.insert(id) {
            return Err(InvalidMetadata::new(format!("version {id} is there more than once")));
        }
    }
    if !versions.contains(&current) {
        return Err(InvalidMetadata::new(format!("the current version {current} does not exist")));
    }
    Ok((id, specific_name))
}

/// The id says the parameters' types, where each has a plain name.
fn check_definition_id(id: &str, types: &[Value]) -> Result<(), InvalidMetadata> {
    let names: Option<Vec<&str>> = types.iter().map(Value::as_str).collect();
    match names.map(|names| names.join(",")) {
        Some(expected) if expected != id => {
            Err(InvalidMetadata::new(format!("definition '{id}' has parameters of types '{expected}'")))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_version(value: Value) -> Result<i64, InvalidMetadata> {
    let mut object = ObjectReader::new("function version", value)?;
    let id = object.i64("version-id")?;
    object.i64("timestamp-ms")?;
    object.bool_opt("deterministic")?;
    if let Some(on_null) = object.string_opt("on-null-input")?
        && !["return-null", "call"].contains(&on_null.as_str())
    {
        return Err(InvalidMetadata::new(format!(
            "on-null-input '{on_null}' is neither return-null nor call"
        )));
    }
    let representations = object.array("representations")?;
    if representations.is_empty() {
        return Err(InvalidMetadata::new(format!("version {id} has no representation")));
    }
    let mut dialects = BTreeSet::new();
    for representation in representations {
        let mut object = ObjectReader::new("function representation", representation)?;
        let kind = object.string("type")?;
        if kind != "sql" {
            return Err(InvalidMetadata::new(format!("unknown function representation '{kind}'")));
        }
        object.string("sql")?;
        let dialect = object.string("dialect")?;
        if !dialects.insert(dialect.to_lowercase()) {
            return Err(InvalidMetadata::new(format!("more than one body for dialect '{dialect}'")));
        }
    }
    Ok(id)
}

fn check_log_entry(value: Value) -> Result<(), InvalidMetadata> {
    let mut object = ObjectReader::new("definition log entry", value)?;
    object.i64("timestamp-ms")?;
    for reference in object.array("definition-versions")? {
        let mut reference = ObjectReader::new("definition version", reference)?;
        reference.string("definition-id")?;
        reference.i64("version-id")?;
    }
    Ok(())
}

/// A type is its name, or a list, map or struct.
fn check_type(value: &Value, depth: usize) -> Result<(), InvalidMetadata> {
    if depth > TYPE_DEPTH_MAX {
        return Err(InvalidMetadata::new(format!("a type nests deeper than {TYPE_DEPTH_MAX} levels")));
    }
    if let Value::String(name) = value {
        let plain = !name.is_empty() && !name.contains([' ', '"', '\'']);
        return if plain { Ok(()) } else { Err(InvalidMetadata::new(format!("'{name}' is not a type"))) };
    }
    let mut object = ObjectReader::new("function type", value.clone())?;
    match object.string("type")?.as_str() {
        "list" => check_type(&object.required("element")?, depth + 1),
        "map" => {
            check_type(&object.required("key")?, depth + 1)?;
            check_type(&object.required("value")?, depth + 1)
        }
        "struct" => object.array("fields")?.into_iter().try_for_each(|field| {
            let mut field = ObjectReader::new("function type field", field)?;
            field.string("name")?;
            check_type(&field.required("type")?, depth + 1)
        }),
        other => Err(InvalidMetadata::new(format!("unknown nested type '{other}'"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn add_one() -> Value {
        json!({
            "function-uuid": "fa6506c3-7681-40c8-86dc-e36561f83385", "format-version": 1, "x-kept": [1],
            "definitions": [{
                "definition-id": "int,string", "specific-name": "add_one_int", "function-type": "udf",
                "parameters": [{"type": "int", "name": "x", "doc": "a number"}, {"type": "string", "name": "y"}],
                "return-type": {"type": "list", "element": "int", "element-id": 3},
                "current-version-id": 1,
                "versions": [{
                    "version-id": 1, "timestamp-ms": 1, "deterministic": true, "on-null-input": "return-null",
                    "representations": [{"type": "sql", "dialect": "spark", "sql": "array(x + 1)"}],
                }],
            }],
            "definition-log": [
                {"timestamp-ms": 1, "definition-versions": [{"definition-id": "int,string", "version-id": 1}]},
            ],
            "properties": {"a": "b"}, "secure": false, "doc": "adds one", "location": "s3://main/f",
        })
    }

    #[test]
    fn a_function_of_the_specifications_shape_stays_as_it_came() {
        assert_eq!(FunctionMetadata::from_json(add_one()).unwrap().json(), &add_one());
    }

    #[test]
    fn what_no_function_can_be_is_refused_by_name() {
        let deep = (0..40).fold(json!("int"), |inner, _| json!({"type": "list", "element": inner}));
        let definition = add_one()["definitions"][0].clone();
        let version = definition["versions"][0].clone();
        for (path, value, named) in [
            ("/function-uuid", json!("x"), "UUID"),
            ("/format-version", json!(2), "format version 2"),
            ("/definitions", json!([]), "no definition"),
            ("/definitions", json!([definition, definition]), "'int,string' is there more than once"),
            ("/definition-log", json!(null), "definition-log"),
            ("/definition-log/0/definition-versions/0/version-id", json!("a"), "version-id"),
            ("/properties", json!({"a": 1}), "properties"),
            ("/secure", json!("no"), "secure"),
            ("/definitions/0/definition-id", json!("long"), "types 'int,string'"),
            ("/definitions/0/function-type", json!("udtf"), "udtf is a struct"),
            ("/definitions/0/function-type", json!("agg"), "'agg'"),
            ("/definitions/0/parameters/1/name", json!("x"), "parameter 'x'"),
            ("/definitions/0/parameters/0/type", json!("big int"), "'big int'"),
            ("/definitions/0/parameters/0/type", json!({"type": "set"}), "'set'"),
            ("/definitions/0/return-type", deep, "deeper"),
            ("/definitions/0/return-type", json!({"type": "struct", "fields": [{"name": "a"}]}), "'type'"),
            ("/definitions/0/current-version-id", json!(2), "current version 2"),
            ("/definitions/0/versions", json!([version, version]), "version 1 is there"),
            ("/definitions/0/versions/0/representations", json!([]), "no representation"),
            ("/definitions/0/versions/0/representations/0/type", json!("wasm"), "'wasm'"),
            ("/definitions/0/versions/0/on-null-input", json!("fail"), "'fail'"),
        ] {
            let mut broken = add_one();
            *broken.pointer_mut(path).unwrap() = value;
            let error = FunctionMetadata::from_json(broken).unwrap_err().to_string();
            assert!(error.contains(named), "{path}: {error}");
        }
    }
}
