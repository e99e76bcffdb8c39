//! The policies every server has, under AIStor's names. No kept policy can have any of these names.

/// Names and documents.
pub(crate) const POLICIES: [(&str, &str); 9] = [
    (
        "readonly",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Objects",
      "Effect": "Allow",
      "Action": ["s3:Get*", "s3:ListAllMyBuckets", "s3:ListBucket*"],
      "Resource": "arn:aws:s3:::*"
    },
    {
      "Sid": "Tables",
      "Effect": "Allow",
      "Action": ["s3tables:Get*", "s3tables:List*", "s3tables:TableMetrics"],
      "Resource": "arn:aws:s3tables:::*"
    }
  ]
}"#,
    ),
    (
        "readwrite",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Objects", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"},
    {"Sid": "Tables", "Effect": "Allow", "Action": "s3tables:*", "Resource": "arn:aws:s3tables:::*"}
  ]
}"#,
    ),
    (
        "writeonly",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Objects",
      "Effect": "Allow",
      "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
      "Resource": "arn:aws:s3:::*"
    }
  ]
}"#,
    ),
    (
        "diagnostics",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Look", "Effect": "Allow", "Action": ["admin:ServerInfo", "admin:StorageInfo", "admin:Prometheus"]}
  ]
}"#,
    ),
    (
        "tablesReadOnly",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Tables",
      "Effect": "Allow",
      "Action": ["s3tables:Get*", "s3tables:List*", "s3tables:TableMetrics"],
      "Resource": "arn:aws:s3tables:::*"
    }
  ]
}"#,
    ),
    (
        "tablesReadWrite",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Tables", "Effect": "Allow", "Action": "s3tables:*", "Resource": "arn:aws:s3tables:::*"},
    {
      "Sid": "NoWarehouses",
      "Effect": "Deny",
      "Action": ["s3tables:CreateTableBucket", "s3tables:DeleteTableBucket"],
      "Resource": "arn:aws:s3tables:::*"
    }
  ]
}"#,
    ),
    (
        "tablesAdmin",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Tables", "Effect": "Allow", "Action": "s3tables:*", "Resource": "arn:aws:s3tables:::*"}
  ]
}"#,
    ),
    (
        "iamAdmin",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Identities",
      "Effect": "Allow",
      "Action": [
        "admin:*User*", "admin:*Group*", "admin:*Polic*", "admin:*ServiceAccount*", "admin:*AccessKey*"
      ]
    }
  ]
}"#,
    ),
    (
        "consoleAdmin",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}
  ]
}"#,
    ),
];

/// The document of a built-in policy.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    POLICIES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
