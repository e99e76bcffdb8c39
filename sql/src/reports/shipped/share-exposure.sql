SELECT shares.name AS share,
       CAST(coalesce(granted.recipients, 0) AS BIGINT) AS recipients,
       CAST(coalesce(shared.tables, 0) AS BIGINT) AS tables,
       CAST(coalesce(shared.rows, 0) AS BIGINT) AS rows,
       CAST(coalesce(shared.bytes, 0) AS BIGINT) AS bytes
FROM system.shares AS shares
LEFT JOIN (
    SELECT share, count(*) AS recipients FROM system.grants WHERE enabled GROUP BY share
) AS granted ON granted.share = shares.name
LEFT JOIN (
    SELECT of_share.share, count(*) AS tables, sum(sizes.rows) AS rows, sum(sizes.bytes) AS bytes
    FROM system.shared_tables AS of_share
    LEFT JOIN (
        SELECT warehouse, namespace, "table", sum(rows) AS rows, sum(size) AS bytes
        FROM system.data_files
        WHERE content = 'data'
        GROUP BY warehouse, namespace, "table"
    ) AS sizes
    ON sizes.warehouse = of_share.warehouse AND sizes.namespace = of_share.namespace AND sizes."table" = of_share."table"
    GROUP BY of_share.share
) AS shared ON shared.share = shares.name
ORDER BY bytes DESC, share
LIMIT $rows
