-- Waits for locks by the type of what is locked, from 19 on (pg_stat_lock; facts.sql says whether it is there): those that got
-- their lock after more than deadlock_timeout, their time, and the locks that found no place among those of the fast path.
-- Columns come by name from the whole row: what a version lacks is NULL.
-- Run once a minute. Cost: under 1 ms, some ten rows. No locks.
SELECT l.row ->> 'locktype' AS locktype,
       (l.row ->> 'waits')::float8 AS waits,
       (l.row ->> 'wait_time')::float8 / 1000 AS seconds,
       (l.row ->> 'fastpath_exceeded')::float8 AS fast_path_exceeded,
       extract(epoch FROM (l.row ->> 'stats_reset')::timestamptz)::float8 AS since
FROM (SELECT pg_catalog.to_jsonb(s) AS row FROM pg_catalog.pg_stat_get_lock() AS s) AS l
