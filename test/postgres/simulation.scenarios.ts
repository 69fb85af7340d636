import type { Ending } from '../../src/domain/locks/simulation.ts'
import { type Chooser, chooser } from '../support/chooser.ts'
import { openSession, type TestServer, type TestSession, waitFor } from '../support/postgres.ts'

/** Random trouble on objects of its own: several lanes run side by side on one server and never meet. */
export type Lane = {
  readonly actors: Actor[]
  /** Makes the trouble of a seed; everybody waits, sleeps or is idle when it is done. */
  play(seed: number): Promise<void>
  /** Resolves when nothing moves any more: who still works on a statement waits for a lock, or sleeps. */
  settled(): Promise<void>
  /** Resolves when the session is gone, or its statement is over. */
  end(ending: Ending): Promise<void>
  /** Ends every statement and transaction, and replaces sessions that are gone. */
  reset(): Promise<void>
  close(): Promise<void>
}

export type Actor = {
  readonly session: TestSession
  /** The statement that it works on. */
  busy: string | null
  inTransaction: boolean
  /** Whether that statement was sent by the extended protocol. */
  extended: boolean
  /** Everything that it was told to do in this scenario, for the explanation of a miss. */
  readonly told: string[]
  /** What its last statement failed with. */
  error: string | null
}

const sessionsPerLane = 12

export async function openLane(server: TestServer, lane: number): Promise<Lane> {
  const look = await openSession(`lane-${lane}-look`, server.url)
  await look.query(`
    CREATE TABLE rows_${lane} (id int PRIMARY KEY, v int);
    CREATE TABLE t1_${lane} (v int);
    CREATE TABLE t2_${lane} (v int)`)
  const newActor = async (index: number): Promise<Actor> => ({
    session: await openSession(`lane-${lane}-${index}`, server.url),
    busy: null,
    extended: false,
    inTransaction: false,
    told: [],
    error: null,
  })
  const actors: Actor[] = []
  for (let index = 0; index < sessionsPerLane; index++) actors.push(await newActor(index))

  const isSettled = async (): Promise<boolean> => {
    const busy = actors.filter((actor) => actor.busy !== null).map(({ session }) => session.pid)
    if (busy.length === 0) return true
    // pg_locks says `granted` from the moment on in which the lock is given, before the waiter has woken up.
    const { rows } = await look.query(
      `SELECT pid FROM pg_locks WHERE NOT granted AND waitstart IS NOT NULL AND pid = ANY ($1)
       UNION SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = ANY ($1)`,
      [busy],
    )
    return rows.length === busy.length
  }
  const settled = () =>
    waitFor(isSettled, `lane ${lane} comes to rest: ${actors.map(({ told }) => told.join('; ')).join(' | ')}`)

  /** Starts the statement; done or not, `settled` tells. */
  const tell = (actor: Actor, sql: string, values?: unknown[]): void => {
    actor.busy = sql
    actor.extended = values !== undefined
    actor.told.push(sql)
    void actor.session.start(sql, values).then((result) => {
      actor.error = result instanceof Error ? result.message : null
      actor.busy = null
    })
  }

  return {
    actors,
    settled,
    play: async (seed) => {
      await look.query(
        `DELETE FROM rows_${lane}; INSERT INTO rows_${lane} SELECT n, 0 FROM generate_series(1, 3) AS n`,
      )
      const choose = chooser(seed)
      const family = families[seed % families.length] ?? [rowLock]
      for (let step = 0; step < 10 + choose.below(10); step++) {
        const free = actors.filter((actor) => actor.busy === null)
        const actor = free[choose.below(free.length)]
        if (!actor) break
        if (actor.error !== null && actor.inTransaction) await end(actor)
        if (actor.inTransaction && choose.below(5) === 0) {
          tell(actor, 'SELECT pg_sleep(1000)')
        } else {
          const [sql, values] = choose.one(family)(choose, lane, `${seed}_${step}`)
          // Without a transaction around it, some of them are errors, or locks that are gone at once.
          const wants = step < 3 || choose.below(2) === 0 || /^LOCK|SAVEPOINT|_xact_/.test(sql)
          if (wants && !actor.inTransaction) {
            actor.told.push('BEGIN')
            await actor.session.query('BEGIN')
            actor.inTransaction = true
          }
          if (sql.startsWith('SAVEPOINT')) {
            const [savepoint = '', rest = ''] = sql.split('; ')
            tell(actor, savepoint)
            await settled()
            tell(actor, rest)
          } else tell(actor, sql, values)
        }
        await settled()
      }
      for (const actor of actors) if (actor.error !== null && actor.busy === null) await end(actor)
      await settled()
    },
    end: async ({ pid, action }) => {
      await look.query(`SELECT pg_${action}_backend($1)`, [pid])
      const isOver = action === 'cancel' ? "bool_and(state <> 'active')" : 'count(*) = 0'
      await waitFor(async () => {
        const { rows } = await look.query(`SELECT ${isOver} AS over FROM pg_stat_activity WHERE pid = $1`, [
          pid,
        ])
        return rows[0].over
      }, `${action} of ${pid} has its effect`)
    },
    reset: async () => {
      const isBusy = () => actors.filter((actor) => actor.busy !== null).map(({ session }) => session.pid)
      await waitFor(async () => {
        await look.query('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [isBusy()])
        return isBusy().length === 0
      }, `lane ${lane} is cancelled`)
      for (const [index, actor] of actors.entries()) {
        const unlocked = await actor.session.start('ROLLBACK; SELECT pg_advisory_unlock_all()')
        actors[index] =
          unlocked instanceof Error
            ? await newActor(index)
            : { ...actor, extended: false, inTransaction: false, told: [], error: null }
      }
    },
    close: async () => {
      await look.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [
        actors.map(({ session }) => session.pid),
      ])
      await Promise.all([look, ...actors.map(({ session }) => session)].map((session) => session.close()))
    },
  }
}

