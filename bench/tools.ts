/**
 * Tool that people use to see who blocks whom. The queries have the form of the tool's own (same joins, same columns
 * that matter for the cost), written for this bench.
 */
export type Tool = { readonly name: string; readonly statements: readonly string[] }

const sameTarget = (a: string, b: string) =>
  ['database', 'relation', 'page', 'tuple', 'virtualxid', 'transactionid', 'classid', 'objid', 'objsubid']
    .map((column) => `${b}.${column} IS NOT DISTINCT FROM ${a}.${column}`)
    .join(' AND ')

/** Not a tool but the floor: both views as they are, once. */
export const bare: Tool = {
  name: 'bare read of both views',
  statements: ['SELECT * FROM pg_stat_activity', 'SELECT * FROM pg_locks'],
}

export const blockingPids: Tool = {
  name: 'pg_blocking_pids',
  statements: [
    `SELECT a.pid, a.usename, a.query, pg_blocking_pids(a.pid) AS blockers
     FROM pg_stat_activity AS a WHERE a.wait_event_type = 'Lock'`,
  ],
}

/** "Lock Monitoring" in the wiki: every waiter joined with every other lock on the same object. */
export const wiki: Tool = {
  name: 'wiki',
  statements: [
    `SELECT w.pid, wa.usename, wa.query, b.pid, ba.usename, ba.query
     FROM pg_locks AS w
     JOIN pg_stat_activity AS wa ON wa.pid = w.pid
     JOIN pg_locks AS b ON b.locktype = w.locktype AND ${sameTarget('w', 'b')} AND b.pid <> w.pid
     JOIN pg_stat_activity AS ba ON ba.pid = b.pid
     WHERE NOT w.granted`,
  ],
}

export const others: readonly Tool[] = [
  blockingPids,
  wiki,
  {
    // Its pages for "waiting" and for "blocking" queries: by transaction, and by relation.
    name: 'pg_activity form',
    statements: [
      `SELECT w.pid, w.mode, w.locktype, w.relation, a.application_name, a.query, a.state
       FROM pg_locks AS w JOIN pg_stat_activity AS a ON a.pid = w.pid WHERE NOT w.granted`,
      `SELECT b.pid, b.mode, a.application_name, a.query, a.state
       FROM pg_locks AS b
       JOIN (SELECT DISTINCT transactionid FROM pg_locks WHERE NOT granted) AS w ON w.transactionid = b.transactionid
       JOIN pg_stat_activity AS a ON a.pid = b.pid WHERE b.granted
       UNION ALL
       SELECT b.pid, b.mode, a.application_name, a.query, a.state
       FROM pg_locks AS b
       JOIN (SELECT * FROM pg_locks WHERE NOT granted) AS w
         ON w.relation = b.relation AND w.database = b.database AND w.pid <> b.pid
       JOIN pg_stat_activity AS a ON a.pid = b.pid WHERE b.granted`,
    ],
  },
  {
    name: 'check_postgres form',
    statements: [
      `SELECT l.granted, l.mode, d.datname FROM pg_locks AS l
       RIGHT JOIN pg_database AS d ON d.oid = l.database WHERE d.datallowconn`,
    ],
  },
  {
    // Both sides by the whole target as text, with ages and statements.
    name: 'PgHero form',
    statements: [
      `SELECT w.pid, wa.usename, wa.query, age(now(), wa.query_start), b.pid, ba.usename, ba.query, age(now(), ba.query_start)
       FROM pg_locks AS w
       JOIN pg_stat_activity AS wa ON wa.pid = w.pid
       JOIN pg_locks AS b ON b.pid <> w.pid
        AND (b.locktype, b.database, b.relation, b.page, b.tuple, b.virtualxid, b.transactionid::text, b.classid, b.objid, b.objsubid)::text
          = (w.locktype, w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid::text, w.classid, w.objid, w.objsubid)::text
       JOIN pg_stat_activity AS ba ON ba.pid = b.pid
       WHERE NOT w.granted ORDER BY wa.query_start`,
    ],
  },
]
