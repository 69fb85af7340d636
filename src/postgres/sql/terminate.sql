-- Terminates session $1, if it still is the session that began at $2 and still is in the transaction that began at $3
-- (NULL: it had none, and has none now), and unless $4 is NULL still is as it has been since $4, unused.
-- One statement outside a transaction, so that the server looks and signals at the same moment. No rows: not sent.
SELECT pg_catalog.pg_terminate_backend(a.pid) AS returned
FROM pg_catalog.pg_stat_get_activity($1::int) AS a
WHERE a.pid = $1::int
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type = 'client backend'
  AND a.backend_start = $2::timestamptz
  AND a.xact_start IS NOT DISTINCT FROM $3::timestamptz
  AND ($4::timestamptz IS NULL OR a.state_change = $4::timestamptz)
