//! `?tagging` of an object, and the headers of other operations that speak of tags.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode};
use tarn_openapi::access::Action;

use crate::name::ObjectName;
use crate::s3::body;
use crate::s3::bucket::delete::no_content;
use crate::s3::call::Call;
use crate::s3::error::S3Error;
use crate::s3::headers;
use crate::s3::query::Query;
use crate::s3::xml::{Element, Writer};
use crate::types::{InvalidTags, ObjectInfo, TagChange, Tags};

const DOCUMENT_BYTES_MAX: usize = 256 << 10;

const TO_READ: (Action, Action) = (Action::GetObjectTagging, Action::GetObjectVersionTagging);

/// `GET ?tagging`
pub(crate) async fn get(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    call.authorize_version(TO_READ, at)?;
    call.expect_null_version()?;
    let object = call.core().head(at).await?;
    let mut writer = Writer::new("Tagging", 64);
    writer.open("TagSet");
    for (key, value) in object.attributes.tags.iter() {
        writer.open("Tag").element("Key", key).element("Value", value).close("Tag");
    }
    writer.close("TagSet");
    Ok(writer.answer(StatusCode::OK))
}

/// `PUT ?tagging`: the tags it names take the place of those there are.
pub(crate) async fn put(call: &Call<'_>, at: &ObjectName, body: Body) -> Result<Response, S3Error> {
    call.authorize_version((Action::PutObjectTagging, Action::PutObjectVersionTagging), at)?;
    call.expect_null_version()?;
    let document = body::collect(call.headers(), body, DOCUMENT_BYTES_MAX).await?;
    let tags = parse(&document)?;
    call.core().tag(at, TagChange::Replace(tags), None).await?;
    Ok(Response::new(Body::empty()))
}

/// `DELETE ?tagging`
pub(crate) async fn clear(call: &Call<'_>, at: &ObjectName) -> Result<Response, S3Error> {
    call.authorize_version((Action::DeleteObjectTagging, Action::DeleteObjectVersionTagging), at)?;
    call.expect_null_version()?;
    call.core().tag(at, TagChange::Replace(Tags::default()), None).await?;
    Ok(no_content())
}

/// The tags of the object that a request makes (`x-amz-tagging`). Giving it some is a right of its own.
pub(crate) fn given(call: &Call<'_>, at: &ObjectName) -> Result<Tags, S3Error> {
    let text = headers::text(call.headers(), &headers::TAGGING)?.unwrap_or("");
    let tags = parse_header(text)?;
    if !tags.is_empty() {
        call.authorize_object(Action::PutObjectTagging, at)?;
    }
    Ok(tags)
}

/// The tags of a copy where the request says so (`x-amz-tagging-directive: REPLACE`).
pub(crate) fn replaced(call: &Call<'_>, to: &ObjectName) -> Result<Option<Tags>, S3Error> {
    match headers::text(call.headers(), &headers::TAGGING_DIRECTIVE)? {
        None | Some("COPY" | "") => Ok(None),
        Some("REPLACE") => Ok(Some(given(call, to)?)),
        Some(other) => {
            Err(S3Error::argument(headers::TAGGING_DIRECTIVE.as_str(), other, "Unknown tagging directive."))
        }
    }
}

/// The tags of a copy that keeps those of its source: reading and giving them are rights of their own. Of a source
/// that has none the copy has none, whatever it gets meanwhile: nobody was asked about those.
pub(crate) fn copied(
    call: &Call<'_>,
    (from, source): (&ObjectName, &ObjectInfo),
    to: &ObjectName,
) -> Result<Option<Tags>, S3Error> {
    if source.attributes.tags.is_empty() {
        return Ok(Some(Tags::default()));
    }
    call.authorize_object(Action::GetObjectTagging, from)?;
    call.authorize_object(Action::PutObjectTagging, to)?;
    Ok(None)
}

/// `x-amz-tagging-count`, where there are tags and the caller may read them.
pub(super) fn put_count(out: &mut HeaderMap, call: &Call<'_>, (at, object): (&ObjectName, &ObjectInfo)) {
    let tags = &object.attributes.tags;
    if !tags.is_empty() && call.authorize_version(TO_READ, at).is_ok() {
        out.insert(headers::TAGGING_COUNT, HeaderValue::from(tags.len()));
    }
}

