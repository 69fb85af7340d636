-- Everybody who holds or waits for a lock on these relations ($1: oids of our own database and of the shared catalogs),
-- fast-path locks too, grouped as in locks.sql: a prepared transaction is minus its transaction id.
-- Cost: one pass over the lock table, on the connection for locks.
WITH locks AS MATERIALIZED (
  SELECT (l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid,
          l.classid, l.objid, l.objsubid)::text AS target,
         l.locktype, l.database, l.relation, l.transactionid, l.virtualtransaction, l.pid, l.mode, l.granted, l.waitstart
  FROM pg_catalog.pg_locks AS l
  WHERE l.mode <> 'SIReadLock' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
), prepared AS (
  SELECT l.virtualtransaction, -pg_catalog.min(l.transactionid::text::float8) AS pid
  FROM locks AS l
  WHERE l.pid IS NULL AND l.locktype = 'transactionid'
    AND l.transactionid IN (SELECT p.transaction FROM pg_catalog.pg_prepared_xact() AS p)
  GROUP BY l.virtualtransaction
)
SELECT l.target,
       l.mode,
       l.granted,
       pg_catalog.array_agg(coalesce(l.pid::float8, p.pid, 0)) AS pids,
       pg_catalog.array_agg(extract(epoch FROM l.waitstart)::float8) FILTER (WHERE NOT l.granted) AS wait_starts,
       extract(epoch FROM pg_catalog.clock_timestamp())::float8 AS read_at
FROM locks AS l
LEFT JOIN prepared AS p ON l.pid IS NULL AND p.virtualtransaction = l.virtualtransaction
WHERE l.relation = ANY ($1::oid[])
  AND l.database IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()))
GROUP BY l.target, l.mode, l.granted
