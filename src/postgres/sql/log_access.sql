-- Whether the server's own log can be read: which formats it has, and whether our role may read a file. Bytes and no
-- text: each database writes its own encoding into the log, and reading text fails at the first byte of another.
-- pg_monitor may list the directory (pg_ls_logdir) everywhere, but ask for the current file (pg_current_logfile) only
-- since 17, so that is not used.
-- Run once a minute. Cost: none to speak of. Locks pg_proc (AccessShareLock).
SELECT pg_catalog.current_setting('logging_collector')::bool AS collected,
       pg_catalog.current_setting('log_destination') AS destination,
       pg_catalog.has_function_privilege('pg_catalog.pg_ls_logdir()', 'EXECUTE')
         AND pg_catalog.has_function_privilege('pg_catalog.pg_read_binary_file(text, bigint, bigint)', 'EXECUTE')
         AS may_read
