-- What each statement has cost since the statistics were reset, without texts. `extension_schema` stands for the schema
-- of pg_stat_statements, which may be any (the name is put in, quoted, before it is sent). The columns are those of
-- version 1.9 (PostgreSQL 14) and all later ones.
-- Cost: without texts nothing is read from disk; 5 ms and 0.4 MB for 5,000 statements (pg_stat_statements.max), the
-- most expensive $1 of them. It holds a lock of the extension in shared mode meanwhile: statements that are known to it
-- go on, new ones wait for these milliseconds. So: only when somebody asks, and on the connection for locks.
SELECT s.userid::int8::float8,
       s.dbid::int8::float8,
       s.toplevel,
       s.queryid::text,
       s.calls::float8,
       s.total_exec_time,
       s.max_exec_time
FROM extension_schema.pg_stat_statements(false) AS s
ORDER BY s.total_exec_time DESC
LIMIT $1::int
