-- Tier 1: every process of the server ($1 NULL), or those with the given pids. The first row has the clock, the pids of all of them
-- and what is known now: one number for each, of which we read nothing and which comes back as $4 at the next look. Then a row for
-- each process that says something else than what is known (all of them where $4 is NULL), with its statement if that began since
-- $2 (NULL: none), cut at $3 bytes and as bytes, as in text.sql: the record wants them, and each is sent once.
--
-- It reads the function behind pg_stat_activity and not the view: the view joins pg_database and pg_authid, and a lock
-- on a shared catalog is never a fast-path lock. In a storm of deadlock checks (1,000 sessions on one row) the view
-- stalled for 16 s, this never for more than 80 ms. The names of the oids are kept on our side (names.sql).
--
-- `said` is all that changes only when the process does something, as one text, which is made where it is sent. Ages follow from the
-- times and `now`. Its number is made of the same columns, with the pid and the seed $5, which nobody else knows: whoever chooses an
-- application_name cannot choose one that leaves it as it was. (The hash of a time would fold it to 32 bits, that of its bytes does not.)
-- The function is named early, where track_activity_query_size leaves it for people to see.
-- Cost on the server, on a busy machine, where half of the sessions say something new: 0.6 ms with 100 of them, 6.2 ms with 1,000; where
-- none does 0.4 and 4.4 ms, where all do 0.7 and 9.7 ms. No locks.
WITH seen AS (
  SELECT a.*, t.now
  FROM (SELECT pg_catalog.clock_timestamp() AS now OFFSET 0) AS t,
       pg_catalog.pg_stat_get_activity(NULL) AS a
  WHERE $1::int[] IS NULL OR a.pid = ANY ($1)
),
process AS MATERIALIZED (
  SELECT a.pid, a.leader_pid, a.backend_type, a.backend_start, a.datid, a.usesysid, a.application_name, a.client_addr, a.state,
         a.wait_event_type, a.wait_event, a.xact_start, a.query_start, a.state_change, a.backend_xid, a.backend_xmin, a.query_id,
         a.client_port, a.now,
         CASE WHEN $2::float8 IS NOT NULL AND (a.query_start IS NULL OR extract(epoch FROM a.query_start)::float8 >= $2::float8)
              THEN pg_catalog.substring(pg_catalog.replace(a.query COLLATE "C", E'\\', E'\\\\')::bytea, 1, $3::int)
         END AS query,
         pg_catalog.hash_record_extended(ROW(
           a.pid, a.leader_pid, a.backend_type, pg_catalog.timestamptz_send(a.backend_start), a.datid, a.usesysid, a.application_name,
           a.client_addr, a.state, a.wait_event_type, a.wait_event, pg_catalog.timestamptz_send(a.xact_start),
           pg_catalog.timestamptz_send(a.query_start), pg_catalog.timestamptz_send(a.state_change), a.backend_xid, a.backend_xmin,
           pg_catalog.int8send(a.query_id), a.client_port
         ), $5::int8) >> 12 AS number
  FROM seen AS a
)
SELECT NULL::int AS pid,
       NULL::text AS said,
       NULL::bytea AS query,
       extract(epoch FROM pg_catalog.min(p.now))::float8 AS now,
       pg_catalog.array_agg(p.pid)::text AS pids,
       pg_catalog.array_agg(p.number)::text AS known
FROM process AS p
UNION ALL
SELECT p.pid,
       pg_catalog.array_to_json(ARRAY[
         p.leader_pid::text,
         p.backend_type,
         p.backend_start::text,
         p.datid::text,
         p.usesysid::text,
         p.application_name,
         pg_catalog.host(p.client_addr),
         p.state,
         p.wait_event_type,
         p.wait_event,
         p.xact_start::text,
         p.query_start::text,
         p.state_change::text,
         p.backend_xid::text,
         p.backend_xmin::text,
         p.query_id::text,
         p.client_port::text
       ])::text,
       p.query,
       NULL,
       NULL,
       NULL
FROM process AS p
LEFT JOIN pg_catalog.unnest($4::int8[]) AS k (number) ON k.number = p.number
WHERE k.number IS NULL
