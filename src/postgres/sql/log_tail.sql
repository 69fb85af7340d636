-- The last $2 bytes of the newest log with the ending $1 (`.json` or `.csv`: the collector sets them by the format), and
-- whether they are all of it. Run only when the count of deadlocks has risen, and only where it was granted.
-- Cost: one read of at most $2 bytes on the server, and one look at each file of the log directory. No locks.
SELECT pg_catalog.pg_read_binary_file(
         pg_catalog.current_setting('log_directory') || '/' || f.name,
         greatest(f.size - $2::bigint, 0),
         $2::bigint) AS bytes,
       f.size <= $2::bigint AS is_whole
FROM (SELECT l.name, l.size
      FROM pg_catalog.pg_ls_logdir() AS l
      WHERE pg_catalog.right(l.name, pg_catalog.length($1::text)) = $1::text
      ORDER BY l.modification DESC, l.name DESC
      LIMIT 1) AS f
