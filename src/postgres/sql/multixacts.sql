-- Who shares a row with whom: of the last $1 multixacts those members whose transactions go on, where that is more than one, or
-- the row was moved.
-- No view shows them, but a function that everybody may call does. Which row has which multixact nobody may see, so it is known by a member of it
-- that somebody waits for.
-- `since`: they are all that there are of transactions with this id or a later one; null: of none. A multixact is
-- younger than its members, so for those that came after the last checkpoint what was there before it does not count.
-- (The checkpoint reads the two numbers one after the other, hence the 100.)
-- A savepoint that was released has an id of its own and no lock on it: only its status says whether it has ended.
-- Cost: linear, no locks; 30 ms for 5,000 multixacts.
WITH numbers AS (
  SELECT n.*, greatest(n.next - $1::int8, n.oldest, 1) AS first
  FROM (
    SELECT i.next,
           -- As of the last checkpoint, all three.
           i.next - pg_catalog.mxid_age(c.oldest_multi_xid) AS oldest,
           i.next - pg_catalog.mxid_age(c.next_multixact_id) - 100 AS checkpoint,
           pg_catalog.split_part(c.next_xid, ':', 2) AS checkpoint_xid
    FROM (SELECT 1 + (pg_catalog.mxid_age('1')::int8 & 4294967295) AS next) AS i,
         pg_catalog.pg_control_checkpoint() AS c
  ) AS n
), members AS MATERIALIZED (
  SELECT g.multixact, m.xid::text AS xid, m.mode,
         -- How far it is from the oldest id that is running: what is before that has ended.
         o.oldest, (m.xid::text::int8 - o.oldest) & 4294967295 AS distance
  FROM numbers AS n,
       (SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::int8 AS oldest OFFSET 0) AS o,
       pg_catalog.generate_series(n.first, n.next - 1) AS g (multixact),
       pg_catalog.pg_get_multixact_members(g.multixact::text::xid) AS m (xid, mode)
), alive AS MATERIALIZED (
  SELECT i.distance
  FROM (SELECT DISTINCT m.oldest, m.distance FROM members AS m WHERE m.distance < 2147483648) AS i
  WHERE pg_catalog.pg_xact_status((i.oldest + i.distance)::text::xid8) = 'in progress'
)
SELECT CASE WHEN n.first = n.oldest THEN '0' WHEN n.first <= n.checkpoint THEN n.checkpoint_xid END AS since,
       m.multixact::float8 AS multixact,
       m.xid,
       m.mode,
       m.moved
FROM numbers AS n
LEFT JOIN (
  SELECT *,
         pg_catalog.count(*) FILTER (WHERE e.goes_on) OVER each AS many,
         -- An UPDATE that has ended made another version of the row.
         pg_catalog.bool_or(NOT e.goes_on AND e.mode IN ('nokeyupd', 'upd')) OVER each AS moved
  FROM (SELECT *, distance IN (SELECT a.distance FROM alive AS a) AS goes_on FROM members) AS e
  WINDOW each AS (PARTITION BY e.multixact)
) AS m ON m.goes_on AND (m.many > 1 OR m.moved)
ORDER BY m.multixact
