SELECT bucket, prefix,
       CAST(sum(objects_before) AS BIGINT) AS objects_before,
       CAST(sum(objects_after) AS BIGINT) AS objects_after,
       CAST(sum(bytes_before) AS BIGINT) AS bytes_before,
       CAST(sum(bytes_after) AS BIGINT) AS bytes_after,
       CAST(sum(bytes_after) - sum(bytes_before) AS BIGINT) AS growth
FROM (
    SELECT bucket,
           CASE WHEN slashes = 0 THEN '' ELSE concat(substr_index(key, '/', least($depth, slashes)), '/') END AS prefix,
           objects_before, objects_after, bytes_before, bytes_after
    FROM (
        SELECT bucket, key, CAST(character_length(key) - character_length(replace(key, '/', '')) AS BIGINT) AS slashes,
               1 AS objects_before, 0 AS objects_after, size AS bytes_before, 0 AS bytes_after
        FROM {before} AS objects_then
        WHERE starts_with(key, $prefix)
        UNION ALL
        SELECT bucket, key, CAST(character_length(key) - character_length(replace(key, '/', '')) AS BIGINT) AS slashes,
               0 AS objects_before, 1 AS objects_after, 0 AS bytes_before, size AS bytes_after
        FROM {after} AS objects_now
        WHERE starts_with(key, $prefix)
    ) AS keys
) AS counted
GROUP BY bucket, prefix
ORDER BY abs(sum(bytes_after) - sum(bytes_before)) DESC, bucket, prefix
LIMIT $rows
