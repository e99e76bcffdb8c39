//! Opens the drive directories.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tarn_objectcore::drive::{Drive, FileDrive};

/// A drive that cannot be opened, where that must stop the start.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Another process has it.
    #[error("drive {path} is used by another process")]
    InUse {
        /// Its directory.
        path: PathBuf,
    },
    /// It fails, and no other drive tells that it belongs to a store: formatting the rest without it would
    /// make a smaller store than was asked for.
    #[error("drive {path} cannot be opened")]
    Failed {
        /// Its directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Opens what can be opened. A drive that fails is left out when others hold a store already: it may be one
/// of those the parity covers.
pub(super) fn open(paths: &[PathBuf]) -> Result<Vec<Arc<dyn Drive>>, DriveError> {
    let formatted = paths.iter().any(|path| is_formatted(path));
    let mut drives: Vec<Arc<dyn Drive>> = Vec::with_capacity(paths.len());
    for path in paths {
        match FileDrive::open(path) {
            Ok(drive) => drives.push(Arc::new(drive)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(DriveError::InUse { path: path.clone() });
            }
            Err(error) if formatted => {
                tracing::error!(drive.path = %path.display(), %error, "a drive cannot be opened; going on without it");
            }
            Err(source) => return Err(DriveError::Failed { path: path.clone(), source }),
        }
    }
    Ok(drives)
}

fn is_formatted(path: &Path) -> bool {
    path.join("format.json").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_that_fails_stops_a_first_start_but_not_a_later_one() {
        let directory = tempfile::tempdir().unwrap();
        let (good, bad) = (directory.path().join("good"), directory.path().join("bad"));
        std::fs::write(&bad, "a file is no directory").unwrap();
        let paths = [good.clone(), bad];
        assert!(matches!(open(&paths), Err(DriveError::Failed { .. })));
        std::fs::write(good.join("format.json"), "{}").unwrap();
        assert_eq!(open(&paths).unwrap().len(), 1);
    }

    #[test]
    fn a_drive_another_has_open_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().join("drive")];
        let _held = open(&paths).unwrap();
        assert!(matches!(open(&paths), Err(DriveError::InUse { .. })));
    }
}
