-- How far session $1 is that rewrites a table. The name of the view is put in, see rewriteProgress.ts.
-- Columns come by name from the whole row: what a version lacks is NULL.
-- Run for an answer about such a session. Cost: under 1 ms. Locks pg_database (AccessShareLock, by the view).
SELECT p.row ->> 'phase' AS phase,
       (p.row ->> 'heap_blks_scanned')::float8 AS read,
       (p.row ->> 'heap_blks_total')::float8 AS total
FROM (SELECT v.pid, pg_catalog.to_jsonb(v) AS row FROM pg_catalog.pg_stat_progress_cluster AS v) AS p
WHERE p.pid = $1::int
