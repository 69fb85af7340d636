-- Terminates session $1, if it still is the session that began at $2 and still is in the transaction that began at $3
-- and, where it had one, has the id $4. $3 is NULL where nothing showed a transaction: outside of one, but also in one that
-- is aborted outside a savepoint. Then the session must be in state $5, and unless $6 is NULL since then.
-- With track_activities = off the state is 'disabled' and all times are NULL: nothing distinguishes its transactions.
-- Our own session cannot match, since its transaction begins with this statement; the condition says so all the same.
-- After $7 nothing is sent: who was stopped before this statement must not send late what was approved then.
-- One statement outside a transaction, so that the server looks and signals at the same moment. No rows: not sent.
SELECT pg_catalog.pg_terminate_backend(a.pid) AS returned
FROM pg_catalog.pg_stat_get_activity($1::int) AS a
WHERE a.pid = $1::int
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type = 'client backend'
  AND a.backend_start = $2::timestamptz
  AND a.state <> 'disabled'
  AND a.xact_start IS NOT DISTINCT FROM $3::timestamptz
  AND ($4::text IS NULL OR a.backend_xid::text = $4)
  AND ($5::text IS NULL OR a.state = $5)
  AND ($6::timestamptz IS NULL OR a.state_change = $6)
  AND pg_catalog.clock_timestamp() < $7::timestamptz
