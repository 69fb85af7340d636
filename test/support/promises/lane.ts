import { setTimeout as delay } from 'node:timers/promises'
import type { Ending } from '../../../src/domain/locks/simulation.ts'
import type { Chooser } from '../chooser.ts'
import { openSession, type TestServer, type TestSession, waitFor } from '../postgres.ts'
import { type Family, restore, schema, tidy } from './moves.ts'

/** One statement of one of the sessions. */
export type Step = { readonly session: number; readonly sql: string }

export type Actor = {
  readonly session: TestSession
  /** The statement that it works on. */
  busy: string | null
  inTransaction: boolean
  /** Error of its last statement. */
  error: string | null
}

/** Sessions and tables in a database of their own, so that lanes side by side do not meet. */
export type Lane = {
  readonly url: string
  readonly actors: readonly Actor[]
  /** Makes a jam; everybody waits, sleeps or is idle when it is done. */
  invent(family: Family, choose: Chooser, id: string): Promise<Step[]>
  /** Makes it again; a step whose session is busy is left out. */
  play(steps: readonly Step[]): Promise<void>
  /** Runs one statement until it is over or waits, and whatever it sets going as well. */
  run(session: number, sql: string): Promise<void>
  settled(): Promise<void>
  /** Resolves when the session is gone, or its statement is over, and nothing moves any more. */
  end(endings: readonly Ending[]): Promise<void>
  /** Ends everything, and makes the rows what they were. */
  reset(): Promise<void>
  close(): Promise<void>
}

const sessionsPerLane = 8
const opens = /^BEGIN/
const closes = /^(COMMIT|ROLLBACK|PREPARE TRANSACTION)(?! TO)/

