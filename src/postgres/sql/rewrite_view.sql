-- The view that shows how far a statement is that rewrites a table: pg_stat_progress_repack from 19 on, else
-- pg_stat_progress_cluster. One row, or none.
-- Run for an answer about a session that runs one. Cost: under 1 ms. Locks pg_class and pg_namespace (AccessShareLock).
SELECT c.relname::text AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'pg_catalog' AND c.relname IN ('pg_stat_progress_repack', 'pg_stat_progress_cluster')
ORDER BY c.relname = 'pg_stat_progress_repack' DESC
LIMIT 1
