//! XML in and out.
//!
//! - X1: a body is read into a small tree with limits on depth and elements. A DTD, an entity
//!   that is not one of XML's five, a foreign encoding or markup that does not close is
//!   `MalformedXML`. Nothing ever expands.
//! - X2: what is written is escaped here and nowhere else.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use crate::types::{ETag, Millis};

use super::date;
use super::error::S3Error;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const DEPTH_MAX: usize = 8;
const ELEMENTS_MAX: usize = 100_000;

/// What `encoding-type=url` leaves as it is. A space becomes `%20`, which every decoder reads.
const URL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'*').remove(b'/');

/// `text` as `encoding-type=url` has it.
pub(crate) fn url_encode(text: &str) -> String {
    utf8_percent_encode(text, URL).to_string()
}

/// An element that was read: local name, text, children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// The name without its prefix.
    pub(crate) name: String,
    /// The text directly in it, in one piece.
    pub(crate) text: String,
    /// The elements directly in it.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Reads a document whose root is called `root`.
    pub(crate) fn parse(document: &[u8], root: &str) -> Result<Self, S3Error> {
        match read(document) {
            Some(element) if element.name == root => Ok(element),
            Some(_) | None => Err(S3Error::malformed_xml()),
        }
    }

    /// The first child called `name`.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child called `name`, without the space around it.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// The children called `name`.
    pub(crate) fn all<'e>(&'e self, name: &'static str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// `None` for whatever breaks X1.
fn read(document: &[u8]) -> Option<Element> {
    let document = std::str::from_utf8(document).ok()?;
    let document = document.strip_prefix('\u{feff}').unwrap_or(document);
    let mut reader = Reader::from_str(document);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0_usize;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                elements += 1;
                let nested = open.len() < DEPTH_MAX && elements <= ELEMENTS_MAX;
                if root.is_some() || !nested || start.attributes().any(|attribute| attribute.is_err()) {
                    return None;
                }
                let name = start.local_name().as_ref().to_owned();
                open.push(Element { name, ..Element::default() });
            }
            Event::End(_) => {
                let element = open.pop()?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => root = Some(element),
                }
            }
            Event::Empty(_) => return None,
            Event::Text(text) => push_text(&mut open, &text.xml10_content())?,
            Event::CData(text) => push_text(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let mut buffer = [0; 4];
                let text = match reference.resolve_char_ref().ok()? {
                    Some(character) => &*character.encode_utf8(&mut buffer),
                    None => predefined(&reference)?,
                };
                open.last_mut()?.text.push_str(text);
            }
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return root.filter(|_| open.is_empty()),
        }
    }
}

fn predefined(name: &str) -> Option<&'static str> {
    match name {
        "lt" => Some("<"),
        "gt" => Some(">"),
        "amp" => Some("&"),
        "quot" => Some("\""),
        "apos" => Some("'"),
        _ => None,
    }
}

