//! Configuration: flags over `TARN_*` variables over `tarn.toml` over defaults. Unknown names are errors.

mod ellipses;
pub(crate) mod keys;
mod layers;
mod providers;
mod settings;
mod show;
mod sql;

use std::path::{Path, PathBuf};

pub use layers::{ConfigError, Layers, Source};
pub use settings::{
    JournalSettings, Limits, LogFormat, LogSettings, MetricsAccess, RootCredentials, Settings,
    SharingSettings,
};
pub use show::{json, table};
pub use sql::SqlSettings;

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "tarn.toml";

/// Gathers the layers. `file` is the file named by flag or `TARN_CONFIG`, which must exist;
/// `tarn.toml` in the working directory is read when it is there.
pub fn gather(
    file: Option<&Path>,
    variables: impl Iterator<Item = (String, String)>,
    flags: Vec<(&'static str, Vec<String>)>,
) -> Result<Layers, ConfigError> {
    let mut layers = Layers::defaults();
    let path = match file {
        Some(path) => Some(path.to_path_buf()),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
    };
    if let Some(path) = path {
        let text = std::fs::read_to_string(&path)
            .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        layers.add_file(path, &text)?;
    }
    layers.add_environment(variables)?;
    layers.add_flags(flags);
    Ok(layers)
}
