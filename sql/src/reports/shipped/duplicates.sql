SELECT min(concat(bucket, '/', key)) AS first,
       etag,
       count(*) AS copies,
       CAST(size AS BIGINT) AS size,
       CAST((count(*) - 1) * size AS BIGINT) AS wasted
FROM {objects} AS objects
WHERE ($bucket = '' OR bucket = $bucket) AND starts_with(key, $prefix) AND size > 0
GROUP BY etag, size
HAVING count(*) > 1
ORDER BY wasted DESC, first
LIMIT $rows
