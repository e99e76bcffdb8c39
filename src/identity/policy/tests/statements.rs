//! Actions, resources, and which statement wins.

use tarn_openapi::access::{Action, Ask, Family, Resource};

use super::super::super::key::{Grant, Policy as GrantPolicy};
use super::super::builtin;
use super::super::grants::granted;
use super::{Question, one};

const KEY: Resource<'_> = Resource::Object("b", "a/k");

#[test]
fn what_nothing_allows_is_not_allowed_and_a_deny_wins() {
    let question = Question::default();
    assert_eq!(question.decide(&one("Allow", "s3:PutObject", "*"), Action::GetObject, KEY), "not allowed");
    let both = r#"{"Statement":[
        {"Effect":"Allow","Action":"s3:*","Resource":"*"},
        {"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/a/*"},
        {"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    assert_eq!(question.decide(both, Action::GetObject, KEY), "denied");
    assert_eq!(question.decide(both, Action::PutObject, KEY), "allowed");
    assert_eq!(question.decide(both, Action::GetObject, Resource::Object("b", "b/k")), "allowed");
}

#[test]
fn resources_are_matched_whole() {
    let question = Question::default();
    for (resource, expected) in [
        ("arn:aws:s3:::b/*", true),
        ("arn:aws:s3:::b/a/?", true),
        ("arn:aws:s3:::*", true),
        ("arn:aws:s3:::b*", true),
        ("arn:aws:s3:::*/k", true),
        ("arn:aws:s3:::*a*k*", true),
        ("arn:aws:s3:::b", false),
        ("arn:aws:s3:::b/a", false),
        ("arn:aws:s3:::b/a/k/", false),
        ("arn:aws:s3:::B/a/k", false),
        ("arn:aws:s3:::/a/k", false),
        ("arn:aws:s3:::b/a/k?", false),
        ("arn:aws:s3tables:::*", false),
    ] {
        let decided = question.decide(&one("Allow", "s3:GetObject", resource), Action::GetObject, KEY);
        assert_eq!(decided == "allowed", expected, "{resource}");
    }
    // A listing is of the bucket; `b/*` is not the bucket.
    let listing = Resource::Listing("b", "a/");
    assert_eq!(
        question.decide(&one("Allow", "s3:*", "arn:aws:s3:::b"), Action::ListBucket, listing),
        "allowed"
    );
    assert_eq!(
        question.decide(&one("Allow", "s3:*", "arn:aws:s3:::b/*"), Action::ListBucket, listing),
        "not allowed"
    );
}

#[test]
fn what_is_not_named_is_all_the_rest() {
    let question = Question::default();
    let not_action = r#"{"Statement":{"Effect":"Allow","NotAction":"s3:Get*","Resource":"*"}}"#;
    assert_eq!(question.decide(not_action, Action::GetObject, KEY), "not allowed");
    assert_eq!(question.decide(not_action, Action::PutObject, KEY), "allowed");
    assert_eq!(question.decide(not_action, Action::CreateUser, Resource::Server), "allowed");
    let not_resource =
        r#"{"Statement":{"Effect":"Deny","Action":"*","NotResource":["arn:aws:s3:::b/*","arn:aws:s3:::b"]}}"#;
    assert_eq!(question.decide(not_resource, Action::GetObject, KEY), "not allowed");
    assert_eq!(question.decide(not_resource, Action::GetObject, Resource::Object("c", "k")), "denied");
}

#[test]
fn rights_to_a_bucket_are_no_rights_to_the_server() {
    let question = Question::default();
    let policy = one("Allow", "*", "arn:aws:s3:::b/*");
    assert_eq!(question.decide(&policy, Action::CreateUser, Resource::Server), "not allowed");
    assert_eq!(question.decide(&policy, Action::ListAllMyBuckets, Resource::Server), "not allowed");
    let unnamed = r#"{"Statement":{"Effect":"Allow","Action":"admin:ServerInfo"}}"#;
    assert_eq!(question.decide(unnamed, Action::ServerInfo, Resource::Server), "allowed");
    assert_eq!(question.decide(unnamed, Action::CreateUser, Resource::Server), "not allowed");
}

#[test]
fn tables_are_named_by_path_or_uuid_and_new_ones_by_their_warehouse() {
    let levels = ["sales".to_owned(), "eu".to_owned()];
    let table = Resource::Table("w", &levels, "orders");
    let question = Question { uuid: Some("0197-aa".into()), ..Question::default() };
    for (resource, load, create) in [
        ("arn:aws:s3tables:::bucket/w/table/sales/eu/orders", true, true),
        ("arn:aws:s3tables:::bucket/w/table/0197-*", true, true),
        ("arn:aws:s3tables:::bucket/w/table/*", true, true),
        ("arn:aws:s3tables:::bucket/w", false, true),
        ("arn:aws:s3tables:::bucket/w/view/*", false, false),
        ("arn:aws:s3tables:::bucket/w2/*", false, false),
        ("arn:aws:s3:::*", false, false),
    ] {
        let policy = one("Allow", "s3tables:*", resource);
        let may = |action| question.decide(&policy, action, table) == "allowed";
        assert_eq!(may(Action::GetTableMetadataLocation), load, "{resource}");
        assert_eq!(may(Action::CreateTable), create, "{resource}");
    }
    let by_uuid = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3tables:*",
        "Resource":"arn:aws:s3tables:::bucket/w/table/0197-aa"}}"#;
    let refused = super::super::document::Policy::parse(by_uuid).unwrap_err().to_string();
    assert!(refused.contains("by UUID"), "a deny that never applies is refused: {refused}");
    let slash = ["sales/eu".to_owned()];
    let policy = one("Allow", "s3tables:*", "arn:aws:s3tables:::bucket/w/table/sales/eu/orders");
    let decided = question.decide(&policy, Action::GetTable, Resource::Table("w", &slash, "orders"));
    assert_eq!(decided, "not allowed", "a slash in a name is no border of segments");
}

