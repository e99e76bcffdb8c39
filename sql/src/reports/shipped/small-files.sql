SELECT warehouse, namespace, "table", count(*) AS files, CAST(sum(size) AS BIGINT) AS bytes,
       CAST(sum(size) / count(*) AS BIGINT) AS bytes_per_file
FROM system.data_files
WHERE content = 'data' AND ($warehouse = '' OR warehouse = $warehouse)
GROUP BY warehouse, namespace, "table"
HAVING count(*) >= $files AND sum(size) / count(*) < $below_mib * 1048576
ORDER BY files DESC, warehouse, namespace, "table"
LIMIT $rows
