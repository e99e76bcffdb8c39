//! Both forms of filters, binding, and what is refused.

use serde_json::{Value as Json, json};

use crate::metadata::Schema;
use crate::scan::bind::{Case, Columns};
use crate::scan::filter::parse;
use crate::scan::write::to_json;

fn schema() -> Schema {
    Schema::from_json(json!({"type": "struct", "fields": [
        {"id": 1, "name": "id", "required": true, "type": "long"},
        {"id": 2, "name": "Name", "required": false, "type": "string"},
        {"id": 3, "name": "at", "required": false, "type": "timestamptz"},
        {"id": 4, "name": "place", "required": false, "type": {"type": "struct", "fields": [
            {"id": 5, "name": "zip", "required": true, "type": "int"},
        ]}},
        {"id": 6, "name": "tags", "required": false, "type": {
            "type": "list", "element-id": 7, "element-required": false, "element": "string",
        }},
        {"id": 8, "name": "ratio", "required": false, "type": "float"},
        {"id": 9, "name": "day", "required": false, "type": "date"},
        {"id": 10, "name": "raw", "required": false, "type": "binary"},
    ]}))
    .unwrap()
}

fn bound_as(case: Case, filter: Json) -> Result<Json, String> {
    let filter = parse(&filter).map_err(|error| error.to_string())?;
    Columns::new(&schema(), case)
        .bind(&filter)
        .map(|bound| to_json(&bound))
        .map_err(|error| error.to_string())
}

fn bound(filter: Json) -> Result<Json, String> {
    bound_as(Case::Sensitive, filter)
}

#[test]
fn the_old_form_and_the_new_one_mean_the_same() {
    let name = || json!({"type": "reference", "name": "Name"});
    let text = |value: &str| json!({"type": "literal", "value": value, "data-type": "string"});
    let old = json!({"type": "eq", "term": "Name", "value": "x"});
    for same in [
        json!({"type": "eq", "term": {"type": "reference", "term": "Name"}, "value": {"type": "literal", "value": "x"}}),
        json!({"type": "EQ", "left": name(), "right": text("x")}),
        json!({"type": "eq", "left": text("x"), "right": {"type": "reference", "id": 2}}),
        json!({"type": "not", "child": {"type": "not_eq", "term": "Name", "value": "x"}}),
    ] {
        assert_eq!(bound(same.clone()), Ok(old.clone()), "{same}");
    }
    let old = json!({"type": "in", "term": "Name", "values": ["a", "b"]});
    for same in [
        json!({"type": "in", "child": name(), "values": ["b", text("a"), "b"]}),
        json!({"type": "in", "child": name(), "values": {"type": "literals", "values": ["b", "a"], "data-type": "string"}}),
    ] {
        assert_eq!(bound(same.clone()), Ok(old.clone()), "{same}");
    }
    let old = json!({"type": "lt", "term": {"type": "transform", "transform": "bucket[16]", "term": "id"}, "value": 3});
    let id = json!({"type": "reference", "name": "id"});
    for same in [
        json!({"type": "lt", "left": {"type": "apply", "function": "bucket", "arguments": [16, id]}, "right": 3}),
        json!({"type": "gt", "left": 3, "right": {"type": "transform", "transform": "bucket[16]", "term": "id"}}),
    ] {
        assert_eq!(bound(same.clone()), Ok(old.clone()), "{same}");
    }
    let days = json!({"type": "eq", "term": {"type": "transform", "transform": "day", "term": "at"}, "value": "2007-12-03"});
    let at = json!({"type": "reference", "name": "at"});
    for value in [json!("2007-12-03"), json!(13850)] {
        let applied = json!({"type": "eq", "left": {"type": "apply", "function": "days", "arguments": [at]}, "right": value});
        assert_eq!(bound(applied), Ok(days.clone()));
    }
}

