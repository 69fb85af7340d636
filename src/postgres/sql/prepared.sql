-- The transactions that are prepared for two-phase commit. Run when one of them blocks somebody, and once a
-- minute.
-- The gid comes as bytes: it has the encoding of its own database (see text.sql), and a person is to type it.
-- Cost: under 1 ms; locks two shared catalogs (AccessShareLock), so on the connection for locks.
SELECT p.transaction::text AS xid,
       pg_catalog.replace(p.gid COLLATE "C", E'\\', E'\\\\')::bytea AS gid,
       (SELECT pg_catalog.pg_encoding_to_char(d.encoding)::text
        FROM pg_catalog.pg_database AS d
        WHERE d.datname = p.database) AS encoding,
       p.owner::text,
       p.database::text,
       p.prepared::text,
       extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8 AS prepared_seconds
FROM pg_catalog.pg_prepared_xacts AS p
