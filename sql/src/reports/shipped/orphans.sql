SELECT objects.bucket AS warehouse, objects.key, CAST(objects.size AS BIGINT) AS bytes, objects.last_modified
FROM {objects} AS objects
LEFT ANTI JOIN system.reachable AS reached ON reached.bucket = objects.bucket AND reached.key = objects.key
WHERE ($warehouse = '' OR objects.bucket = $warehouse)
  AND objects.bucket IN (SELECT name FROM system.buckets WHERE is_warehouse)
  AND objects.last_modified <= now() - CAST(concat($days, ' days') AS INTERVAL)
  AND NOT regexp_like(objects.key, '(^|/)([_.][^/=]*|version-hint[.]text)(/|$)')
ORDER BY bytes DESC, warehouse, key
LIMIT $rows