#[test]
fn constants_and_what_decides_alone_disappear() {
    let test = json!({"type": "eq", "term": "id", "value": 1});
    for (filter, expected) in [
        (json!(true), json!(true)),
        (json!({"type": "false"}), json!(false)),
        (json!({"type": "literal", "value": true}), json!(true)),
        (json!({"type": "and", "left": true, "right": test}), test.clone()),
        (json!({"type": "or", "left": {"type": "true"}, "right": test}), json!(true)),
        (json!({"type": "not", "child": {"type": "or", "left": false, "right": false}}), json!(true)),
        (json!({"type": "is-null", "term": "id"}), json!(false)),
        (json!({"type": "in", "term": "id", "values": []}), json!(false)),
        (
            json!({"type": "lt", "term": "place.zip", "value": 3_000_000_000_i64}),
            json!({"type": "not-null", "term": "place.zip"}),
        ),
        (json!({"type": "eq", "term": "place.zip", "value": 3_000_000_000_i64}), json!(false)),
    ] {
        assert_eq!(bound(filter.clone()), Ok(expected), "{filter}");
    }
}

#[test]
fn not_is_pushed_down_into_every_test() {
    let filter = json!({"type": "not", "child": {"type": "and",
        "left": {"type": "or", "left": {"type": "lt", "term": "id", "value": 1}, "right": {"type": "is-null", "term": "Name"}},
        "right": {"type": "not", "child": {"type": "starts-with", "term": "Name", "value": "x"}},
    }});
    let expected = json!({"type": "or",
        "left": {"type": "and", "left": {"type": "gt-eq", "term": "id", "value": 1}, "right": {"type": "not-null", "term": "Name"}},
        "right": {"type": "starts-with", "term": "Name", "value": "x"},
    });
    assert_eq!(bound(filter), Ok(expected));
}

#[test]
fn names_are_found_by_their_case_or_without_it() {
    let filter = json!({"type": "eq", "term": "NAME", "value": "x"});
    assert_eq!(bound(filter.clone()), Err("filter: there is no column 'NAME'".into()));
    assert_eq!(bound_as(Case::Insensitive, filter), Ok(json!({"type": "eq", "term": "Name", "value": "x"})));
    let columns = Columns::new(&schema(), Case::Sensitive);
    assert_eq!(columns.field_id("tags.element"), Ok(Some(7)));
    assert_eq!(columns.field_id("_partition.day"), Ok(None));
    assert!(columns.field_id("other").is_err());
}

#[test]
fn whether_a_list_is_null_may_be_asked() {
    let filter = json!({"type": "not-null", "term": "tags"});
    assert_eq!(bound(filter.clone()), Ok(filter));
}

#[test]
fn filters_that_have_no_meaning_are_refused() {
    for filter in [
        json!("id"),
        json!(null),
        json!([]),
        json!({"term": "id"}),
        json!({"type": "like", "term": "id", "value": 1}),
        json!({"type": "eq", "term": "id"}),
        json!({"type": "eq", "term": "id", "value": null}),
        json!({"type": "eq", "term": "id", "value": "1"}),
        json!({"type": "eq", "term": "id", "value": 1.5}),
        json!({"type": "eq", "term": "missing", "value": 1}),
        json!({"type": "eq", "term": "tags", "value": "x"}),
        json!({"type": "eq", "term": "tags.element", "value": "x"}),
        json!({"type": "eq", "term": "at", "value": "2007-12-03T10:15:30"}),
        json!({"type": "starts-with", "term": "id", "value": 1}),
        json!({"type": "is-nan", "term": "id"}),
        json!({"type": "in", "term": "id", "values": 1}),
        json!({"type": "eq", "left": {"type": "reference", "name": "id"}, "right": {"type": "reference", "id": 2}}),
        json!({"type": "eq", "left": {"type": "reference", "id": 99}, "right": 1}),
        json!({"type": "eq", "term": {"type": "transform", "transform": "zorder", "term": "id"}, "value": 1}),
        json!({"type": "eq", "term": {"type": "transform", "transform": "day", "term": "id"}, "value": 1}),
        json!({"type": "eq", "left": {"type": "apply", "function": "upper", "arguments": [{"type": "reference", "name": "Name"}]}, "right": "X"}),
        json!({"type": "eq", "left": {"type": "reference", "name": "Name"}, "right": {"type": "literal", "value": 1, "data-type": "int"}}),
        json!({"type": "eq", "left": {"type": "reference", "name": "id"}, "right": {"type": "literal", "value": "x", "data-type": "int"}}),
    ] {
        assert!(bound(filter.clone()).is_err(), "{filter}");
    }
}
