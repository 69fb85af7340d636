-- The replication slots that keep WAL, those that keep most first. What later versions add comes by name from
-- the whole row: inactive_since and invalidation_reason from 17 on.
-- That of a REPACK (CONCURRENTLY), from 19 on, is known by its output plugin, which the server lets nobody else use (repack_worker.c).
-- Aurora's readers refuse to say where their WAL ends, but have no slots: it is asked for each of them alone.
-- On a standby the end of the WAL is what has arrived; pg_current_wal_lsn() fails there, so it stands in a CASE.
-- Run once a minute. Cost: 0.1 ms without any. Locks pg_database (AccessShareLock, by the view), so on the connection for locks.
SELECT s.slot_name::text AS name,
       s.slot_type,
       s.database::text,
       s.active,
       s.wal_status,
       coalesce(pg_catalog.pg_wal_lsn_diff(
         CASE WHEN pg_catalog.pg_is_in_recovery()
              THEN greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
              ELSE pg_catalog.pg_current_wal_lsn() END,
         s.restart_lsn), 0)::float8 AS retained_bytes,
       s.safe_wal_size::float8 AS safe_bytes,
       extract(epoch FROM pg_catalog.clock_timestamp()
         - (pg_catalog.to_jsonb(s) ->> 'inactive_since')::timestamptz)::float8 AS inactive_seconds,
       pg_catalog.to_jsonb(s) ->> 'invalidation_reason' AS invalidation_reason,
       s.plugin IS NOT DISTINCT FROM 'pgrepack' AS is_repack
FROM pg_catalog.pg_replication_slots AS s
ORDER BY retained_bytes DESC, s.slot_name
LIMIT 50
