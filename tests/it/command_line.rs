//! What the command line answers to wrong input: exit codes, and what to do next.

use serde_json::{Value, json};

use crate::support::Tarn;

#[tokio::test]
async fn wrong_input_is_told_with_its_exit_code_and_what_to_do() {
    let tarn = Tarn::start(1).await;
    for (arguments, code, told) in [
        (&["table", "show", "orders"][..], 2, "namespace.table is expected"),
        (&["table", "maintain", "orders", "--job", "snapshots"], 2, "namespace.table is expected"),
        (&["table", "undrop", "sales.orders", "--id", "no-id"], 2, "--id"),
        (&["table", "history", "sales.orders"], 4, "sales.orders"),
        (&["table", "list", "sales"], 4, "sales"),
        (&["status", "--endpoint", "http://127.0.0.1:1"], 1, "is it running?"),
        (&["migrate", "--from", "http://127.0.0.1:1", "--apply", "--dry-run"], 2, "--dry-run"),
    ] {
        let (answered, _, error) = tarn.run(arguments);
        assert!(answered == code && error.contains(told), "{arguments:?}: {answered} {error}");
    }
    let other = format!("{}/_iceberg", tarn.endpoint());
    let (code, _, error) = tarn.run(&["migrate", "--from", &other]);
    assert!(code == 1 && error.contains("--credential-env"), "{code} {error}");
}

#[tokio::test]
async fn who_lacks_a_right_hears_who_can_tell_which() {
    let tarn = Tarn::start(1).await;
    let (_, made, _) = tarn.run(&["admin", "user", "create", "alice", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let file = tarn.directory().join("alice.toml");
    let text = format!("access_key = \"alice\"\nsecret_key = {}\n", made["secret"]);
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (code, _, error) = tarn.run_unset(&["table", "list", "--credentials", file.to_str().unwrap()]);
    assert!(code == 5 && error.contains("tarn admin why"), "{code} {error}");
    let asked = ["admin", "why", "--user", "alice", "--action", "s3:GetObject"];
    let (code, told, error) = tarn.run(&[&asked[..], &["--resource", "arn:aws:s3:::main/k"]].concat());
    assert!(
        code == 0 && told.starts_with("not allowed: no statement allows it (rule: user)"),
        "{told}{error}"
    );
}

#[tokio::test]
async fn several_users_are_put_into_a_group_and_told_as_one_document() {
    let tarn = Tarn::start(1).await;
    for name in ["alice", "robert"] {
        assert_eq!(tarn.run(&["admin", "user", "create", name]).0, 0);
    }
    assert_eq!(tarn.run(&["admin", "group", "create", "staff"]).0, 0);
    let (code, told, error) = tarn.run(&["admin", "group", "add", "staff", "alice", "robert", "--json"]);
    assert_eq!(code, 0, "{error}");
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), json!({"added": ["alice", "robert"]}));
}