export async function openLane(server: TestServer, shopUrl: string, number: number): Promise<Lane> {
  const database = `lane_${number}`
  const within = (url: string) => Object.assign(new URL(url), { pathname: `/${database}` }).href
  await server.admin.query(`CREATE DATABASE ${database} OWNER shop`)
  // A look from another database: who works CONCURRENTLY waits for every snapshot in its own.
  const look = await openSession(`${database}-look`, server.url)
  const admin = await openSession(`${database}-admin`, within(server.url))
  await admin.query(`GRANT ALL ON SCHEMA public TO shop`)
  await admin.query(`SET ROLE shop; ${schema}; RESET ROLE`)
  await admin.query(restore)
  const newActor = async (index: number): Promise<Actor> => ({
    session: await openSession(`s${index + 1}`, within(shopUrl)),
    busy: null,
    inTransaction: false,
    error: null,
  })
  const actors = await Promise.all(Array.from({ length: sessionsPerLane }, (_, index) => newActor(index)))
  let isUntidy = false

  const busyPids = () => actors.filter(({ busy }) => busy !== null).map(({ session }) => session.pid)
  const isSettled = async (): Promise<boolean> => {
    const busy = busyPids()
    if (busy.length === 0) return true
    // pg_locks says `granted` from the moment on in which the lock is given, before the waiter has woken up.
    const { rows } = await look.query(
      `SELECT pid FROM pg_locks WHERE NOT granted AND waitstart IS NOT NULL AND pid = ANY ($1)
       UNION SELECT pid FROM pg_stat_activity WHERE wait_event IN ('PgSleep', 'SafeSnapshot') AND pid = ANY ($1)`,
      [busy],
    )
    return rows.length === busy.length && busyPids().length === busy.length
  }
  const settled = () =>
    waitFor(isSettled, `${database} comes to rest: ${actors.map(({ busy }) => busy ?? '-').join(' | ')}`)

  async function run(index: number, sql: string): Promise<void> {
    const actor = actors[index]
    if (!actor || actor.busy !== null) return
    isUntidy ||= /CONCURRENTLY|replication_slot/.test(sql)
    actor.busy = sql
    const over = actor.session.start(sql).then((result) => {
      actor.busy = null
      actor.error = result instanceof Error ? result.message : null
      if (closes.test(sql)) actor.inTransaction = false
      else if (opens.test(sql) && actor.error === null) actor.inTransaction = true
    })
    // Most are over in no time, and then nobody has to look.
    await Promise.race([over, delay(3)])
    // Inside a transaction nothing is let go, so nobody else has moved.
    if (actor.busy === null && actor.inTransaction && actor.error === null && !/TO s|unlock/.test(sql)) return
    await settled()
  }

  const play: Lane['play'] = async (steps) => {
    for (const { session, sql } of steps) await run(session, sql)
  }

  return {
    url: within(server.marshalUrl),
    actors,
    run,
    play,
    settled,
    invent: async (family, choose, id) => {
      const steps: Step[] = []
      const step = async (session: number, sql: string) => {
        steps.push({ session, sql })
        await run(session, sql)
      }
      if (family.orders) {
        const left = family.orders.map((order) => [...order])
        for (;;) {
          const free = left.flatMap((order, index) =>
            order.length > 0 && actors[index]?.busy === null ? [index] : [],
          )
          // Once somebody waits, the jam may be looked at any time.
          if (free.length === 0 || (busyPids().length > 0 && choose.below(2) === 0)) return steps
          const index = choose.one(free)
          await step(index, left[index]?.shift() ?? '')
        }
      }
      for (let move = 0, most = 7 + choose.below(10); move < most; move++) {
        const free = [...actors.keys()]
          .slice(0, family.sessions)
          .filter((index) => actors[index]?.busy === null)
        const index = free[choose.below(free.length)]
        const actor = index === undefined ? undefined : actors[index]
        if (index === undefined || !actor) break
        const { sql, outside = false } = choose.one(family.moves)(choose, `${id}_${move}`)
        const alone = choose.below(8) === 0
        if (
          /^(COMMIT|ROLLBACK|PREPARE|SELECT pg_sleep)/.test(sql[0] ?? '') &&
          !actor.inTransaction &&
          sql.length === 1
        )
          continue
        if (outside && actor.inTransaction) await step(index, 'COMMIT')
        for (const statement of sql) {
          if (actor.busy !== null) break
          if (actor.error !== null && actor.inTransaction) {
            await step(index, 'ROLLBACK')
            break
          }
          if (statement === 'COMMIT' && sql.length > 1 && !actor.inTransaction) continue
          const needs = /^(LOCK|SAVEPOINT)|_xact_/.test(statement) || !alone
          if (!outside && needs && !actor.inTransaction && !opens.test(statement) && !closes.test(statement))
            await step(index, choose.below(10) === 0 ? 'BEGIN ISOLATION LEVEL REPEATABLE READ' : 'BEGIN')
          await step(index, statement)
        }
        if (actor.busy === null && actor.error !== null && actor.inTransaction) await step(index, 'ROLLBACK')
      }
      // Whoever got an error meanwhile has let go of nothing yet.
      for (const [index, actor] of actors.entries())
        if (actor.busy === null && actor.error !== null && actor.inTransaction) await step(index, 'ROLLBACK')
      return steps
    },
    end: async (endings) => {
      for (const { pid, action } of endings) await look.query(`SELECT pg_${action}_backend($1)`, [pid])
      for (const { pid, action } of endings) {
        const isOver = action === 'cancel' ? "bool_and(state <> 'active')" : 'count(*) = 0'
        await waitFor(async () => {
          const { rows } = await look.query(`SELECT ${isOver} AS over FROM pg_stat_activity WHERE pid = $1`, [
            pid,
          ])
          return rows[0].over
        }, `${action} of ${pid} has its effect`)
      }
      await settled()
    },
    reset: async () => {
      await waitFor(async () => {
        const busy = busyPids()
        if (busy.length > 0)
          await look.query('SELECT pg_cancel_backend(pid) FROM unnest($1::int[]) AS pid', [busy])
        return busy.length === 0
      }, `${database} is cancelled`)
      for (const [index, actor] of actors.entries()) {
        const unlocked = await actor.session.start('ROLLBACK; SELECT pg_advisory_unlock_all()')
        if (unlocked instanceof Error) actors[index] = await newActor(index)
        else Object.assign(actor, { inTransaction: false, error: null })
      }
      const { rows } = await admin.query(
        'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()',
      )
      for (const { gid } of rows) await admin.query(`ROLLBACK PREPARED '${gid}'`)
      if (isUntidy) {
        await admin.query(
          'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()',
        )
        await admin.query(tidy)
      }
      isUntidy = false
      await admin.query(restore)
    },
    close: async () => {
      await look.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [
        actors.map(({ session }) => session.pid),
      ])
      await Promise.all([look, admin, ...actors.map(({ session }) => session)].map((one) => one.close()))
    },
  }
}
