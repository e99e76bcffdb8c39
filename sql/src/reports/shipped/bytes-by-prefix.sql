SELECT bucket,
       CASE WHEN slashes = 0 THEN '' ELSE concat(substr_index(key, '/', least($depth, slashes)), '/') END AS prefix,
       count(*) AS objects,
       CAST(sum(size) AS BIGINT) AS bytes
FROM (
    SELECT bucket, key, size,
           CAST(character_length(key) - character_length(replace(key, '/', '')) AS BIGINT) AS slashes
    FROM {objects} AS objects
    WHERE ($bucket = '' OR bucket = $bucket) AND starts_with(key, $prefix)
) AS keys
GROUP BY 1, 2
ORDER BY bytes DESC, bucket, prefix
LIMIT $rows
