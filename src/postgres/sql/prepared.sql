-- The transactions that are prepared for two-phase commit. Run when one of them blocks somebody, and once a
-- minute.
-- Cost: under 1 ms; locks two shared catalogs (AccessShareLock), so on the connection for locks.
SELECT p.transaction::text AS xid,
       p.gid,
       p.owner::text,
       p.database::text,
       p.prepared::text,
       extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8 AS prepared_seconds
FROM pg_catalog.pg_prepared_xacts AS p