fn parse(document: &[u8]) -> Result<Tags, S3Error> {
    let document = Element::parse(document, "Tagging")?;
    let [set] = &document.children[..] else { return Err(S3Error::malformed_xml()) };
    if set.name != "TagSet" {
        return Err(S3Error::malformed_xml());
    }
    let pairs: Vec<(String, String)> = set.children.iter().map(pair).collect::<Result<_, _>>()?;
    Ok(Tags::new(pairs)?)
}

fn pair(tag: &Element) -> Result<(String, String), S3Error> {
    match (tag.name.as_str(), tag.child("Key"), tag.child("Value"), tag.children.len()) {
        ("Tag", Some(key), Some(value), 2) => Ok((key.text.clone(), value.text.clone())),
        (_, _, _, _) => Err(S3Error::malformed_xml()),
    }
}

/// `key=value&key=value`, URL-encoded.
fn parse_header(text: &str) -> Result<Tags, S3Error> {
    let invalid = || {
        S3Error::argument(
            headers::TAGGING.as_str(),
            text,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
             name duplicates.",
        )
    };
    let query = Query::parse(Some(text)).map_err(|_| invalid())?;
    match Tags::new(query.pairs().map(|(key, value)| (key.to_owned(), value.to_owned()))) {
        Err(InvalidTags::Twice(_)) => Err(invalid()),
        tags => Ok(tags?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::error::Code;

    fn told(tags: Result<Tags, S3Error>) -> Result<String, Code> {
        let tags = tags.map_err(|error| error.code)?;
        Ok(tags.iter().map(|(key, value)| format!("{key}={value};")).collect())
    }

    #[test]
    fn a_header_is_a_query() {
        let parse = |text| told(parse_header(text));
        assert_eq!(parse(""), Ok(String::new()));
        assert_eq!(parse("b=2&a=1"), Ok("a=1;b=2;".into()));
        assert_eq!(parse("a&b="), Ok("a=;b=;".into()));
        assert_eq!(parse("a+b=c%20d&%C3%A9=%3D%2B"), Ok("a b=c d;\u{e9}==+;".into()));
        assert_eq!(parse("a=1&a=2"), Err(Code::InvalidArgument));
        assert_eq!(parse("a=%ff"), Err(Code::InvalidArgument));
        assert_eq!(parse("a=%3C"), Err(Code::InvalidTag));
        assert_eq!(parse("=1"), Err(Code::InvalidTag));
        assert_eq!(parse("aws:a=1"), Err(Code::InvalidTag));
        let eleven: String = (0..11).map(|number| format!("k{number}=&")).collect();
        assert_eq!(parse(&eleven), Err(Code::BadRequest));
    }

    #[test]
    fn a_document_is_one_set_of_keys_with_values() {
        let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        let parse =
            |tags: &str| told(parse(format!("<Tagging><TagSet>{tags}</TagSet></Tagging>").as_bytes()));
        assert_eq!(parse(""), Ok(String::new()));
        assert_eq!(parse(&(tag("b", " 2 ") + &tag("a", ""))), Ok("a=;b= 2 ;".into()));
        assert_eq!(parse(&(tag("a", "1") + &tag("a", "2"))), Err(Code::InvalidTag));
        assert_eq!(parse(&tag("", "1")), Err(Code::InvalidTag));
        assert_eq!(parse(&tag("a", "&lt;")), Err(Code::InvalidTag));
        for bad in [
            "<Tag><Key>a</Key></Tag>",
            "<Tag><Value>a</Value></Tag>",
            "<Tag><Key>a</Key><Key>b</Key></Tag>",
            "<Tag><Key>a</Key><Value>1</Value><More/></Tag>",
            "<Other><Key>a</Key><Value>1</Value></Other>",
        ] {
            assert_eq!(parse(bad), Err(Code::MalformedXML), "{bad}");
        }
        let outside = |document: &str| told(super::parse(document.as_bytes()));
        for bad in [
            "",
            "<Tagging/>",
            "<TagSet/>",
            "<Tagging><TagSet/><TagSet/></Tagging>",
            "<Tagging><Tag/></Tagging>",
        ] {
            assert_eq!(outside(bad), Err(Code::MalformedXML), "{bad}");
        }
    }
}
