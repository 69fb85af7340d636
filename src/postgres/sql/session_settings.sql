-- Run once on each new connection. Nothing that we run may write, wait long, or resolve a name in somebody's schema;
-- times come as ISO text in UTC, with all their microseconds.
-- Cost: none. No locks.
SELECT pg_catalog.set_config(s.name, s.setting, false)
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS s (name, setting)
