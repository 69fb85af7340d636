-- Since when statements are counted, and how often the least used were thrown out for want of room.
-- `extension_schema`: see statement_stats.sql. Cost: under 1 ms. No locks that wait.
SELECT extract(epoch FROM i.stats_reset)::float8 AS reset_at,
       i.dealloc::float8 AS evictions,
       extract(epoch FROM pg_catalog.clock_timestamp())::float8 AS read_at
FROM extension_schema.pg_stat_statements_info() AS i
