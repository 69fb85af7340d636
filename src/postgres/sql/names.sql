-- The databases and roles of everybody who is connected now, by oid.
-- Run when a connection is opened, and again when an unknown oid appears or a minute has passed: on the connection for
-- activity while the lock manager is calm, else on the one for locks. It locks two shared catalogs (AccessShareLock),
-- which are never fast-path locks and can stall in a storm.
-- pg_get_userbyid leaves each role in the backend's own cache, where pg_terminate_backend looks whether its target is a
-- superuser: without it the first signal to a role reads pg_authid, and in a storm that took seconds instead of 27 ms.
-- Cost: about 1 ms with 1,000 sessions.
SELECT 'database' AS kind, d.oid::int8::float8, d.datname::text AS name, false AS is_superuser
FROM pg_catalog.pg_database AS d
WHERE d.oid IN (SELECT a.datid FROM pg_catalog.pg_stat_get_activity(NULL) AS a)
UNION ALL
SELECT 'role', r.oid::int8::float8, pg_catalog.pg_get_userbyid(r.oid)::text, r.rolsuper
FROM pg_catalog.pg_roles AS r
WHERE r.oid IN (SELECT a.usesysid FROM pg_catalog.pg_stat_get_activity(NULL) AS a)
