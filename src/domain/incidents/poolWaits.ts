import type { BouncerPool } from '../session/pgbouncer.ts'
import { isIdleInTransaction, type Session, waitsForLock } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'

/** Clients that wait in PgBouncer for a connection to the server: nothing of that is seen on the server. */
export type PoolWaits = {
  readonly kind: 'poolWaits'
  /** Longest wait of them all. */
  readonly seconds: number
  /** Clients that wait, in all pools past the limit. */
  readonly clients: number
  /** The worst of these pools, the longest wait first. */
  readonly pools: readonly WaitingPool[]
  /** Number of further pools past the limit. */
  readonly others: number
}

/** Pool whose clients wait, and what its connections do on the server, as far as they are known there. */
export type WaitingPool = Omit<BouncerPool, 'clients'> & {
  readonly waitForLocks: number
  readonly idleInTransaction: number
  readonly busy: number
}

const mostPools = 5
/** Share of the limit below which an incident that is open ends: a queue moves on, and the next in it has waited for less. */
const stillOpen = 0.5

/** Finds the pools whose clients have waited for too long. */
export function poolWaits(
  { pooler, sessions }: Snapshot,
  limitSeconds: number,
  open: ReadonlySet<string>,
): PoolWaits[] {
  if (!pooler || 'unread' in pooler) return []
  const limit = limitSeconds * (open.has('poolWaits') ? stillOpen : 1)
  const past = pooler.waiting.filter(({ waitSeconds }) => waitSeconds >= limit)
  const [worst] = past
  if (!worst) return []
  return [
    {
      kind: 'poolWaits',
      seconds: worst.waitSeconds,
      clients: past.reduce((all, { waiting }) => all + waiting, 0),
      pools: past.slice(0, mostPools).map((pool) => waitingPool(pool, sessions)),
      others: Math.max(0, past.length - mostPools),
    },
  ]
}

function waitingPool({ clients: _, ...pool }: BouncerPool, all: readonly Session[]): WaitingPool {
  const own = all.filter(({ pooler }) => pooler?.database === pool.database && pooler.user === pool.user)
  const waitForLocks = own.filter(waitsForLock).length
  const active = own.filter(({ state }) => state === 'active').length
  return {
    ...pool,
    waitForLocks,
    idleInTransaction: own.filter(isIdleInTransaction).length,
    busy: active - waitForLocks,
  }
}

/** Says why it is over; null where nothing is known of it. */
export function poolWaitsEnding({ pooler }: Snapshot): string | null {
  if (!pooler) return 'PgBouncer is not configured any more.'
  return 'unread' in pooler ? null : 'Its clients do not wait that long any more.'
}
