use super::*;

const WHOLE: &str = "<?xml version=\"1.0\"?>
<InventoryConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">
  <Destination><S3BucketDestination>
    <AccountId>123456789012</AccountId>
    <Bucket>arn:aws:s3:::reports</Bucket>
    <Format>Parquet</Format>
    <Prefix>inventory/daily</Prefix>
  </S3BucketDestination></Destination>
  <IsEnabled>true</IsEnabled>
  <Filter><Prefix>raw &amp; cooked/</Prefix></Filter>
  <Id>daily.1</Id>
  <IncludedObjectVersions>All</IncludedObjectVersions>
  <OptionalFields><Field>ETag</Field><Field>Size</Field><Field>ChecksumAlgorithm</Field></OptionalFields>
  <Schedule><Frequency>Daily</Frequency></Schedule>
</InventoryConfiguration>";

const LEAST: &str = "<InventoryConfiguration><Destination><S3BucketDestination>\
    <Bucket>arn:aws:s3:::reports</Bucket><Format>CSV</Format></S3BucketDestination></Destination>\
    <IsEnabled>false</IsEnabled><Id>a</Id><IncludedObjectVersions>Current</IncludedObjectVersions>\
    <Schedule><Frequency>Weekly</Frequency></Schedule></InventoryConfiguration>";

fn parse(text: &str) -> Result<Configuration, Refused> {
    Configuration::parse(text.as_bytes())
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back_field_by_field() {
    for text in [WHOLE, LEAST] {
        let read = parse(text).unwrap();
        assert_eq!(parse(&document(&read)).unwrap(), read);
        let spec = read.spec("data");
        assert_eq!(Configuration::of(&spec).unwrap(), read);
        let other = Spec { versions: Versions::All, iceberg: true, ..spec };
        assert_eq!(Configuration::of(&other), None, "a text that says something else does not count");
    }
}

#[test]
fn a_definition_becomes_a_specification_of_awss_layout() {
    let spec = parse(WHOLE).unwrap().spec("data");
    assert_eq!((spec.bucket.as_str(), spec.id.as_str()), ("data", "daily.1"));
    assert_eq!(spec.fields, [Field::Size, Field::ETag, Field::ChecksumAlgorithm]);
    assert_eq!(spec.filter.prefixes, ["raw & cooked/"]);
    let destination = spec.destination.unwrap();
    assert_eq!((destination.bucket.as_str(), destination.prefix.as_str()), ("reports", "inventory/daily"));
    assert_eq!((destination.format, destination.layout), (Format::Parquet, Layout::Aws));
    let least = parse(LEAST).unwrap();
    assert_eq!(least.spec("data").destination.unwrap().compression, Compression::Gzip);
    assert_eq!((least.enabled, least.schedule()), (false, Schedule::Weekly));
}

#[test]
fn a_page_tells_whether_there_are_more() {
    let read = parse(LEAST).unwrap();
    let text = page(std::slice::from_ref(&read), None, Some("a"));
    assert!(text.contains("<IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken>"));
    let text = page(&[], Some("a"), None);
    assert!(text.contains("<ContinuationToken>a</ContinuationToken><IsTruncated>false</IsTruncated></List"));
}

#[test]
fn what_is_wrong_is_told_with_what_is_allowed() {
    for (from, to, told) in [
        ("Daily", "Hourly", "line 14: Frequency cannot be \"Hourly\"; allowed: Daily, Weekly"),
        (">All<", ">Some<", "line 12: IncludedObjectVersions cannot be \"Some\"; allowed: All, Current"),
        (">true<", ">yes<", "line 9: IsEnabled cannot be \"yes\"; allowed: true, false"),
        (">Parquet<", ">JSON<", "line 6: Format cannot be \"JSON\"; allowed: CSV, Parquet"),
        (
            "<Id>daily.1</Id>",
            "<Id>a b</Id>",
            "An Id is 1 to 64 letters, digits, hyphens, underscores and dots, the first no dot.",
        ),
        ("<Id>daily.1</Id>", "", "line 2: InventoryConfiguration lacks Id"),
        ("<Id>", "<Id>x</Id><Id>", "line 11: InventoryConfiguration has Id twice"),
        (
            "<Filter><Prefix>raw &amp; cooked/</Prefix></Filter>",
            "<Filter><And/></Filter>",
            "line 10: Filter has no element \"And\"; allowed: Prefix",
        ),
        (
            "arn:aws:s3:::reports",
            "reports",
            "The destination's Bucket is the ARN of a bucket, such as arn:aws:s3:::reports.",
        ),
        (
            "arn:aws:s3:::reports",
            "arn:aws:s3:::reports/x",
            "The destination's Bucket is the ARN of a bucket, such as arn:aws:s3:::reports.",
        ),
        ("<Field>ETag</Field>", "<Field>Size</Field>", "line 13: the Field Size is there twice"),
        (
            "InventoryConfiguration",
            "Other",
            "line 2: the document is of element \"Other\"; InventoryConfiguration is expected",
        ),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        assert_eq!(refused(&WHOLE.replace(from, to)), told);
    }
    assert!(
        refused(&WHOLE.replace("ETag", "Tags"))
            .starts_with("line 13: Field cannot be \"Tags\"; allowed: Size, La")
    );
}

#[test]
fn what_the_server_does_not_do_is_refused_by_name() {
    let kms = "<Format>Parquet</Format><Encryption><SSE-KMS><KeyId>k</KeyId></SSE-KMS></Encryption>";
    for text in [WHOLE.replace("<Format>Parquet</Format>", kms), WHOLE.replace(">Parquet<", ">ORC<")] {
        assert!(matches!(parse(&text), Err(Refused::NotImplemented(_))), "{text}");
    }
}

#[test]
fn hostile_documents_are_refused() {
    let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>";
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    for (text, told) in [
        (format!("{bomb}{LEAST}"), "line 1: the document has a document type"),
        (LEAST.replace(">a<", ">&b;<"), "line 1: the document has an entity of its own"),
        (deep, "line 1: the document has too many elements or too many levels of them"),
        ("<a/>".repeat(9000), "line 1: the document is not well-formed XML"),
        ("x".repeat(DOCUMENT_BYTES_MAX + 1), "the document is longer than 65536 bytes"),
        (String::new(), "line 1: the document is not well-formed XML"),
        ("<InventoryConfiguration>".into(), "line 1: the document is not well-formed XML"),
        (LEAST.replace("reports", &"r".repeat(66_000)), "the document is longer than 65536 bytes"),
    ] {
        assert_eq!(refused(&text), told);
    }
    let fields = "<Field>Size</Field>".repeat(300);
    let many = WHOLE.replace("<Field>ETag</Field>", &fields);
    assert_eq!(refused(&many), "line 13: the document has too many elements or too many levels of them");
    assert_eq!(
        Configuration::parse(b"<a>\xff</a>").unwrap_err().to_string(),
        "line 1: the document is not UTF-8"
    );
}
