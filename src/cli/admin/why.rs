//! `tarn admin why`: whether somebody may do something, and by which statement.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{ClientFlags, Failure, print_json};
use crate::client::output;

#[derive(clap::Args)]
pub(crate) struct Command {
    /// A user, a service account or another access key, by its id.
    #[arg(long)]
    user: String,
    /// The action, such as s3:GetObject.
    #[arg(long)]
    action: String,
    /// The ARN of what it is done to, such as arn:aws:s3:::bucket/key.
    #[arg(long)]
    resource: Option<String>,
    /// A value that conditions may look at, such as aws:SourceIp=203.0.113.9; may be given several times.
    #[arg(long = "condition", value_name = "KEY=VALUE", value_parser = pair)]
    conditions: Vec<(String, String)>,
    #[command(flatten)]
    client: ClientFlags,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is expected")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) async fn run(command: Command) -> Result<(), Failure> {
    let Command { user, action, resource, conditions, client } = command;
    let conditions: BTreeMap<String, String> = conditions.into_iter().collect();
    let ask = json!({ "user": user, "action": action, "resource": resource, "conditions": conditions });
    let told = client.connect()?.post("/_admin/v1/why", &ask).await?;
    if client.json {
        print_json(&told)
    } else {
        print(&told)
    }
    Ok(())
}

fn print(told: &Value) {
    let outcome = output::text(&told["outcome"]).replace('-', " ");
    let by = &told["by"];
    let reason = if by.is_object() {
        format!(" by {} of policy {}{}", statement(by), output::text(&by["policy"]), through(by))
    } else {
        let mut rules = told["rules"].as_array().into_iter().flatten();
        let rule = rules.find(|rule| rule["outcome"] == told["outcome"]);
        let rule = rule.map(|rule| output::text(&rule["rule"])).unwrap_or_default();
        let lacks = if told["outcome"] == "not-allowed" { ": no statement allows it" } else { "" };
        format!("{lacks} (rule: {rule})")
    };
    output::line(&format!("{outcome}{reason}"));
    let mut table = output::Table::new(&["RULE", "POLICY", "GROUP", "SAYS", "STATEMENT"]);
    for rule in told["rules"].as_array().into_iter().flatten() {
        let policies = rule["policies"].as_array().filter(|policies| !policies.is_empty());
        let none = vec![rule.clone()];
        for policy in policies.unwrap_or(&none) {
            table.row([
                output::text(&rule["rule"]),
                output::text(&policy["policy"]),
                output::text(&policy["group"]),
                output::text(&policy["outcome"]).replace('-', " "),
                statement(policy),
            ]);
        }
    }
    table.print();
}

/// A statement by its number, from 0, and its `Sid`.
fn statement(cited: &Value) -> String {
    match (cited["statement"].as_u64(), cited["sid"].as_str()) {
        (None, _) => "-".into(),
        (Some(number), None) => format!("statement {number}"),
        (Some(number), Some(_)) => format!("statement {number} ({})", output::text(&cited["sid"])),
    }
}

fn through(by: &Value) -> String {
    match by["group"].as_str() {
        Some(_) => format!(" of group {}", output::text(&by["group"])),
        None => String::new(),
    }
}
