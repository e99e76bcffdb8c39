//! Batches to begin with.

/// The kinds of batches, each with one to begin with.
pub const KINDS: [(&str, &str); 6] = [
    ("expire", EXPIRE),
    ("delete", DELETE),
    ("copy", COPY),
    ("replicate", REPLICATE),
    ("tag", TAG),
    ("catalog", CATALOG),
];

/// A batch to begin with.
pub fn template(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|(name, _)| *name == kind).map(|(_, text)| *text)
}

const EXPIRE: &str = "expire:
  apiVersion: v1
  bucket: mybucket
  prefix: logs/              # only keys that begin so; all without it
  rules:                     # an object that one of them lets through is deleted
    - type: object
      name: '*.log'          # a glob over the whole key; * matches slashes too
      olderThan: 90d         # or createdBefore: 2026-01-31T00:00:00Z
      size:
        greaterThan: 1MiB    # and lessThan
      # metadata:
      #   - key: project
      #     value: 'old-*'
  report:                    # what became of each object
    bucket: mybucket
    prefix: batch-reports
  failureThreshold:
    percent: 50              # the batch fails when more than these of a hundred failed
    after: 1000              # of so many at least
  retry:
    attempts: 3
    delay: 500ms
  dryRun: true               # false: really
";

const DELETE: &str = "delete:
  apiVersion: v1
  bucket: mybucket
  prefix: tmp/
  filter:                    # or a manifest
    olderThan: 7d
  # manifest:
  #   format: S3BatchOperations_CSV_20180820   # or S3InventoryReport_CSV_20161130, S3InventoryReport_Parquet_20161130
  #   bucket: mybucket
  #   key: manifests/to-delete.csv
  # manifest:
  #   sql: SELECT key FROM system.objects WHERE bucket = 'mybucket' AND size = 0
  report:
    bucket: mybucket
    prefix: batch-reports
  dryRun: true
";

const COPY: &str = "copy:
  apiVersion: v1
  source:
    bucket: mybucket
    prefix: photos/
  target:
    bucket: otherbucket
    prefix: copies/photos/
  overwrite: always          # never: what is there already stays, and counts as failed where it differs
  filter:                    # or a manifest, as of delete
    newerThan: 30d
  report:
    bucket: otherbucket
    prefix: batch-reports
  dryRun: true
";

const REPLICATE: &str = "replicate:
  apiVersion: v1
  source:                    # the side without an endpoint is this server
    bucket: mybucket
    prefix: photos/
  target:                    # an object goes to <prefix>/<its whole key>
    bucket: otherbucket
    prefix: copies
    endpoint: https://s3.example.com:9000
    path: auto               # on: the bucket in the path; off: in the host; auto: by the host
    credentials:
      accessKey: ACCESS
      secretKey: SECRET      # kept sealed and never shown; (kept) leaves it as it was
      # sessionToken: TOKEN
  flags:
    filter:
      newerThan: 30d         # olderThan, createdAfter, createdBefore, name, size, tags, metadata
    retry:
      attempts: 3
      delay: 500ms
    # notify:                # told at the end of a run
    #   endpoint: https://example.com/hook
    #   token: Bearer TOKEN
  replace: false             # true: also what is there with the same entity tag and size
  report:
    bucket: mybucket
    prefix: batch-reports
  dryRun: true
";

const TAG: &str = "tag:
  apiVersion: v1
  bucket: mybucket
  prefix: photos/
  filter:                    # or a manifest, as of delete
    olderThan: 30d
  merge:                     # set: these and no others; remove: a list of keys
    - key: state
      value: old
  report:
    bucket: mybucket
    prefix: batch-reports
  dryRun: true
";

const CATALOG: &str = "catalog:
  apiVersion: v1
  bucket: mybucket           # the bucket that is told
  id: everything             # files go to <prefix>/<bucket>/<id>/; catalog where nothing is said
  destination:
    bucket: otherbucket
    prefix: catalogs
    format: parquet          # csv, json, parquet
    compression: on          # on, off
    maxFileSizeHint: 256MiB
  mode: fast                 # fast: each object as it is when it is read; strict: all as of one moment
  versions: current          # all, current
  includeFields:
    - ETag
    - StorageClass
    - UserMetadata
  # filters:
  #   prefix: [raw/]
  #   lastModified: {olderThan: 90d}
  #   size: {greaterThan: 1MiB}
  dryRun: true
";
