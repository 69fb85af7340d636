-- Tier 2: the contended part of the lock table, grouped by target and mode, and the row locks that show the relation of
-- a wait for a transaction (they are held only while somebody waits). With them come the locks on relations that show who
-- else may hold such a row, or may be next in the way of who waits for a transaction: they are mostly fast-path locks.
-- And the last id of who has several.
-- Other fast-path locks are never in contention: the server moves them to the main table when a conflicting request comes.
-- A prepared transaction has no pid. It comes as minus its transaction id, found by the lock that every transaction
-- holds on its own id; 0 if it was resolved meanwhile. Targets are compared as text, since an xid cannot be sorted.
-- Cost: linear; 19 ms and 46 kB for 2,000 sessions that wait for one row. It takes all partitions of the lock table in
-- shared mode for a moment, so in a storm of deadlock checks it stalls: only the connection for locks runs it.
WITH everything AS MATERIALIZED (
  SELECT l.*
  FROM pg_catalog.pg_locks AS l
  WHERE l.mode <> 'SIReadLock' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
), relations AS (
  SELECT t.database, t.relation, false AS readers
  FROM everything AS t
  WHERE t.locktype = 'tuple' AND t.granted
  UNION
  -- What a command in several transactions works on: it waits for readers too. (VACUUM and the like wait for no transaction.)
  SELECT h.database, h.relation, h.mode = 'ShareUpdateExclusiveLock'
  FROM everything AS h
  WHERE h.granted AND h.locktype = 'relation' AND h.mode <> 'AccessShareLock'
    -- IS TRUE keeps the planner, which expects few rows, from a nested loop: it took 500 ms for 1,000 sessions.
    AND (h.virtualtransaction IN (
      SELECT w.virtualtransaction
      FROM everything AS w
      WHERE NOT w.granted AND w.locktype IN ('transactionid', 'virtualxid'))) IS TRUE
  UNION
  -- … and what it will work on, once it has this lock.
  SELECT w.database, w.relation, true
  FROM everything AS w
  WHERE NOT w.granted AND w.locktype = 'relation' AND w.mode = 'ShareUpdateExclusiveLock'
), nested AS (
  -- A savepoint's transaction has an id of its own: the last one of each is enough, there may be thousands.
  SELECT s.virtualtransaction, pg_catalog.max(s.transactionid::text::float8)::text AS last
  FROM everything AS s
  WHERE s.granted AND s.locktype = 'transactionid' AND s.mode = 'ExclusiveLock'
  GROUP BY s.virtualtransaction
  HAVING pg_catalog.count(*) > 1
), locks AS MATERIALIZED (
  SELECT (l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid,
          l.classid, l.objid, l.objsubid)::text AS target,
         l.locktype, l.transactionid, l.virtualtransaction, l.pid, l.mode, l.granted, l.waitstart, l.fastpath,
         l.granted AND l.locktype = 'relation' AND EXISTS (
           SELECT 1
           FROM relations AS r
           WHERE r.database = l.database AND r.relation = l.relation
             AND (r.readers OR l.mode <> 'AccessShareLock')) AS near
  FROM everything AS l
  WHERE NOT l.fastpath OR l.relation IN (SELECT r.relation FROM relations AS r)
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
WHERE l.locktype = 'tuple' OR l.near
   OR (l.granted AND l.locktype = 'transactionid'
       AND (l.virtualtransaction, l.transactionid::text) IN (SELECT n.virtualtransaction, n.last FROM nested AS n))
   OR l.target IN (SELECT w.target FROM locks AS w WHERE NOT w.granted)
GROUP BY l.target, l.mode, l.granted