async function end(actor: Actor): Promise<void> {
  await actor.session.query('ROLLBACK')
  actor.told.push('ROLLBACK')
  actor.inTransaction = false
  actor.error = null
}

type Step = (choose: Chooser, lane: number, id: string) => [sql: string, values?: unknown[]]

const rowLock: Step = (choose, lane) => {
  const row = 1 + choose.below(2)
  const strength = choose.one(['UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE'])
  return choose.one<[string, unknown[]?]>([
    [`UPDATE rows_${lane} SET v = v + 1 WHERE id = ${row}`],
    [`UPDATE rows_${lane} SET v = v + 1 WHERE id = ${row}`],
    [`UPDATE rows_${lane} SET v = v + 1 WHERE id = ${row}`],
    [`SELECT FROM rows_${lane} WHERE id = ${row} FOR UPDATE`],
    [`UPDATE rows_${lane} SET v = v + 1 WHERE id = ${row}`],
    [`SELECT FROM rows_${lane} WHERE id = ${row} FOR UPDATE`],
    // The extended protocol.
    [`UPDATE rows_${lane} SET v = v + 1 WHERE id = $1`, [row]],
    [`SELECT FROM rows_${lane} WHERE id = ${row} FOR ${strength}`],
  ])
}
/** What the lock table tells less of: rows that vanish, keys that come twice, savepoints. */
const oddRow: Step = (choose, lane) => [
  choose.one([
    `DELETE FROM rows_${lane} WHERE id = ${1 + choose.below(2)}`,
    `INSERT INTO rows_${lane} VALUES (${10 + choose.below(2)}, 0)`,
    `SAVEPOINT s; UPDATE rows_${lane} SET v = v + 1 WHERE id = ${1 + choose.below(2)}`,
    `SELECT FROM rows_${lane} WHERE id < 3 FOR UPDATE`,
  ]),
]
const allModes = [
  ...['ACCESS SHARE', 'ROW SHARE', 'ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE'],
  ...['SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'],
]
const tableOf = (choose: Chooser, lane: number) => `t${1 + choose.below(2)}_${lane}`
const tableLock: Step = (choose, lane) => [
  `LOCK TABLE ${tableOf(choose, lane)} IN ${choose.one(allModes)} MODE`,
]
const reader: Step = (choose, lane) => [`SELECT count(*) FROM ${tableOf(choose, lane)}`]
const writer: Step = (choose, lane) => [`INSERT INTO ${tableOf(choose, lane)} VALUES (1)`]
const ddl: Step = (choose, lane, id) => {
  const table = tableOf(choose, lane)
  return [
    choose.one([
      `ALTER TABLE ${table} ADD COLUMN c_${id} int`,
      `CREATE INDEX i_${lane}_${id} ON ${table} (v)`,
      `TRUNCATE ${table}`,
    ]),
  ]
}
const advisory: Step = (choose, lane) => [
  `SELECT pg_advisory${choose.one(['', '_xact'])}_lock${choose.one(['', '', '_shared'])}(${lane * 100 + choose.below(3)})`,
]

const families: readonly (readonly Step[])[] = [
  // Row queues, and with everything else that happens to rows.
  [rowLock],
  [...Array<Step>(9).fill(rowLock), oddRow],
  // DDL queues.
  [reader, reader, reader, writer, writer, ddl],
  [reader, reader, reader, reader, ddl],
  // Mixed table modes.
  [tableLock, tableLock, reader, writer],
  // Chains: everybody holds something, and waits for something else.
  [rowLock, rowLock, tableLock],
  [rowLock, advisory, tableLock, reader, writer],
  [advisory],
  [rowLock, rowLock, rowLock, advisory, tableLock, reader, reader, writer, ddl, oddRow],
]
