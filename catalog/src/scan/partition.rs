//! Partitions of a spec: their values in the spec's order and types.

use std::sync::Arc;

use super::manifest::Manifest;
use super::project::{SpecFilter, field_type};
use super::value::Value;
use crate::metadata::PartitionSpec;
use crate::metadata::transform::Transform;
use crate::metadata::types::PrimitiveType;

/// Equal for equal partitions of one spec, and only for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartitionKey {
    spec_id: i32,
    values: Arc<[u8]>,
}

impl PartitionKey {
    /// Its spec.
    pub fn spec_id(&self) -> i32 {
        self.spec_id
    }

    /// Bytes that are equal for equal partitions of its spec, and only for them.
    pub fn values(&self) -> &Arc<[u8]> {
        &self.values
    }
}

/// A partition.
#[derive(Debug)]
pub struct Partition {
    /// What tells it from others.
    pub key: PartitionKey,
    /// Its spec.
    pub spec_id: i32,
    /// The values, each with its type; `None` is null.
    pub values: Vec<(PrimitiveType, Option<Value>)>,
    /// Whether its spec does not partition at all.
    pub is_whole_table: bool,
}

/// A spec, and what a scan's filter says of it.
#[derive(Debug)]
pub(crate) struct SpecScan {
    pub(crate) id: i32,
    pub(crate) fields: Vec<SpecField>,
    pub(crate) filter: SpecFilter,
    is_whole_table: bool,
}

#[derive(Debug)]
pub(crate) struct SpecField {
    id: Option<i32>,
    /// `None` when the transform is not known or its source is in no schema.
    pub(crate) of: Option<PrimitiveType>,
}

impl SpecScan {
    pub(crate) fn new(
        spec: &PartitionSpec,
        filter: SpecFilter,
        source: &dyn Fn(i32) -> Option<PrimitiveType>,
    ) -> Self {
        let field = |field: &crate::metadata::partition::PartitionField| SpecField {
            id: field.field_id,
            of: field_type(&field.transform, &field.source_ids, source),
        };
        Self {
            id: spec.id,
            fields: spec.fields.iter().map(field).collect(),
            filter,
            is_whole_table: spec.fields.iter().all(|field| field.transform == Transform::Void),
        }
    }

    /// Where the values of this spec's fields stand in the entries of `manifest`.
    pub(crate) fn places(&self, manifest: &Manifest) -> Vec<Option<usize>> {
        let ids = &manifest.partition_ids;
        let without_ids = ids.iter().all(Option::is_none) && ids.len() == self.fields.len();
        let place = |(at, field): (usize, &SpecField)| {
            if without_ids { Some(at) } else { ids.iter().position(|id| id.is_some() && *id == field.id) }
        };
        self.fields.iter().enumerate().map(place).collect()
    }

    /// The partition with these values, as an entry holds them; `None` when one is not of its type.
    pub(crate) fn partition(&self, raw: &[Option<Value>], places: &[Option<usize>]) -> Option<Partition> {
        let mut values = Vec::with_capacity(self.fields.len());
        let mut key = Vec::new();
        for (field, place) in self.fields.iter().zip(places) {
            let value = place.and_then(|at| raw.get(at)).and_then(Option::as_ref);
            let value = match (value, &field.of) {
                (None, _) => None,
                (Some(value), Some(of)) => Some(value.as_type(of)?),
                (Some(value), None) => Some(value.clone()),
            };
            key.push(u8::from(value.is_some()));
            if let Some(value) = &value {
                value.write_key(&mut key);
            }
            values.push((field.of.clone().unwrap_or(PrimitiveType::Unknown), value));
        }
        let key = PartitionKey { spec_id: self.id, values: key.into() };
        Some(Partition { key, spec_id: self.id, values, is_whole_table: self.is_whole_table })
    }
}
