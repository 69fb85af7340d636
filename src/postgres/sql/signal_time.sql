-- Until when a signal may go out that is decided now, by the clock of this server; and whether the time $1 has passed.
SELECT (pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => 5))::text AS before,
  COALESCE(pg_catalog.clock_timestamp() >= $1::timestamptz, false) AS past
