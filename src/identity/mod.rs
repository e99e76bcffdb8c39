//! Who sends a request, and what they may do.
//!
//! Authentication happens here, once, for every front: a front finds a `Principal` in the request's
//! extensions and a body without framing or signatures.

pub mod answer;
mod authors;
mod body;
mod directory;
mod error;
mod forwarded;
pub mod key;
mod keyring;
mod layer;
pub mod oauth;
pub mod oidc;
mod parsed;
mod policy;
mod secret;
mod server_secret;
pub mod session;
mod sharers;
mod sigv4;
mod standing;
pub mod sts;
#[cfg(test)]
mod tests;

pub(crate) use directory::{
    Change, KeyError, ListedGroup, ListedKey, ListedPolicy, ListedServiceAccount, ListedUser,
    NewServiceAccount, NewUser, Status,
};
pub use directory::{Directory, DirectoryError};
pub use keyring::Keyring;
pub(crate) use layer::PeerAddress;
pub use layer::{Identity, authenticate};
pub use policy::Grants;
pub(crate) use policy::{Explanation, Question};
pub use secret::Secret;
pub use server_secret::{SecretError, obtain as obtain_server_secret};
pub use session::Sessions;
pub use sharers::KeySharers;
pub(crate) use sharers::with_rights;
pub use sigv4::sign::Signer;
pub(crate) use standing::Standing;
