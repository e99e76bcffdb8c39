//! Statistics of a data file as Delta writes them (Delta protocol, "Per-file Statistics"), by physical names.
//!
//! Bounds of Iceberg may be wide and hold for deleted rows too, so `tightBounds` is false. Bounds of floats leave NaN
//! out, which Delta orders last: they are told only where a file is known to have none.

use tarn_catalog::manifests::ContentFile;
use tarn_catalog::metadata::types::PrimitiveType;

use super::schema::Leaf;
use super::text::{Bound, write_bound};

/// The columns of a version that statistics are told of, as the object they make.
#[derive(Debug, Default)]
pub(super) struct StatsShape {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    name: String,
    /// The name as JSON, with the colon behind it.
    key: String,
    of: Of,
}

#[derive(Debug)]
enum Of {
    Leaf { id: i32, of: PrimitiveType },
    Struct(Vec<Node>),
}

impl StatsShape {
    /// Of these leaves.
    pub(super) fn new<'a>(leaves: impl Iterator<Item = (i32, &'a Leaf)>) -> Self {
        let mut shape = Self::default();
        for (id, leaf) in leaves {
            let Some((last, around)) = leaf.path.split_last() else { continue };
            let struct_of = |nodes, name: &String| inside(nodes, name);
            if let Some(nodes) = around.iter().try_fold(&mut shape.nodes, struct_of) {
                nodes.push(Node::new(last, Of::Leaf { id, of: leaf.of.clone() }));
            }
        }
        shape
    }

    /// The statistics of a file with so many rows.
    pub(super) fn write(&self, file: &ContentFile, records: u64) -> String {
        let mut out = format!("{{\"numRecords\":{records},\"tightBounds\":false");
        let mut object = |key: &str, leaf: &dyn Fn(&mut String, i32, &PrimitiveType) -> bool| {
            let mark = out.len();
            out.push_str(key);
            if !write_object(&mut out, &self.nodes, leaf) {
                out.truncate(mark);
            }
        };
        object(",\"minValues\":", &|out, id, of| {
            let bytes = file.lower_bound(id).filter(|_| !may_have_nan(file, id, of));
            bytes.is_some_and(|bytes| write_bound(out, of, bytes, Bound::Lower))
        });
        object(",\"maxValues\":", &|out, id, of| {
            let bytes = file.upper_bound(id).filter(|_| !may_have_nan(file, id, of));
            bytes.is_some_and(|bytes| write_bound(out, of, bytes, Bound::Upper))
        });
        object(",\"nullCount\":", &|out, id, _| {
            let count = file.null_count(id).and_then(|count| u64::try_from(count).ok());
            let count = count.filter(|count| *count <= records);
            count.is_some_and(|count| {
                out.push_str(&count.to_string());
                true
            })
        });
        out.push('}');
        out
    }
}

impl Node {
    fn new(name: &str, of: Of) -> Self {
        let key = serde_json::to_string(name).expect("a text always becomes JSON") + ":";
        Self { name: name.to_owned(), key, of }
    }
}

/// The nodes of the struct of this name, made where there is none.
fn inside<'a>(nodes: &'a mut Vec<Node>, name: &str) -> Option<&'a mut Vec<Node>> {
    let at = nodes.iter().position(|node| node.name == name).unwrap_or_else(|| {
        nodes.push(Node::new(name, Of::Struct(Vec::new())));
        nodes.len() - 1
    });
    match &mut nodes[at].of {
        Of::Struct(inner) => Some(inner),
        Of::Leaf { .. } => None,
    }
}

fn may_have_nan(file: &ContentFile, id: i32, of: &PrimitiveType) -> bool {
    let is_float = matches!(of, PrimitiveType::Float | PrimitiveType::Double);
    is_float && file.nan_count(id) != Some(0)
}

/// Writes the fields that `leaf` writes something for; nothing, where there is none.
fn write_object(
    out: &mut String,
    nodes: &[Node],
    leaf: &dyn Fn(&mut String, i32, &PrimitiveType) -> bool,
) -> bool {
    let begin = out.len();
    out.push('{');
    let first = out.len();
    for node in nodes {
        let mark = out.len();
        if mark > first {
            out.push(',');
        }
        out.push_str(&node.key);
        let wrote = match &node.of {
            Of::Leaf { id, of } => leaf(out, *id, of),
            Of::Struct(inner) => write_object(out, inner, leaf),
        };
        if !wrote {
            out.truncate(mark);
        }
    }
    let any = out.len() > first;
    if any {
        out.push('}');
    } else {
        out.truncate(begin);
    }
    any
}
