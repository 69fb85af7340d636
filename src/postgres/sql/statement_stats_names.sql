-- The names of databases ($1: oids) and roles ($2: oids), whether anybody is connected as them or not.
-- Cost: one index look-up for each. Locks two shared catalogs (AccessShareLock), so on the connection for locks.
SELECT 'database' AS kind, d.oid::int8::float8, d.datname::text AS name, false AS is_superuser
FROM pg_catalog.pg_database AS d
WHERE d.oid = ANY ($1::oid[])
UNION ALL
SELECT 'role', r.oid::int8::float8, r.rolname::text, r.rolsuper
FROM pg_catalog.pg_roles AS r
WHERE r.oid = ANY ($2::oid[])
