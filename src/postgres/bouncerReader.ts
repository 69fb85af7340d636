import { setTimeout as delay } from 'node:timers/promises'
import { backoff } from '../backoff.ts'
import {
  areOfInterest,
  type BouncerLink,
  type BouncerPool,
  type BouncerServer,
  clientsIn,
  isConsole,
  linksOf,
  withPooler,
} from '../domain/session/pgbouncer.ts'
import type { Session } from '../domain/session/session.ts'
import type { PoolerLook } from '../domain/session/snapshot.ts'
import type { Log } from '../log.ts'
import { type ConsoleAddress, createBouncerConsole } from './bouncerConsole.ts'
import { adminsFrom, clientsFrom, poolsFrom, serversFrom, versionFrom } from './bouncerRows.ts'
import { type ClusterError, clusterErrorOf, clusterErrorWith } from './errors.ts'

/** PgBouncer before a server, beside the looks at that: whatever its console does, a look goes on without it. */
export type BouncerReader = {
  /** Begins a reading, and waits for it while the console answers promptly; the first one may take longer. Never throws. */
  begin(): Promise<void>
  /**
   * Finds the sessions that are its connections, right after they were read, and asks who their clients are where that may
   * matter. Never throws.
   */
  follow(sessions: readonly Session[], portOf: (pid: number) => number | null): Promise<Followed>
  close(): void
}

export type Followed = {
  readonly pooler: PoolerLook
  readonly named: (sessions: readonly Session[]) => readonly Session[]
}

type Reading = {
  /** Right before the connections were asked for. */
  readonly askedAt: number
  readonly pools: readonly BouncerPool[]
  readonly servers: readonly BouncerServer[]
}

/** Milliseconds: for each answer, for which a look waits at most (the first connects), and after which a reading is too old. */
const deadlineMs = 3_000
const heldUpMs = 250
const heldUpFirstMs = 1_000
const longestAgeMs = 15_000
const retries = { firstMs: 1_000, longestMs: 30_000, jitter: true }

/** Clients of which not all are read: it would take PgBouncer and us too long. */
export const mostClients = 10_000

type ReaderDeps = { readonly steady: () => number; readonly log: Log }

/** Makes the reader of a cluster's PgBouncer; null where none is configured. */
export const bouncerOf = (
  { name, pgbouncer }: { readonly name: string; readonly pgbouncer: ConsoleAddress | null },
  { steady, log }: ReaderDeps,
): BouncerReader | null =>
  pgbouncer && createBouncerReader({ ...pgbouncer, steady, log: log.child({ cluster: name }) })

export function createBouncerReader({ steady, log, ...address }: ConsoleAddress & ReaderDeps): BouncerReader {
  const bouncer = createBouncerConsole({ ...address, deadlineMs })
  let last: Reading | null = null
  let failure: ClusterError | null = null
  let failed = 0
  let retryAt = Number.NEGATIVE_INFINITY
  let isPrompt = true
  let isFirst = true
  let flight: Promise<void> | null = null

  const read = async (): Promise<void> => {
    const begunAt = steady()
    try {
      const pools = await bouncer.show('pools', poolsFrom)
      const askedAt = steady()
      const servers = await bouncer.show('servers', serversFrom)
      last = { askedAt, pools, servers }
      if (failed > 0) log.info({ attempts: failed }, 'the console of PgBouncer answers again')
      failure = null
      failed = 0
      isPrompt = steady() - begunAt <= heldUpMs
    } catch (error) {
      fail(clusterErrorOf(error))
    }
  }
  const fail = (error: ClusterError) => {
    if (failure?.code !== error.code)
      log.warn({ code: error.code }, `the console of PgBouncer cannot be read: ${error.reason}`)
    last = null
    failure = error
    retryAt = steady() + backoff(failed++, retries)
  }
  const clientsOf = async (links: readonly BouncerLink[], { pools }: Reading) => {
    if (!areOfInterest(links, pools) || clientsIn(pools) > mostClients) return []
    const asked = bouncer.show('clients', clientsFrom).catch((error) => {
      fail(clusterErrorOf(error))
      return []
    })
    return Promise.race([asked, delay(heldUpMs, [], { ref: false })])
  }

  return {
    async begin() {
      if (steady() < retryAt) return
      flight ??= read().finally(() => {
        flight = null
      })
      if (!isPrompt) return
      const patience = delay(isFirst ? heldUpFirstMs : heldUpMs, false, { ref: false })
      isFirst = false
      isPrompt = await Promise.race([flight.then(() => true), patience])
    },
    async follow(sessions, portOf) {
      const now = steady()
      const reading = last !== null && now - last.askedAt <= longestAgeMs ? last : null
      if (reading === null) {
        const { reason } = failure ?? clusterErrorWith('DEADLINE')
        return { pooler: { unread: reason }, named: (later) => later }
      }
      const links = linksOf(reading, sessions, portOf, (now - reading.askedAt) / 1000)
      const clients = await clientsOf(links, reading)
      return { pooler: lookOf(reading, now), named: (later) => withPooler(later, links, clients) }
    },
    close: bouncer.close,
  }
}

const lookOf = ({ askedAt, pools }: Reading, now: number): PoolerLook => {
  const own = pools.filter((pool) => !isConsole(pool))
  return {
    secondsOld: Math.floor((now - askedAt) / 1000),
    pools: own.length,
    waiting: own.filter(({ waiting }) => waiting > 0).toSorted((a, b) => b.waitSeconds - a.waitSeconds),
  }
}

/** Looks what doctor wants to know of a console. Throws ClusterError. */
export async function checkConsole(
  address: ConsoleAddress,
): Promise<{ readonly version: string; readonly isAdmin: boolean; readonly clients: number }> {
  const bouncer = createBouncerConsole({ ...address, deadlineMs })
  try {
    const version = await bouncer.show('version', versionFrom)
    const pools = await bouncer.show('pools', poolsFrom)
    const admins = await bouncer.show('config', adminsFrom)
    const user = decodeURIComponent(new URL(address.url).username)
    return { version, isAdmin: admins.includes(user), clients: clientsIn(pools) }
  } finally {
    bouncer.close()
  }
}
