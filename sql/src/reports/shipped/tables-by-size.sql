SELECT reached.warehouse, reached.namespace, reached."table",
       count(*) AS objects,
       CAST(sum(objects.size) AS BIGINT) AS bytes,
       CAST(sum(CASE WHEN reached.is_current THEN objects.size ELSE 0 END) AS BIGINT) AS current_bytes
FROM (
    SELECT warehouse, namespace, "table", bucket, key, bool_or(is_current) AS is_current
    FROM system.reachable
    WHERE "table" IS NOT NULL AND ($warehouse = '' OR warehouse = $warehouse)
    GROUP BY warehouse, namespace, "table", bucket, key
) AS reached
JOIN {objects} AS objects ON objects.bucket = reached.bucket AND objects.key = reached.key
WHERE $warehouse = '' OR objects.bucket = $warehouse
GROUP BY reached.warehouse, reached.namespace, reached."table"
ORDER BY bytes DESC, reached.warehouse, reached.namespace, reached."table"
LIMIT $rows
