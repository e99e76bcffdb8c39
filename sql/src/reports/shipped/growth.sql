SELECT bucket, prefix, objects_before, objects_after, bytes_before, bytes_after,
       bytes_after - bytes_before AS growth
FROM (
    SELECT bucket, prefix,
           CAST(sum(before_objects) AS BIGINT) AS objects_before,
           CAST(sum(after_objects) AS BIGINT) AS objects_after,
           CAST(sum(before_bytes) AS BIGINT) AS bytes_before,
           CAST(sum(after_bytes) AS BIGINT) AS bytes_after
    FROM (
        SELECT bucket,
               CASE WHEN slashes = 0 THEN '' ELSE concat(substr_index(key, '/', least($depth, slashes)), '/') END AS prefix,
               before_objects, after_objects, before_bytes, after_bytes
        FROM (
            SELECT bucket, key, CAST(character_length(key) - character_length(replace(key, '/', '')) AS BIGINT) AS slashes,
                   1 AS before_objects, 0 AS after_objects, size AS before_bytes, 0 AS after_bytes
            FROM {before} AS objects_then
            WHERE starts_with(key, $prefix)
            UNION ALL
            SELECT bucket, key, CAST(character_length(key) - character_length(replace(key, '/', '')) AS BIGINT) AS slashes,
                   0 AS before_objects, 1 AS after_objects, 0 AS before_bytes, size AS after_bytes
            FROM {after} AS objects_now
            WHERE starts_with(key, $prefix)
        ) AS keys
    ) AS counted
    GROUP BY bucket, prefix
) AS summed
ORDER BY abs(bytes_after - bytes_before) DESC, bucket, prefix
LIMIT $rows
