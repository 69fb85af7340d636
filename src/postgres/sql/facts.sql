-- What the server is, and what our role may do there. What a version lacks is NULL: see domain/versions.ts.
-- $1: the roles by which a managed platform is recognised (domain/platform.ts). Aurora adds the function aurora_version.
-- $2: the functions of later versions that we may ask (rows.ts): those that are there, and our role may execute. 11 is
-- pg_catalog (pg_namespace.dat): to look it up by its name would lock one catalog more.
-- Run when a connection is opened, and about once a minute, as names.sql.
-- Cost: under 1 ms. Locks shared catalogs (AccessShareLock).
SELECT pg_catalog.current_setting('server_version_num')::int AS version_num,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       extract(epoch FROM pg_catalog.current_setting('max_standby_streaming_delay')::interval)::float8 AS standby_delay,
       ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles AS r WHERE r.rolname = ANY ($1::text[])) AS telling_roles,
       EXISTS (SELECT FROM pg_catalog.pg_proc AS p WHERE p.proname = 'aurora_version') AS is_aurora,
       ARRAY(SELECT DISTINCT p.proname::text
             FROM pg_catalog.pg_proc AS p
             WHERE p.proname = ANY ($2::text[])
               AND p.pronamespace = 11
               AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) AS functions,
       pg_catalog.pg_postmaster_start_time()::text AS started_at,
       pg_catalog.current_setting('max_connections')::int AS max_connections,
       (SELECT d.oid::int8::float8 FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()) AS datid,
       current_user::text AS role,
       me.rolsuper AS is_superuser,
       pg_catalog.pg_has_role(me.oid, 'pg_read_all_stats', 'USAGE') AS sees_others,
       pg_catalog.pg_has_role(me.oid, 'pg_signal_backend', 'USAGE') AS may_signal,
       (SELECT pg_catalog.pg_has_role(me.oid, r.oid, 'USAGE')
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = 'pg_signal_autovacuum_worker') AS may_signal_autovacuum,
       (SELECT pg_catalog.pg_has_role(me.oid, r.oid, 'USAGE')
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname = 'pg_use_reserved_connections') AS may_use_reserved,
       pg_catalog.current_setting('reserved_connections', true)::int AS reserved_connections,
       pg_catalog.current_setting('superuser_reserved_connections')::int AS superuser_reserved_connections
FROM pg_catalog.pg_roles AS me
WHERE me.rolname = current_user
