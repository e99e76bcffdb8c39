//! `tarn recipient ...` of what a recipient shows: tokens, activation links, clients, federation policies.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::admin::done;
use super::super::{ClientFlags, Failure, print_json};
use super::recipient::of;
use super::share::tell;
use super::spec::seconds;
use super::{ProfileFile, print_tokens, time};
use crate::client::{Connection, output, path_segment};

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Bearer tokens, and all else a recipient shows.
    #[command(subcommand)]
    Token(Token),
    /// Make a bearer token and print its profile file, once.
    Profile {
        recipient: String,
        #[command(flatten)]
        new: New,
    },
    /// Make a link that fetches a profile file once, and print it, once.
    ActivationLink {
        recipient: String,
        /// What the token is for.
        #[arg(long)]
        comment: Option<String>,
        /// How long the token is good [default: 90d].
        #[arg(long, value_parser = seconds)]
        expires: Option<i64>,
        /// How long the link is good [default: 72h].
        #[arg(long, value_parser = seconds)]
        link_expires: Option<i64>,
    },
    /// Make a client of OAuth client credentials and print its profile file, once.
    Client {
        recipient: String,
        #[command(flatten)]
        new: New,
    },
    /// Let somebody of an identity provider in.
    Federation {
        recipient: String,
        /// The provider's issuer URL; the server must be configured with the provider.
        #[arg(long)]
        issuer: String,
        /// An audience that the provider's token may name; may be given several times.
        #[arg(long = "audience", required = true)]
        audiences: Vec<String>,
        /// The claim that tells who it is.
        #[arg(long, default_value = "sub", value_parser = ["sub", "oid", "azp", "groups"])]
        claim: String,
        /// What it must say.
        #[arg(long)]
        subject: String,
        /// What it is for.
        #[arg(long)]
        comment: Option<String>,
        /// How long it is good [default: without end].
        #[arg(long, value_parser = seconds)]
        expires: Option<i64>,
    },
}

#[derive(clap::Subcommand)]
pub(super) enum Token {
    /// Make a bearer token and print its profile file, once.
    Create {
        recipient: String,
        #[command(flatten)]
        new: New,
    },
    /// List what a recipient may show.
    List { recipient: String },
    /// End a token, client or federation policy, at once.
    Revoke { recipient: String, id: String },
    /// Make a token; the others end after a time of grace.
    Rotate {
        recipient: String,
        /// How long the others are good at most; 0s ends them now [default: 24h].
        #[arg(long, value_parser = seconds)]
        grace: Option<i64>,
        /// Rotate the clients of OAuth instead of bearer tokens.
        #[arg(long)]
        client_secrets: bool,
        #[command(flatten)]
        new: New,
    },
}

/// A token to make.
#[derive(clap::Args)]
pub(super) struct New {
    /// What it is for.
    #[arg(long)]
    comment: Option<String>,
    /// How long it is good, such as 365d, which is the most [default: 90d].
    #[arg(long, value_parser = seconds)]
    expires: Option<i64>,
    /// Write the profile file here instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl New {
    fn asked(&self) -> Value {
        json!({ "comment": self.comment, "expires_in_seconds": self.expires })
    }
}

pub(super) async fn run(verb: Verb, client: &ClientFlags, connection: &Connection) -> Result<(), Failure> {
    match verb {
        Verb::Token(Token::Create { recipient, new }) | Verb::Profile { recipient, new } => {
            make((client, connection), &format!("{}/tokens", of(&recipient)), &new.asked(), &new).await
        }
        Verb::Client { recipient, new } => {
            make((client, connection), &format!("{}/clients", of(&recipient)), &new.asked(), &new).await
        }
        Verb::Token(Token::Rotate { recipient, grace, client_secrets, new }) => {
            let mut asked = new.asked();
            asked["grace_seconds"] = json!(grace);
            asked["kind"] = if client_secrets { "client".into() } else { "bearer".into() };
            make((client, connection), &format!("{}/rotate", of(&recipient)), &asked, &new).await
        }
        Verb::Token(Token::List { recipient }) => {
            let tokens = connection.get(&format!("{}/tokens", of(&recipient))).await?;
            tell(client, &tokens, |tokens| print_tokens(&tokens["tokens"]));
            Ok(())
        }
        Verb::Token(Token::Revoke { recipient, id }) => {
            connection.delete(&format!("{}/tokens/{}", of(&recipient), path_segment(&id))).await?;
            done(client, "revoked", &id);
            Ok(())
        }
        Verb::ActivationLink { recipient, comment, expires, link_expires } => {
            let asked = json!({
                "comment": comment, "expires_in_seconds": expires, "link_expires_in_seconds": link_expires,
            });
            let made = connection.post(&format!("{}/links", of(&recipient)), &asked).await?;
            tell(client, &made, |made| {
                output::line(&output::text(&made["link"]));
                output::line(&format!("good until {} UTC, once", time(&made["token"]["link_expires_ms"])));
            });
            Ok(())
        }
        Verb::Federation { recipient, issuer, audiences, claim, subject, comment, expires } => {
            let asked = json!({
                "issuer": issuer, "audiences": audiences, "subject_claim": claim, "subject": subject,
                "comment": comment, "expires_in_seconds": expires,
            });
            let made = connection.post(&format!("{}/federation", of(&recipient)), &asked).await?;
            tell(client, &made, |made| {
                output::line(&format!("made {}", output::text(&made["token"]["id"])));
                output::line(&format!("endpoint {}", output::text(&made["endpoint"])));
            });
            Ok(())
        }
    }
}

/// Makes a token and tells its profile: the file alone, as clients read it, or all that was told as JSON.
async fn make(
    (client, connection): (&ClientFlags, &Connection),
    path: &str,
    asked: &Value,
    new: &New,
) -> Result<(), Failure> {
    let file = new.out.as_deref().map(ProfileFile::create).transpose()?;
    let made = match connection.post(path, asked).await {
        Ok(made) => made,
        Err(error) => {
            file.into_iter().for_each(ProfileFile::remove);
            return Err(error.into());
        }
    };
    match file {
        Some(file) => file.write(&made["profile"])?,
        None if client.json => print_json(&made),
        None => print_json(&made["profile"]),
    }
    Ok(())
}
