-- What the server says that each wait event means, from 17 on (pg_wait_events; facts.sql says whether it is there).
-- Run once for each start of a server, when somebody looks at a session that waits. Cost: 1 ms, 270 rows. No locks.
SELECT w.type, w.name, w.description FROM pg_catalog.pg_get_wait_events() AS w
