SELECT classes.age,
       count(objects.size) AS objects,
       CAST(coalesce(sum(objects.size), 0) AS BIGINT) AS bytes
FROM (VALUES (0, 'under a day'), (1, '1 to 7 days'), (2, '7 to 30 days'), (3, '30 to 90 days'), (4, '90 days to a year'),
             (5, 'over a year')) AS classes (class, age)
LEFT JOIN (
    SELECT size,
           CASE WHEN last_modified > now() - INTERVAL '1' DAY THEN 0
                WHEN last_modified > now() - INTERVAL '7' DAY THEN 1
                WHEN last_modified > now() - INTERVAL '30' DAY THEN 2
                WHEN last_modified > now() - INTERVAL '90' DAY THEN 3
                WHEN last_modified > now() - INTERVAL '365' DAY THEN 4
                ELSE 5 END AS class
    FROM {objects} AS objects
    WHERE ($bucket = '' OR bucket = $bucket) AND starts_with(key, $prefix)
) AS objects ON objects.class = classes.class
GROUP BY classes.class, classes.age
ORDER BY classes.class
