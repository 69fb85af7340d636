-- Settings ($1: their names) as they are made for the whole server, for all roles, for a role, a database, or a role in a
-- database (pg_db_role_setting). Those of the whole server come from the values that our session began with; where they were
-- set for our own role or database, those hide them, and `value` is NULL. What the version does not know has no row.
-- Run for an answer. Cost: 1 to 2 ms (all settings are listed once). Locks shared catalogs (AccessShareLock).
WITH made AS (
  SELECT nullif(s.setrole, 0) AS setrole,
         nullif(s.setdatabase, 0) AS setdatabase,
         pg_catalog.split_part(one.entry, '=', 1) AS name,
         pg_catalog.substr(one.entry, pg_catalog.strpos(one.entry, '=') + 1) AS value
  FROM pg_catalog.pg_db_role_setting AS s, pg_catalog.unnest(s.setconfig) AS one (entry)
),
known AS (
  SELECT g.name, g.reset_val, g.unit
  FROM pg_catalog.pg_settings AS g
  WHERE g.name = ANY ($1::text[])
)
SELECT k.name, NULL::text AS role, NULL::text AS database, k.unit,
       coalesce(
         (SELECT m.value FROM made AS m WHERE m.name = k.name AND m.setrole IS NULL AND m.setdatabase IS NULL),
         CASE WHEN NOT EXISTS (
           SELECT FROM made AS m
           WHERE m.name = k.name
             AND (m.setrole IS NULL OR m.setrole = (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = session_user))
             AND (m.setdatabase IS NULL
                  OR m.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()))
         ) THEN k.reset_val END) AS value
FROM known AS k
UNION ALL
SELECT m.name, r.rolname::text, d.datname::text, k.unit, m.value
FROM made AS m
JOIN known AS k ON k.name = m.name
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = m.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = m.setdatabase
WHERE (m.setrole IS NOT NULL OR m.setdatabase IS NOT NULL)
  AND (m.setrole IS NULL OR r.oid IS NOT NULL)
  AND (m.setdatabase IS NULL OR d.oid IS NOT NULL)
