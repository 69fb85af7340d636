-- Which of these sessions ($1: pids), which wait or are idle, have changed a table before in their transactions: INSERT, UPDATE and DELETE keep at
-- least RowExclusiveLock on it to the end, DDL more. So a migration that waits with nothing done differs from one with work
-- to lose. Fast-path locks count. Row locks alone (SELECT … FOR UPDATE) take RowShareLock.
-- Asked once for each statement that waits or is over, and only where it is not known otherwise.
-- Cost: one more pass over the lock table, on the connection for locks.
SELECT DISTINCT l.pid
FROM pg_catalog.pg_locks AS l
WHERE l.pid = ANY ($1::int[])
  AND l.granted
  AND l.locktype = 'relation'
  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
