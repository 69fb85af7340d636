import type { Log } from '../log.ts'
import { activityFrom, afresh } from './activityRows.ts'
import { type Connection, createConnection } from './connection.ts'
import { statements } from './statements.ts'

/** Milliseconds: for a new connection, for a look at the activity or a signal, and for the lock table. */
export type Deadlines = { readonly connect: number; readonly activity: number; readonly locks: number }

/**
 * Two connections to one server. One reads the activity and sends signals; it takes no lock that could wait, so it always
 * answers. The other reads the lock table and shared catalogs and may stall while the server sorts out a pile of waiters.
 */
export type TwoConnections = { readonly activity: Connection; readonly locks: Connection }

export function createTwoConnections({
  log,
  deadlines,
  prepare,
  ...address
}: {
  readonly url: string
  readonly passwordFile: string | null
  readonly log: Log
  readonly deadlines: Deadlines
  /** Asked first on each new connection for the activity. */
  readonly prepare: (query: Connection['query']) => Promise<unknown>
}): TwoConnections {
  const activity = createConnection({
    ...address,
    log: log.child({ connection: 'activity' }),
    connectMs: deadlines.connect,
    deadlineMs: deadlines.activity,
    onDeadline: 'drop',
    // Without the activity nothing is seen; without the locks it is not seen who blocks whom.
    takeOver: (why) => locks.release(why),
    // The server gives up first, so that a slow answer does not cost the connection.
    settings: { statement_timeout: String(Math.ceil(deadlines.activity * 0.8)), lock_timeout: '100' },
    prepare: async (query) => {
      await prepare(query)
      // What a statement looks up at its first use comes from shared catalogs, and in a storm that may take seconds.
      await activityFrom(await query(statements.activity, afresh(null)))
      await query(statements.text, [[], 0, 0])
      await query(statements.signalTime, [null])
      await query(statements.cancel, [0, null, null, null, null, null])
      await query(statements.terminate, [0, null, null, null, null, null, null])
    },
  })
  const locks = createConnection({
    ...address,
    log: log.child({ connection: 'locks' }),
    connectMs: deadlines.connect,
    deadlineMs: deadlines.locks,
    onDeadline: 'wait',
    settings: { statement_timeout: '5000', lock_timeout: '100' },
    // Without the other one nothing is seen: while slots are scarce, the one that a restart may get is for that, and where
    // that cannot be made, this one need not find out for itself.
    yieldTo: activity.failure,
    // When a catalog is what everybody waits for, its first use would wait too. The lock table itself is not for every new
    // connection: in a storm nothing interrupts that.
    prepare: async (query) => {
      await query(statements.locksPlan, [])
      await query(statements.preparedPlan, [])
      await query(statements.preparedBare, [])
    },
  })
  return { activity, locks }
}
