-- Every lock that one session ($1) holds or waits for, fast-path locks too, for its page of details.
-- Cost: one pass over the lock table, on the connection for locks.
SELECT (l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid,
        l.classid, l.objid, l.objsubid)::text AS target,
       l.mode,
       l.granted,
       ARRAY[l.pid::float8] AS pids,
       CASE WHEN NOT l.granted THEN ARRAY[extract(epoch FROM l.waitstart)::float8] END AS wait_starts,
       extract(epoch FROM pg_catalog.clock_timestamp())::float8 AS read_at
FROM pg_catalog.pg_locks AS l
WHERE l.pid = $1::int
ORDER BY l.granted, l.locktype, l.relation
