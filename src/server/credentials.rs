//! The root credentials: configured, or generated once and kept in a file only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::RootCredentials;
use crate::identity::{Secret, key};

/// Where the credentials came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the configuration.
    Configured,
    /// From the file of an earlier start.
    Kept,
    /// Made now: to be shown once.
    Generated,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read or written.
    #[error("the credentials file {path} cannot be {verb}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Read or written.
        verb: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read the file.
    #[error("the credentials file {path} can be read by others: make its mode 0600")]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold credentials.
    #[error("the credentials file {path} must hold access_key and secret_key")]
    Invalid {
        /// The file.
        path: PathBuf,
    },
}

/// The configured credentials, or those of `file`, or fresh ones that are then durable in `file`.
pub fn obtain(
    configured: Option<&RootCredentials>,
    file: &Path,
) -> Result<(RootCredentials, Origin), CredentialsError> {
    if let Some(root) = configured {
        return Ok((root.clone(), Origin::Configured));
    }
    if let Some(root) = load(file)? {
        return Ok((root, Origin::Kept));
    }
    let (access_key, secret_key) = key::generate();
    let root = RootCredentials { access_key, secret_key };
    store(file, &root).map_err(|source| CredentialsError::Io {
        path: file.into(),
        verb: "written",
        source,
    })?;
    Ok((root, Origin::Generated))
}

/// The credentials kept in `file`; `None` when it does not exist.
pub fn load(file: &Path) -> Result<Option<RootCredentials>, CredentialsError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Kept {
        access_key: String,
        secret_key: String,
    }
    let failed = |source| CredentialsError::Io { path: file.into(), verb: "read", source };
    let mode = match fs::metadata(file) {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if mode & 0o077 != 0 {
        return Err(CredentialsError::Open { path: file.into() });
    }
    let text = fs::read_to_string(file).map_err(failed)?;
    let invalid = || CredentialsError::Invalid { path: file.into() };
    let kept: Kept = toml::from_str(&text).map_err(|_| invalid())?;
    key::check_id(&kept.access_key)
        .and_then(|()| key::check_secret(&kept.secret_key))
        .map_err(|_| invalid())?;
    Ok(Some(RootCredentials { access_key: kept.access_key, secret_key: Secret::new(kept.secret_key) }))
}

/// Writes a new file, durable and whole or not at all under its name.
fn store(file: &Path, root: &RootCredentials) -> io::Result<()> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    fs::create_dir_all(directory)?;
    let temporary = file.with_extension("tmp");
    let _ = fs::remove_file(&temporary);
    let mut kept = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    writeln!(kept, "# The root user of Tarn. Made at the first start; TARN_ROOT_ACCESS_KEY and")?;
    writeln!(kept, "# TARN_ROOT_SECRET_KEY take its place when they are set.")?;
    writeln!(kept, "access_key = \"{}\"\nsecret_key = \"{}\"", root.access_key, root.secret_key.expose())?;
    kept.sync_all()?;
    // A link fails where a name exists: two first starts at once cannot replace each other's file.
    fs::hard_link(&temporary, file)?;
    fs::remove_file(&temporary)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_credentials_are_kept_and_readable_by_their_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("data/tarn-credentials.toml");
        let (made, origin) = obtain(None, &file).unwrap();
        assert_eq!(origin, Origin::Generated);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let (kept, origin) = obtain(None, &file).unwrap();
        assert_eq!((kept.access_key, origin), (made.access_key, Origin::Kept));
        assert!(kept.secret_key.matches(made.secret_key.expose()));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tarn-credentials.toml");
        obtain(None, &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(obtain(None, &file), Err(CredentialsError::Open { .. })));
    }

    #[test]
    fn configured_credentials_leave_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tarn-credentials.toml");
        let configured =
            RootCredentials { access_key: "root".into(), secret_key: Secret::new("12345678".into()) };
        assert_eq!(obtain(Some(&configured), &file).unwrap().1, Origin::Configured);
        assert!(!file.exists());
    }
}
