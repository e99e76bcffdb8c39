//! `tarn admin key create|list|delete`.

use serde_json::json;

use super::super::{ClientFlags, Failure, print_json};
use super::print_secret;
use crate::client::{output, path_segment};
use crate::identity::key::Policy;

#[derive(clap::Subcommand)]
pub(crate) enum Key {
    /// Create an access key and print its secret, once.
    Create {
        /// What the key may do.
        #[arg(long, value_enum, default_value_t = Policy::ReadWrite)]
        policy: Policy,
        /// Only in this bucket; may be given several times.
        #[arg(long = "bucket", value_name = "BUCKET")]
        buckets: Vec<String>,
        /// The key's id [default: generated].
        #[arg(long, visible_alias = "name")]
        id: Option<String>,
        #[command(flatten)]
        client: ClientFlags,
    },
    /// List the access keys.
    List {
        #[command(flatten)]
        client: ClientFlags,
    },
    /// Delete an access key. Its requests and tokens are refused from then on.
    Delete {
        /// The key's id.
        id: String,
        #[command(flatten)]
        client: ClientFlags,
    },
}

pub(super) async fn run(key: Key) -> Result<(), Failure> {
    match key {
        Key::Create { policy, buckets, id, client } => {
            let buckets = if buckets.is_empty() { None } else { Some(buckets) };
            let ask = json!({ "id": id, "policy": policy, "buckets": buckets });
            let answer = client.connect()?.post("/_admin/v1/keys", &ask).await?;
            if client.json {
                print_json(&answer);
            } else {
                print_secret(&answer["id"], &answer["secret"]);
            }
        }
        Key::List { client } => {
            let answer = client.connect()?.get("/_admin/v1/keys").await?;
            if client.json { print_json(&answer) } else { print_keys(&answer["keys"]) }
        }
        Key::Delete { id, client } => {
            client.connect()?.delete(&format!("/_admin/v1/keys/{}", path_segment(&id))).await?;
            if client.json {
                print_json(&json!({ "deleted": id }))
            } else {
                output::line(&format!("deleted {id}"))
            }
        }
    }
    Ok(())
}

fn print_keys(keys: &serde_json::Value) {
    let mut table = output::Table::new(&["ACCESS KEY", "POLICY", "BUCKETS", "CREATED"]);
    for key in keys.as_array().into_iter().flatten() {
        let buckets = match key["buckets"].as_array() {
            Some(names) => names.iter().map(output::text).collect::<Vec<_>>().join(","),
            None => "all".into(),
        };
        table.row([
            output::text(&key["id"]),
            output::text(&key["policy"]),
            buckets,
            output::text(&key["created"]),
        ]);
    }
    table.print();
}
