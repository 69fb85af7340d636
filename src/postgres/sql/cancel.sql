-- Cancels the statement of session $1, if it still is the session that began at $2 and still runs the very statement
-- that began at $3, is reported as running since $4 and, where both are known, has the id $5. A statement that has ended is
-- not cancelled: the next one would die for it. A fast-path call keeps the query_start of what ran before it, hence $4.
-- Our own session cannot match, since its statement begins with this one; the condition says so all the same.
-- An autovacuum worker has one such statement for each table. Whether it may be cancelled is decided before, and by the server.
-- After $6 nothing is sent: who was stopped before this statement must not send late what was approved then.
-- One statement outside a transaction, so that the server looks and signals at the same moment. No rows: not sent.
SELECT pg_catalog.pg_cancel_backend(a.pid) AS returned
FROM pg_catalog.pg_stat_get_activity($1::int) AS a
WHERE a.pid = $1::int
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type IN ('client backend', 'autovacuum worker')
  AND a.backend_start = $2::timestamptz
  AND a.state IN ('active', 'fastpath function call')
  AND a.query_start = $3::timestamptz
  AND a.state_change = $4::timestamptz
  AND ($5::text IS NULL OR a.query_id IS NULL OR a.query_id::text = $5)
  AND pg_catalog.clock_timestamp() < $6::timestamptz