#[test]
fn the_policies_every_server_has_mean_what_they_say() {
    let question = Question::default();
    let may = |name: &str, action, resource| {
        question.decide(builtin::text(name).unwrap(), action, resource) == "allowed"
    };
    let levels = ["n".to_owned()];
    let table = Resource::Table("b", &levels, "t");
    for (name, read, write, load, commit, make_user) in [
        ("readonly", true, false, true, false, false),
        ("readwrite", true, true, true, true, false),
        ("writeonly", false, true, false, false, false),
        ("diagnostics", false, false, false, false, false),
        ("tablesReadOnly", false, false, true, false, false),
        ("tablesReadWrite", false, false, true, true, false),
        ("tablesAdmin", false, false, true, true, false),
        ("iamAdmin", false, false, false, false, true),
        ("consoleAdmin", true, true, true, true, true),
    ] {
        assert_eq!(may(name, Action::GetObject, KEY), read, "{name}");
        assert_eq!(may(name, Action::PutObject, KEY), write, "{name}");
        assert_eq!(may(name, Action::GetTableMetadataLocation, table), load, "{name}");
        assert_eq!(may(name, Action::UpdateTableMetadataLocation, table), commit, "{name}");
        assert_eq!(may(name, Action::CreateUser, Resource::Server), make_user, "{name}");
    }
    assert!(!may("tablesReadWrite", Action::CreateTableBucket, Resource::Bucket("b")));
    assert!(may("tablesAdmin", Action::CreateTableBucket, Resource::Bucket("b")));
    assert!(may("diagnostics", Action::ServerInfo, Resource::Server));
}

#[test]
fn the_policies_of_keys_and_the_built_in_ones_of_their_names_agree() {
    let levels = ["n".to_owned()];
    let question = Question::default();
    for (policy, name) in [
        (GrantPolicy::Admin, "consoleAdmin"),
        (GrantPolicy::ReadWrite, "readwrite"),
        (GrantPolicy::ReadOnly, "readonly"),
    ] {
        for &action in Action::ALL {
            let resource = match action.family() {
                Family::S3 => KEY,
                Family::S3Tables => Resource::Table("b", &levels, "t"),
                Family::Admin | Family::Sts | Family::Kms | Family::Sharing | Family::Inventory => {
                    Resource::Server
                }
            };
            let own = matches!(
                action,
                Action::AssumeRole | Action::AssumeRoleWithWebIdentity | Action::GetSessionToken
            );
            let built_in = question.decide(builtin::text(name).unwrap(), action, resource) == "allowed";
            let grant = Grant { policy, buckets: None };
            assert_eq!(granted(&grant, Ask::new(action, resource)), built_in || own, "{name} {action:?}");
        }
    }
}
