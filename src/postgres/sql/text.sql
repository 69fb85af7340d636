-- The statements of the sessions that are shown ($1: pids), each cut at $2 bytes.
-- `backend_start` and `query_start` show whether it still is the same session and the same statement.
-- As bytes: each statement has the encoding of its own database, and where that is not ours, cutting it as text or sending
-- it fails (22021, 22P05), for all who were asked for. The cast undoes the doubled backslashes.
-- Cost: as activity.sql. No locks.
SELECT a.pid,
       a.backend_start::text,
       a.query_start::text,
       pg_catalog.substring(pg_catalog.replace(a.query COLLATE "C", E'\\', E'\\\\')::bytea, 1, $2::int) AS query
FROM pg_catalog.pg_stat_get_activity(NULL) AS a
WHERE a.pid = ANY ($1::int[])
