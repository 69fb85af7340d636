-- Whether pg_stat_statements is there for us: loaded at the server's start (only then the server knows its settings),
-- made as an extension in our own database, in which schema and version, and whether we may look into that schema.
-- shared_preload_libraries is NULL for a role without pg_read_all_settings.
-- Cost: 1 to 2 ms (all settings are listed once). Locks three catalogs (AccessShareLock).
WITH settings AS MATERIALIZED (
  SELECT s.name, s.setting
  FROM pg_catalog.pg_settings AS s
  WHERE s.name IN ('shared_preload_libraries', 'compute_query_id', 'pg_stat_statements.track')
)
SELECT EXISTS (SELECT FROM settings AS s WHERE s.name = 'pg_stat_statements.track') AS is_loaded,
       (SELECT s.setting FROM settings AS s WHERE s.name = 'shared_preload_libraries') AS libraries,
       (SELECT s.setting FROM settings AS s WHERE s.name = 'compute_query_id') AS compute_query_id,
       (SELECT s.setting FROM settings AS s WHERE s.name = 'pg_stat_statements.track') AS track,
       pg_catalog.current_database()::text AS database,
       current_user::text AS role,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       e.extversion AS version,
       n.nspname::text AS schema,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS may_use_schema
FROM (VALUES ('pg_stat_statements')) AS wanted (extension)
LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = wanted.extension
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
