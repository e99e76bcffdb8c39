//! The files that manifest lists and manifests name, and nothing else of them: for maintenance, which asks many more
//! than fit into memory whole.

use super::super::avro::{Cursor, Field, File, InvalidAvro};
use super::read::{id, required};
use super::{Content, Status};

/// The manifests that a manifest list names.
pub(crate) fn named_manifests(list: &[u8], unpacked_bytes_max: usize) -> Result<Vec<String>, InvalidAvro> {
    const PATH: i32 = 500;
    let mut found = Vec::new();
    File::open(list, unpacked_bytes_max)?.records(|fields, cursor| {
        let mut path = None;
        for field in fields {
            match id(field) {
                Some(PATH) => path = cursor.optional_text(&field.schema)?.map(str::to_owned),
                Some(_) | None => cursor.skip(&field.schema)?,
            }
        }
        found.push(required(path)?);
        Ok(())
    })?;
    Ok(found)
}

/// The files that are live in a manifest: added by it or taken over. Those it tells as deleted are not.
pub(crate) fn named_files(
    manifest: &[u8],
    unpacked_bytes_max: usize,
) -> Result<Vec<(Content, String)>, InvalidAvro> {
    let mut found = Vec::new();
    File::open(manifest, unpacked_bytes_max)?.records(|fields, cursor| {
        let (mut status, mut file) = (None, None);
        for field in fields {
            match id(field) {
                Some(0) => status = Some(Status::read(required(cursor.optional_long(&field.schema)?)?)?),
                Some(2) => file = Some(data_file(field, cursor)?),
                Some(_) | None => cursor.skip(&field.schema)?,
            }
        }
        match required(status)? {
            Status::Deleted => {}
            Status::Existing | Status::Added => found.push(required(file)?),
        }
        Ok(())
    })?;
    Ok(found)
}

fn data_file(field: &Field, cursor: &mut Cursor<'_>) -> Result<(Content, String), InvalidAvro> {
    // V1 manifests do not say what a file holds: they hold data only.
    let (mut content, mut path) = (Content::Data, None);
    cursor.record(&field.schema, |cursor, field| {
        match id(field) {
            Some(134) => content = Content::read(cursor.optional_long(&field.schema)?)?,
            Some(100) => path = cursor.optional_text(&field.schema)?.map(str::to_owned),
            Some(_) | None => cursor.skip(&field.schema)?,
        }
        Ok(())
    })?;
    Ok((content, required(path)?))
}
