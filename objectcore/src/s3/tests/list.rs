//! Listings of objects.

use http::StatusCode;

use super::{Front, failed};

const EMPTY_ENTRY: &str = "<LastModified>DATE</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>\
                           <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>\
                           <Size>0</Size><StorageClass>STANDARD</StorageClass>";
const OWNER: &str = "<Owner><ID>7461726e00000000000000000000000000000000000000000000000000000000</ID>\
                     <DisplayName>tarn</DisplayName></Owner>";

async fn with_keys(keys: &[&str]) -> Front {
    let front = Front::new().await;
    for key in keys {
        assert_eq!(front.put(&format!("/abc/{key}"), "").await.status, StatusCode::OK);
    }
    front
}

#[tokio::test]
async fn version_two_tells_keys_prefixes_and_where_to_go_on() {
    let front = with_keys(&["a", "b/1", "b/2", "c"]).await;
    let first = front.get("/abc?list-type=2&delimiter=%2F&max-keys=2&start-after=0").await;
    let token = first.text_of("NextContinuationToken");
    assert_eq!(
        first.xml(),
        format!(
            "<ListBucketResult><Name>abc</Name><Prefix></Prefix><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter>\
             <IsTruncated>true</IsTruncated><KeyCount>2</KeyCount><NextContinuationToken>{token}</NextContinuationToken>\
             <StartAfter>0</StartAfter><Contents><Key>a</Key>{EMPTY_ENTRY}</Contents>\
             <CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>"
        )
    );
    let uri =
        format!("/abc?list-type=2&delimiter=%2F&max-keys=2&fetch-owner=true&continuation-token={token}");
    assert_eq!(
        front.get(&uri).await.xml(),
        format!(
            "<ListBucketResult><Name>abc</Name><Prefix></Prefix><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter>\
             <IsTruncated>false</IsTruncated><KeyCount>1</KeyCount><ContinuationToken>{token}</ContinuationToken>\
             <Contents><Key>c</Key>{EMPTY_ENTRY}{OWNER}</Contents></ListBucketResult>"
        )
    );
}

#[tokio::test]
async fn version_one_tells_markers() {
    let front = with_keys(&["a", "b/1", "b/2", "c"]).await;
    let first = front.get("/abc?delimiter=/&max-keys=2&marker=0").await;
    assert_eq!(
        first.xml(),
        format!(
            "<ListBucketResult><Name>abc</Name><Prefix></Prefix><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter>\
             <IsTruncated>true</IsTruncated><Marker>0</Marker><NextMarker>b/</NextMarker>\
             <Contents><Key>a</Key>{EMPTY_ENTRY}{OWNER}</Contents>\
             <CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>"
        )
    );
    let second = front.get("/abc?delimiter=/&max-keys=2&marker=b/").await;
    assert!(second.body.contains("<Key>c</Key>") && !second.body.contains("b/1"), "{}", second.body);
    let plain = front.get("/abc?max-keys=2").await;
    assert_eq!(plain.text_of("IsTruncated"), "true");
    assert!(!plain.body.contains("NextMarker"));
}

#[tokio::test]
async fn pages_put_together_are_the_whole_listing() {
    let keys = ["a", "a/b", "a/c/d", "b", "b/", "c//d", "c/d", "d", "\u{e9}", "z/1", "z/2"]
        .map(super::super::xml::url_encode);
    let front = with_keys(&keys.each_ref().map(String::as_str)).await;
    for delimiter in ["", "&delimiter=/"] {
        let whole = front.get(&format!("/abc?list-type=2{delimiter}")).await.body;
        let entries = |body: &str| -> Vec<String> {
            let keys =
                body.split("<Key>").skip(1).map(|piece| piece.split("</Key>").next().unwrap().to_owned());
            let prefixes = body
                .split("<CommonPrefixes><Prefix>")
                .skip(1)
                .map(|piece| piece.split("</").next().unwrap().to_owned());
            keys.chain(prefixes).collect()
        };
        for size in 1..=4 {
            let (mut collected, mut token) = (Vec::new(), String::new());
            loop {
                let page = front.get(&format!("/abc?list-type=2{delimiter}&max-keys={size}{token}")).await;
                let found = entries(&page.body);
                assert!(found.len() <= size);
                collected.extend(found);
                if page.text_of("IsTruncated") == "false" {
                    break;
                }
                token = format!("&continuation-token={}", page.text_of("NextContinuationToken"));
            }
            let mut expected = entries(&whole);
            expected.sort();
            collected.sort();
            assert_eq!(collected, expected, "{delimiter} {size}");
        }
    }
}

#[tokio::test]
async fn keys_are_url_encoded_when_asked_for() {
    let front = with_keys(&["a%20b/c%2Bd", "a%20b/%01"]).await;
    let encoded = front.get("/abc?list-type=2&encoding-type=url&prefix=a%20b/&start-after=a%20").await;
    assert!(encoded.body.contains("<Key>a%20b/c%2Bd</Key>") && encoded.body.contains("<Key>a%20b/%01</Key>"));
    assert_eq!(encoded.text_of("Prefix"), "a%20b/");
    assert_eq!(encoded.text_of("StartAfter"), "a%20");
    assert_eq!(encoded.text_of("EncodingType"), "url");
    let plain = front.get("/abc?list-type=2").await;
    assert!(plain.body.contains("<Key>a b/c+d</Key>") && plain.body.contains("<Key>a b/&#x1;</Key>"));
}

#[tokio::test]
async fn a_listing_of_nothing_is_a_listing() {
    let front = with_keys(&["a"]).await;
    assert_eq!(
        front.get("/abc?list-type=2&max-keys=0").await.xml(),
        "<ListBucketResult><Name>abc</Name><Prefix></Prefix><MaxKeys>0</MaxKeys><IsTruncated>false</IsTruncated>\
         <KeyCount>0</KeyCount></ListBucketResult>"
    );
    assert_eq!(front.get("/abc?list-type=2&prefix=zzz").await.text_of("KeyCount"), "0");
    assert_eq!(front.get("/abc?list-type=2&start-after=zzz").await.text_of("KeyCount"), "0");
    assert_eq!(front.get("/none?list-type=2").await.error(), failed(404, "NoSuchBucket"));
    assert_eq!(front.get("/none?list-type=2&max-keys=0").await.error(), failed(404, "NoSuchBucket"));
}

#[tokio::test]
async fn versions_are_the_objects_themselves() {
    let front = with_keys(&["a", "b/1"]).await;
    assert_eq!(
        front.get("/abc?versions&delimiter=/").await.xml(),
        format!(
            "<ListVersionsResult><Name>abc</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter>\
             <IsTruncated>false</IsTruncated><KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker>\
             <Version><Key>a</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>{EMPTY_ENTRY}{OWNER}</Version>\
             <CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListVersionsResult>"
        )
    );
}

#[tokio::test]
async fn odd_parameters_are_refused() {
    let front = Front::new().await;
    for query in [
        "list-type=2&max-keys=-1",
        "list-type=2&max-keys=many",
        "list-type=2&continuation-token=%21",
        "list-type=2&encoding-type=base64",
        "list-type=7",
        "versions&version-id-marker=x",
    ] {
        assert_eq!(
            front.get(&format!("/abc?{query}")).await.error(),
            failed(400, "InvalidArgument"),
            "{query}"
        );
    }
}
