-- The relations of our own database with this name ($2), in this schema ($1) or in any (NULL): by comparing names, since
-- a cast to regclass would lock the relation itself. With all their partitions (or tables that inherit), whose locks are
-- locks of their own. `parent` is the relation that a partition belongs to; at most $3 rows.
-- Cost: index look-ups in four catalogs (AccessShareLock), so on the connection for locks, under lock_timeout.
WITH RECURSIVE named AS (
  SELECT c.oid, c.oid AS asked, c.relkind::text AS kind
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relname = $2::name AND ($1::name IS NULL OR n.nspname = $1::name)
), family AS (
  SELECT n.oid, n.asked, n.kind FROM named AS n
  UNION
  SELECT i.inhrelid, f.asked, c.relkind::text
  FROM family AS f
  JOIN pg_catalog.pg_inherits AS i ON i.inhparent = f.oid
  JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
)
SELECT f.oid::int8::float8,
       f.asked::int8::float8,
       f.kind,
       CASE WHEN n.nspname = 'public' THEN pg_catalog.quote_ident(c.relname)
            ELSE pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) END AS name,
       (SELECT CASE WHEN pn.nspname = 'public' THEN pg_catalog.quote_ident(p.relname)
                    ELSE pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.relname) END
        FROM pg_catalog.pg_inherits AS i
        JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
        JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
        WHERE i.inhrelid = f.oid AND c.relispartition
        LIMIT 1) AS parent
FROM family AS f
JOIN pg_catalog.pg_class AS c ON c.oid = f.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY (f.oid = f.asked) DESC, (n.nspname = 'public') DESC, n.nspname, c.relname
LIMIT $3::int
