-- Whose these transaction ids ($1) are, which are those of savepoints: each holds a lock on its own.
-- Asked only where such a one holds a row together with others. Cost: one more pass over the lock table, on the connection
-- for locks.
SELECT l.transactionid::text AS xid, l.pid
FROM pg_catalog.pg_locks AS l
WHERE l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock' AND l.pid IS NOT NULL
  AND l.transactionid::text = ANY ($1::text[])
