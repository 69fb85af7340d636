-- The texts of the few statements that are shown ($1: user oids, $2: database oids, $3: query ids, in the same order),
-- each cut at $4 characters. `extension_schema`: see statement_stats.sql.
-- Cost: the extension reads its whole file of texts for it, 20 ms for 5,000 statements of 0.9 kB; statement_timeout
-- bounds it. So: once for each answer, after the statements were chosen.
SELECT DISTINCT ON (s.userid, s.dbid, s.queryid)
       s.userid::int8::float8,
       s.dbid::int8::float8,
       s.queryid::text,
       pg_catalog.left(s.query, $4::int) AS query
FROM extension_schema.pg_stat_statements(true) AS s
JOIN ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::oid[]), pg_catalog.unnest($3::int8[]))
  AS wanted (userid, dbid, queryid)
  ON wanted.userid = s.userid AND wanted.dbid = s.dbid AND wanted.queryid = s.queryid
