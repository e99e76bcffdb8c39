//! Opening: which drive sits in which slot of which set, then recovery of each set.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::drive::Drive;

use super::ErasureSet;
use super::format::{Format, InvalidFormat, VERSION};
use super::layout::{InvalidLayout, geometry_for, set_size};
use super::reads::Reads;
use super::recover::{self, Seat};
use super::types::SetSettings;

/// Why the drives cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The number of drives or the parity makes no layout.
    #[error(transparent)]
    Layout(#[from] InvalidLayout),
    /// A drive does not answer, though it is there.
    #[error("drive {path}")]
    Drive {
        /// The drive's path.
        path: String,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// Something on the drive was written by a newer program.
    #[error("drive {path}: {what}")]
    Newer {
        /// The drive's path.
        path: String,
        /// What is newer.
        what: String,
    },
    /// The drive belongs to another deployment.
    #[error("drive {path} belongs to deployment {found}, the others to {expected}")]
    Foreign {
        /// The drive's path.
        path: String,
        /// The deployment of the other drives.
        expected: Uuid,
        /// Its deployment.
        found: Uuid,
    },
    /// The drive does not fit to the others.
    #[error("drive {path}: {what}")]
    Misplaced {
        /// The drive's path.
        path: String,
        /// What does not fit.
        what: String,
    },
    /// Too many drives of a set are missing or lack entries.
    #[error("set {set} has {found} of the {needed} drives it needs: {why}")]
    TooFewDrives {
        /// The set.
        set: usize,
        /// The drives that hold everything.
        found: usize,
        /// How many it needs.
        needed: usize,
        /// Why the others do not count.
        why: String,
    },
    /// The drive took writes without the others and they without it. One side must be given up by hand.
    #[error("drive {path} holds writes that the other drives of its set replaced: remove it or them")]
    Diverged {
        /// The drive's path.
        path: String,
    },
    /// The last writes are damaged on more drives than the parity covers.
    #[error("the log of set {set} is damaged: {what}")]
    Damaged {
        /// The set.
        set: usize,
        /// What is missing.
        what: String,
    },
}

/// The sets of a deployment.
#[derive(Debug)]
pub(crate) struct OpenedSets {
    pub(crate) deployment: Uuid,
    pub(crate) sets: Vec<ErasureSet>,
}

struct Found {
    drive: Arc<dyn Drive>,
    format: Option<Format>,
}

/// Opens the sets of `drives`; blank ones are given the places that are free. Blocks.
pub(crate) fn open_sets(
    settings: &SetSettings,
    parity: Option<u8>,
    drives: Vec<Arc<dyn Drive>>,
) -> Result<OpenedSets, OpenError> {
    if drives.is_empty() {
        return Err(InvalidLayout::NoDrives.into());
    }
    let given = drives.len();
    let found: Vec<Found> =
        drives.into_iter().filter_map(|drive| read_format(drive).transpose()).collect::<Result<_, _>>()?;
    let plan = match found.iter().find_map(|one| one.format.clone()) {
        Some(known) => known,
        None if found.len() < given => {
            let why = "a format.json is damaged and no other drive says what it was".into();
            return Err(OpenError::TooFewDrives { set: 0, found: 0, needed: given, why });
        }
        None => first_plan(given, parity)?,
    };
    let geometry = plan.geometry;
    let mut seats: BTreeMap<(u16, u16), Seat> = BTreeMap::new();
    let mut blanks = Vec::new();
    for Found { drive, format } in found {
        match format {
            Some(format) => {
                check_fits(&plan, &format, &*drive)?;
                let place = (format.set, format.slot);
                let seat = Seat::new(usize::from(format.slot), drive.clone(), format.drive);
                if seats.insert(place, seat).is_some() {
                    let what = format!("another drive is slot {} of set {} too", format.slot, format.set);
                    return Err(OpenError::Misplaced { path: drive.label().into(), what });
                }
            }
            None => blanks.push(drive),
        }
    }
    let places = (0..plan.sets).flat_map(|set| (0..geometry.total() as u16).map(move |slot| (set, slot)));
    let mut free = places.filter(|place| !seats.contains_key(place)).collect::<Vec<_>>().into_iter();
    for drive in blanks {
        let Some((set, slot)) = free.next() else {
            let what = "the deployment has no free place for a blank drive".into();
            return Err(OpenError::Misplaced { path: drive.label().into(), what });
        };
        let drive_id = Uuid::new_v4();
        let format = Format { drive: drive_id, set, slot, ..plan.clone() };
        drive
            .write_format(&format.encode())
            .map_err(|source| OpenError::Drive { path: drive.label().into(), source })?;
        seats.insert((set, slot), Seat::new(usize::from(slot), drive, drive_id));
    }
    let reads = Reads::new(settings.short_reads_max);
    let mut sets = Vec::new();
    for set in 0..plan.sets {
        let members = seats.iter().filter(|((number, _), _)| *number == set).map(|(_, seat)| seat.clone());
        let members = members.collect();
        sets.push(recover::open_set(settings, &plan, set, members, &reads)?);
    }
    Ok(OpenedSets { deployment: plan.deployment, sets })
}

fn read_format(drive: Arc<dyn Drive>) -> Result<Option<Found>, OpenError> {
    let path = || drive.label().to_owned();
    let bytes = drive.read_format().map_err(|source| OpenError::Drive { path: path(), source })?;
    let format = match bytes.as_deref().map(Format::decode) {
        None => {
            // Never format a drive that holds a log: its format.json was lost, not its data.
            let segments = drive.segments().map_err(|source| OpenError::Drive { path: path(), source })?;
            if !segments.is_empty() {
                let what = "it holds a log but no format.json".into();
                return Err(OpenError::Misplaced { path: path(), what });
            }
            None
        }
        Some(Ok(format)) => Some(format),
        Some(Err(error @ InvalidFormat::Newer(_))) => {
            return Err(OpenError::Newer { path: path(), what: error.to_string() });
        }
        Some(Err(error @ InvalidFormat::Damaged(_))) => {
            // Neither blank nor known: it stays as it is and counts as missing.
            tracing::error!(drive.path = drive.label(), %error, "the drive cannot be used");
            return Ok(None);
        }
    };
    Ok(Some(Found { drive, format }))
}

fn first_plan(drives: usize, parity: Option<u8>) -> Result<Format, OpenError> {
    let size = set_size(drives)?;
    Ok(Format {
        version: VERSION,
        deployment: Uuid::new_v4(),
        drive: Uuid::nil(),
        set: 0,
        slot: 0,
        sets: (drives / size) as u16,
        geometry: geometry_for(size, parity)?,
        check: String::new(),
    })
}

fn check_fits(plan: &Format, format: &Format, drive: &dyn Drive) -> Result<(), OpenError> {
    let path = drive.label().to_owned();
    if format.deployment != plan.deployment {
        return Err(OpenError::Foreign { path, expected: plan.deployment, found: format.deployment });
    }
    if format.sets != plan.sets || format.geometry != plan.geometry {
        return Err(OpenError::Misplaced { path, what: "its layout differs from the other drives'".into() });
    }
    Ok(())
}
