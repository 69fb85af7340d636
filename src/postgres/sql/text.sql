-- The statements of the sessions that are shown ($1: pids), each cut at $2 bytes; one that may have a comment at $3, for what
-- its application says of itself mostly stands at the end.
-- `backend_start` and `query_start` show whether it still is the same session and the same statement.
-- As bytes: each statement has the encoding of its own database, and where that is not ours, cutting it as text or sending
-- it fails (22021, 22P05), for all who were asked for. The cast undoes the doubled backslashes.
-- Cost: as activity.sql. No locks.
SELECT a.pid,
       a.backend_start::text,
       a.query_start::text,
       pg_catalog.substring(t.query, 1, CASE WHEN pg_catalog.position(t.query, '/*'::bytea) > 0 THEN $3::int ELSE $2::int END) AS query
FROM pg_catalog.pg_stat_get_activity(NULL) AS a,
     LATERAL (SELECT pg_catalog.replace(a.query COLLATE "C", E'\\', E'\\\\')::bytea AS query OFFSET 0) AS t
WHERE a.pid = ANY ($1::int[])
