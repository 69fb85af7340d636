-- The names of relations ($1: oids) of our own database and of the shared ones. `regclass` and the functions for sizes
-- and definitions would lock the relation itself and wait; the catalogs are only read, under lock_timeout.
-- Cost: two index look-ups for each.
SELECT c.oid::int8::float8,
       CASE WHEN n.nspname = 'public' THEN pg_catalog.quote_ident(c.relname)
            ELSE pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) END AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[])