/// Text belongs to the open element; outside the root only space may stand.
fn push_text(open: &mut [Element], text: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

/// A document being written.
pub(crate) struct Writer {
    text: String,
    root: &'static str,
}

impl Writer {
    /// Begins a document with S3's namespace; `capacity` is a guess of its bytes.
    pub(crate) fn new(root: &'static str, capacity: usize) -> Self {
        let mut writer = Self { text: String::with_capacity(capacity + 160), root };
        writer.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
        writer.text.push_str(root);
        writer.text.push_str(" xmlns=\"");
        writer.text.push_str(NAMESPACE);
        writer.text.push_str("\">");
        writer
    }

    /// Begins a document without a namespace (errors have none).
    pub(crate) fn plain(root: &'static str) -> Self {
        let mut writer = Self { text: String::with_capacity(320), root };
        writer.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        writer.open(root);
        writer
    }

    /// `<name>`
    pub(crate) fn open(&mut self, name: &str) -> &mut Self {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        self
    }

    /// `</name>`
    pub(crate) fn close(&mut self, name: &str) -> &mut Self {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self
    }

    /// `<name>text</name>`, escaped.
    pub(crate) fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name).escaped(text).close(name)
    }

    /// `<name>number</name>`
    pub(crate) fn number(&mut self, name: &str, number: u64) -> &mut Self {
        use std::fmt::Write as _;
        self.open(name);
        // Writing to a String never fails.
        let _ = write!(self.text, "{number}");
        self.close(name)
    }

    /// `<name>true</name>`
    pub(crate) fn flag(&mut self, name: &str, flag: bool) -> &mut Self {
        self.open(name);
        self.text.push_str(if flag { "true" } else { "false" });
        self.close(name)
    }

    /// `<name>2026-11-21T00:22:12.000Z</name>`
    pub(crate) fn date(&mut self, name: &str, at: Millis) -> &mut Self {
        self.open(name);
        date::push_iso(&mut self.text, at);
        self.close(name)
    }

    /// `<ETag>&quot;...&quot;</ETag>`
    pub(crate) fn etag(&mut self, etag: &ETag) -> &mut Self {
        self.text.push_str("<ETag>&quot;");
        self.escaped(&etag.0);
        self.text.push_str("&quot;</ETag>");
        self
    }

    /// Text, escaped.
    pub(crate) fn escaped(&mut self, text: &str) -> &mut Self {
        use std::fmt::Write as _;
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            let replacement = match byte {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                // As S3 does it: XML 1.0 has no other way to say these.
                0..0x20 | 0x7f => "",
                _ => continue,
            };
            self.text.push_str(&text[plain..at]);
            if replacement.is_empty() {
                let _ = write!(self.text, "&#x{byte:X};");
            } else {
                self.text.push_str(replacement);
            }
            plain = at + 1;
        }
        self.text.push_str(&text[plain..]);
        self
    }

    /// Ends the document.
    pub(crate) fn finish(mut self) -> String {
        let root = self.root;
        self.close(root);
        self.text
    }

    /// Ends the document and answers it.
    pub(crate) fn answer(self, status: StatusCode) -> Response {
        let mut response = Response::new(Body::from(self.finish()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(document: &str) -> Option<Element> {
        read(document.as_bytes())
    }

    #[test]
    fn a_document_is_read_with_its_text_as_it_stands() {
        let text = "<?xml version=\"1.0\"?><!-- c --><s:R xmlns:s=\"x\"><A> a&amp;b&#x41;&#13;<![CDATA[<c>]]> </A><B/>\n</s:R>\n";
        let root = parse(text).unwrap();
        assert_eq!(root.name, "R");
        assert_eq!(root.child("A").unwrap().text, " a&bA\r<c> ");
        assert_eq!(root.text_of("A"), Some("a&bA\r<c>"));
        assert_eq!(root.child("B").unwrap().text, "");
        assert_eq!(root.child("C"), None);
    }

    #[test]
    fn whatever_is_not_a_plain_document_is_refused() {
        let deep = "<a>".repeat(9) + &"</a>".repeat(9);
        for bad in [
            "",
            "   ",
            "text",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>text",
            "<a>&nbsp;</a>",
            "<a>&#0;</a>",
            "<a>&#x110000;</a>",
            "<a>&</a>",
            "<a b></a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
            "<a",
            "<a><![CDATA[</a>",
            &deep,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(read(b"<a>\xff</a>"), None);
        let wide = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX));
        assert_eq!(parse(&wide), None);
    }

    #[test]
    fn url_encoding_leaves_slashes() {
        assert_eq!(url_encode("a/b c+\u{e9}~_-.*"), "a/b%20c%2B%C3%A9~_-.*");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in "[^\\x00]*") {
            let mut writer = Writer::new("R", 0);
            writer.element("T", &text);
            let root = parse(&writer.finish()).unwrap();
            prop_assert_eq!(&root.child("T").unwrap().text, &text);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _outcome = read(&bytes);
        }

        #[test]
        fn any_markup_is_read_or_refused(text in "[<>/&;#x!\\[\\]a-cA-C'\"= ?-]{0,60}") {
            let _outcome = parse(&text);
        }
    }
}
