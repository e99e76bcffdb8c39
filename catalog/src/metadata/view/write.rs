//! Writing a view's `metadata.json` in the field order of the Java reference.

use bytes::Bytes;

use super::{VIEW_FORMAT_VERSION, ViewMetadata};
use crate::metadata::object::{ObjectWriter, write_array};
use crate::metadata::write::file_bytes;

impl ViewMetadata {
    /// The JSON of the metadata.
    pub fn to_json(&self) -> Bytes {
        let mut out = String::with_capacity(4096);
        let mut object = ObjectWriter::begin(&mut out);
        object.string("view-uuid", &self.uuid.to_string());
        object.number("format-version", VIEW_FORMAT_VERSION);
        object.string("location", &self.location);
        object.string_map("properties", &self.properties);
        write_array(object.key("schemas"), &self.schemas, |out, schema| out.push_str(schema.json()));
        object.number("current-version-id", i64::from(self.current_version_id));
        write_array(object.key("versions"), &self.versions, |out, version| version.write(out));
        write_array(object.key("version-log"), &self.version_log, |out, entry| entry.write(out));
        object.extra(&self.extra);
        object.end();
        Bytes::from(out)
    }

    /// The bytes of the file at `location`: gzip when its name says so.
    pub fn to_file(&self, location: &str) -> Bytes {
        file_bytes(location, self.to_json())
    }
}
