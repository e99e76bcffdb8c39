//! The little of XML that a definition is: elements and text.
//!
//! - X1: a DTD, an entity that is not one of XML's five, more than [`DEPTH_MAX`] levels or [`ELEMENTS_MAX`] elements, or
//!   markup that does not close is refused. Nothing ever expands.

use std::fmt::Write as _;

use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// Levels of elements.
const DEPTH_MAX: usize = 8;
/// Elements of a document.
const ELEMENTS_MAX: usize = 200;

/// An element: local name, text, children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
    /// The line its start tag ends in, from 1 on.
    pub(super) line: usize,
}

/// Why a document is none, in words that follow "the document", and where that is seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) problem: &'static str,
}

/// Reads a document.
pub(super) fn read(document: &[u8]) -> Result<Element, Broken> {
    let text = std::str::from_utf8(document)
        .map_err(|error| Broken { line: line(document, error.valid_up_to()), problem: "is not UTF-8" })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    read_from(&mut reader, text)
        .map_err(|problem| Broken { line: line(text.as_bytes(), position(&reader)), problem })
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// The line of a place in a document.
fn line(document: &[u8], at: usize) -> usize {
    1 + document[..at.min(document.len())].iter().filter(|byte| **byte == b'\n').count()
}

fn read_from(reader: &mut Reader<&[u8]>, text: &str) -> Result<Element, &'static str> {
    let (mut open, mut root, mut elements) = (Vec::<Element>::new(), None, 0_usize);
    loop {
        match reader.read_event().map_err(|_| "is not well-formed XML")? {
            Event::Start(start) => {
                elements += 1;
                if open.len() == DEPTH_MAX || elements > ELEMENTS_MAX {
                    return Err("has too many elements or too many levels of them");
                }
                if root.is_some() || start.attributes().any(|attribute| attribute.is_err()) {
                    return Err("is not well-formed XML");
                }
                let name = start.local_name().as_ref().to_owned();
                let line = line(text.as_bytes(), position(reader));
                open.push(Element { name, line, ..Element::default() });
            }
            Event::End(_) => {
                let element = open.pop().ok_or("is not well-formed XML")?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => root = Some(element),
                }
            }
            Event::Text(text) => push_text(&mut open, &text.xml10_content())?,
            Event::CData(text) => push_text(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let element = open.last_mut().ok_or("is not well-formed XML")?;
                match reference.resolve_char_ref().map_err(|_| "has a reference to no character")? {
                    Some(character) => element.text.push(character),
                    None => element.text.push(predefined(&reference).ok_or("has an entity of its own")?),
                }
            }
            Event::DocType(_) => return Err("has a document type"),
            Event::Empty(_) => return Err("is not well-formed XML"),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return root.filter(|_| open.is_empty()).ok_or("is not well-formed XML"),
        }
    }
}

fn predefined(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn push_text(open: &mut [Element], text: &str) -> Result<(), &'static str> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("is not well-formed XML"),
    }
    Ok(())
}

/// Writes `<name>text</name>`, escaped.
pub(super) fn element(out: &mut String, name: &str, text: &str) {
    // Writing to a String never fails.
    let _ = write!(out, "<{name}>");
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            control if control.is_control() => {
                let _ = write!(out, "&#x{:X};", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    let _ = write!(out, "</{name}>");
}
