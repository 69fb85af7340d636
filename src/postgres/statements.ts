import { readFileSync } from 'node:fs'

/** A file of sql/, prepared under its name on each connection that runs it. */
export type Statement = { readonly name: string; readonly text: string }

const read = (name: string): Statement => ({
  name: `pg_marshal_${name}`,
  text: readFileSync(new URL(`sql/${name}.sql`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('--'))
    .join('\n')
    .trim(),
})

/**
 * The plan of a statement without parameters: made, it has been looked up what the statement needs of the catalogs, and not
 * a lock was read.
 */
const planOf = ({ name, text }: Statement): Statement => ({
  name: `${name}_plan`,
  text: `EXPLAIN ${text}`,
})

export const statements = {
  sessionSettings: read('session_settings'),
  activity: read('activity'),
  names: read('names'),
  facts: read('facts'),
  text: read('text'),
  locks: read('locks'),
  locksPlan: planOf(read('locks')),
  locksOf: read('locks_of'),
  locksOn: read('locks_on'),
  relationsNamed: read('relations_named'),
  relationsKnown: read('relations_known'),
  relations: read('relations'),
  prepared: read('prepared'),
  preparedPlan: planOf(read('prepared')),
  preparedBare: read('prepared_bare'),
  blockingPids: read('blocking_pids'),
  changedTables: read('changed_tables'),
  multixacts: read('multixacts'),
  transactions: read('transactions'),
  healthDatabases: read('health_databases'),
  healthHorizon: read('health_horizon'),
  healthSlots: read('health_slots'),
  lockWaits: read('lock_waits'),
  waitEvents: read('wait_events'),
  rewriteView: read('rewrite_view'),
  rewriteProgress: read('rewrite_progress'),
  logAccess: read('log_access'),
  logTail: read('log_tail'),
  signalTime: read('signal_time'),
  cancel: read('cancel'),
  terminate: read('terminate'),
  roleSettings: read('role_settings'),
  statementStatsFacts: read('statement_stats_facts'),
  statementStatsNames: read('statement_stats_names'),
  statementStatsInfo: read('statement_stats_info'),
  statementStats: read('statement_stats'),
  statementStatsTexts: read('statement_stats_texts'),
}
