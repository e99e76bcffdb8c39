SELECT bucket, key, CAST(size AS BIGINT) AS bytes, last_modified
FROM {objects} AS objects
WHERE ($bucket = '' OR bucket = $bucket) AND starts_with(key, $prefix)
ORDER BY bytes DESC, bucket, key
LIMIT $rows
