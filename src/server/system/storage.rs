//! `buckets`, `drives` and `sets`.

use tarn_objectcore::SlotState;
use tarn_openapi::access::{Action, Resource};
use tarn_sql::system::{Cell, Rows};

use super::Reading;

pub(super) fn buckets(reading: &Reading) -> Rows {
    let (mut rows, state) = (reading.rows(), reading.state.catalog.snapshot());
    for info in reading.state.core.buckets() {
        let name = info.name.as_str();
        if reading.may_list(name, "") {
            let created = Cell::Moment(i64::try_from(info.created.0).unwrap_or(i64::MAX));
            rows.push([name.into(), created, state.warehouse(name).is_some().into()]);
        }
    }
    rows
}

pub(super) fn drives(reading: &Reading) -> Rows {
    let mut rows = reading.rows();
    if !reading.may(Action::ServerInfo, Resource::Server) {
        return rows;
    }
    for set in reading.state.core.status().sets {
        for slot in set.slots {
            rows.push([
                set.set.into(),
                slot.slot.into(),
                slot.path.into(),
                slot.drive.to_string().into(),
                state_name(slot.state).into(),
                slot.suspect.into(),
                slot.reason.into(),
                slot.free_bytes.into(),
                slot.total_bytes.into(),
                slot.log_segments.into(),
            ]);
        }
    }
    rows
}

pub(super) fn sets(reading: &Reading) -> Rows {
    let mut rows = reading.rows();
    if !reading.may(Action::ServerInfo, Resource::Server) {
        return rows;
    }
    for set in reading.state.core.status().sets {
        let online = set.slots.iter().filter(|slot| slot.state == SlotState::Online).count();
        rows.push([
            set.set.into(),
            set.geometry.data().into(),
            set.geometry.parity().into(),
            set.epoch.into(),
            set.seq.into(),
            set.slots.len().into(),
            online.into(),
        ]);
    }
    rows
}

fn state_name(state: SlotState) -> &'static str {
    match state {
        SlotState::Online => "online",
        SlotState::Filling => "filling",
        SlotState::Out => "out",
    }
}
