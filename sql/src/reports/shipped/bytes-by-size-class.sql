SELECT classes.told AS size,
       count(objects.size) AS objects,
       CAST(coalesce(sum(objects.size), 0) AS BIGINT) AS bytes
FROM (VALUES (0, 'empty'), (1, 'up to 4 KiB'), (2, '4 to 128 KiB'), (3, '128 KiB to 1 MiB'), (4, '1 to 16 MiB'),
             (5, '16 to 128 MiB'), (6, '128 MiB to 1 GiB'), (7, 'over 1 GiB')) AS classes (class, told)
LEFT JOIN (
    SELECT size,
           CASE WHEN size = 0 THEN 0
                WHEN size <= 4096 THEN 1
                WHEN size <= 131072 THEN 2
                WHEN size <= 1048576 THEN 3
                WHEN size <= 16777216 THEN 4
                WHEN size <= 134217728 THEN 5
                WHEN size <= 1073741824 THEN 6
                ELSE 7 END AS class
    FROM {objects} AS objects
    WHERE ($bucket = '' OR bucket = $bucket) AND starts_with(key, $prefix)
) AS objects ON objects.class = classes.class
GROUP BY classes.class, classes.told
ORDER BY classes.class
