-- What the server itself says of a few waiters ($1: pids): the members of a cycle, where the order of the queue does not
-- follow from the lock table, and ($2: pids) sessions that wait for a safe snapshot, which is no lock at all.
-- Cost: each call holds every partition of the lock table, so never for a whole queue (1.3 s for 2,000 waiters).
SELECT w.pid, pg_catalog.pg_blocking_pids(w.pid) AS blockers
FROM pg_catalog.unnest($1::int[]) AS w (pid)
UNION ALL
SELECT w.pid, pg_catalog.pg_safe_snapshot_blocking_pids(w.pid)
FROM pg_catalog.unnest($2::int[]) AS w (pid)
