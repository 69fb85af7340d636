-- The statements of the sessions that are shown ($1: pids), each cut at $2 characters.
-- `backend_start` and `query_start` tell whether it still is the same session and the same statement.
-- Cost: as activity.sql. No locks.
SELECT a.pid,
       a.backend_start::text,
       a.query_start::text,
       pg_catalog.left(a.query, $2::int) AS query
FROM pg_catalog.pg_stat_get_activity(NULL) AS a
WHERE a.pid = ANY ($1::int[])
