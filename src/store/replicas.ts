import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { z } from 'zod'
import { chosen, clusterLease, deskLease, type Member, share } from '../domain/fleet/share.ts'
import type { Schema } from './schema.ts'

/** Something that one replica at a time does. */
export type Lease = {
  readonly name: string
  /** Grows each time that somebody takes it: one of before is void. */
  readonly epoch: number
  /** Time when it was taken, by the clock of the store's server. */
  readonly takenAt: number
}

/** A process of the bot that lives. */
export type Replica = Member & {
  /** Name for people. */
  readonly name: string
  /** Clusters that it watches and cannot see. */
  readonly unseen: readonly string[]
}

/** Result of one round. */
export type Round = {
  /** Leases of this replica, by name. */
  readonly leases: ReadonlyMap<string, Lease>
  /** Every replica that lives, this one among them. */
  readonly replicas: readonly Replica[]
  /** Id of the replica that has each lease, by its name. */
  readonly leaders: ReadonlyMap<string, string>
  /** Number of leases that were taken from a replica that was gone. */
  readonly takenOver: number
  /** Clock of the store's server, milliseconds since the epoch; null where there is none. */
  readonly storeNow: number | null
  /** Decides whether a process ended, or has given no sign for so long that it is taken to have. */
  isGone(replica: string): boolean
}

/** Check in a transaction that who writes still may. Throws LeaseLost. */
export type Fence = (tables: { readonly leases: Leases }) => Promise<void>

/** Failure of a write: what the lease was for is another replica's now. Nothing was written. */
export class LeaseLost extends Error {
  constructor(lease: string) {
    super(`another replica has ${lease} now`)
    this.name = 'LeaseLost'
  }
}

/** Part of this process in the fleet. */
export type Membership = {
  readonly id: string
  fence(lease: Lease): Fence
  /** Says that this replica lives, and shares what there is to do. To be called several times in a hold. */
  round(about: Pick<Replica, 'clusters' | 'unseen'>): Promise<Round>
  /**
   * Takes a request that may come to several replicas, for this one alone.
   * @returns false where another one that lives took it before
   */
  takes(request: string): Promise<boolean>
  /** Gives everything back at once. */
  leave(): Promise<void>
}

/** Membership of a process that works alone: it has all there is. */
export function aloneWith(probe: () => Promise<void>): Membership {
  const id = randomUUID()
  return {
    id,
    fence: () => async () => {},
    async round({ clusters, unseen }) {
      await probe()
      const names = [deskLease, ...clusters.map(clusterLease)]
      return {
        leases: new Map(names.map((name) => [name, { name, epoch: 0, takenAt: 0 }])),
        replicas: [{ id, name: 'this process', clusters, unseen }],
        leaders: new Map(names.map((name) => [name, id])),
        takenOver: 0,
        storeNow: null,
        isGone: (replica) => replica !== id,
      }
    },
    takes: async () => true,
    leave: async () => {},
  }
}

/** Milliseconds since the epoch by the clock of the store's server: those of processes are apart. */
const serverNow = sql<string>`(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint`

const dataSchema = z.object({ clusters: z.array(z.string()), unseen: z.array(z.string()) })

/**
 * Joins those that work with a store in PostgreSQL. No lock of a session: it would not survive a pooler, and a process that
 * stops and wakes would not notice that it lost it.
 * @param db whose transactions do not lock the row of the writers by themselves
 * @param holdMs time for which a replica that says nothing keeps what it has
 */
export function joinFleet(
  db: Kysely<Schema>,
  { name, holdMs }: { readonly name: string; readonly holdMs: number },
): Membership {
  const id = randomUUID()
  /** Time of the store since when this replica was never taken to be gone. */
  let unbrokenSince: number | null = null

  return {
    id,
    fence:
      (lease) =>
      async ({ leases }) => {
        if (!(await leases.holds(lease))) throw new LeaseLost(lease.name)
      },
    round: (about) =>
      db.transaction().execute(async (db) => {
        await sql`SELECT FROM writer FOR UPDATE`.execute(db)
        const { rows } = await sql<{ now: string }>`SELECT ${serverNow} AS now`.execute(db)
        const now = Number(rows[0]?.now)
        const own = { name, seen_until: now + holdMs, data: JSON.stringify(about) }
        const before = await db
          .selectFrom('replicas')
          .select('seen_until')
          .where('id', '=', id)
          .executeTakeFirst()
        if (before === undefined || Number(before.seen_until) < now) unbrokenSince = now
        await db
          .insertInto('replicas')
          .values({ id, joined_at: now, ...own })
          .onConflict((conflict) => conflict.column('id').doUpdateSet(own))
          .execute()
        await db
          .deleteFrom('replicas')
          .where('seen_until', '<', now - forgottenAfterMs)
          .execute()
        const replicas = (
          await db
            .selectFrom('replicas')
            .select(['id', 'name', 'data'])
            .where('seen_until', '>=', now)
            .orderBy('id')
            .execute()
        ).map((row) => ({ id: row.id, name: row.name, ...dataSchema.parse(JSON.parse(row.data)) }))
        const shared = await shareAmong(db, replicas, now)
        const judges = unbrokenSince !== null && now - unbrokenSince > holdMs
        const living = new Set(replicas.map((one) => one.id))
        return { ...shared, replicas, storeNow: now, isGone: (replica) => judges && !living.has(replica) }
      }),
    async takes(request) {
      const now = (await sql<{ now: string }>`SELECT ${serverNow} AS now`.execute(db)).rows[0]?.now
      const taken = { id: request, replica: id, taken_at: Number(now) }
      const row = await db
        .insertInto('requests')
        .values(taken)
        .onConflict((conflict) =>
          conflict
            .column('id')
            .doUpdateSet(taken)
            // Whoever took it and is gone has not answered, or Slack would not offer it again.
            .where(({ not, exists, selectFrom }) =>
              not(
                exists(
                  selectFrom('replicas')
                    .select('replicas.id')
                    .whereRef('replicas.id', '=', 'requests.replica')
                    .where('replicas.seen_until', '>=', taken.taken_at),
                ),
              ),
            ),
        )
        .returning('id')
        .executeTakeFirst()
      await db
        .deleteFrom('requests')
        .where('taken_at', '<', taken.taken_at - offeredForMs)
        .execute()
      return row !== undefined
    },
    leave: () =>
      db.transaction().execute(async (db) => {
        await sql`SELECT FROM writer FOR UPDATE`.execute(db)
        await db.updateTable('leases').set({ replica: null }).where('replica', '=', id).execute()
        await db.deleteFrom('replicas').where('id', '=', id).execute()
      }),
  }

  /** Gives back what is another's now, and takes what is ours and free. */
  async function shareAmong(db: Kysely<Schema>, replicas: readonly Replica[], now: number) {
    const rows = await db.selectFrom('leases').select(['name', 'replica', 'epoch', 'taken_at']).execute()
    const living = new Set(replicas.map((one) => one.id))
    const leases = new Map(
      rows.map((row) => [
        row.name,
        { name: row.name, epoch: Number(row.epoch), takenAt: Number(row.taken_at), replica: row.replica },
      ]),
    )
    const holderOf = (lease: string) => {
      const holder = leases.get(lease)?.replica ?? null
      return holder !== null && living.has(holder) ? holder : null
    }
    const clusters = new Set(replicas.flatMap((one) => one.clusters))
    const shares = share(replicas, new Map([...clusters].map((one) => [one, holderOf(clusterLease(one))])))
    const wanted = new Map([...shares].map(([cluster, replica]) => [clusterLease(cluster), replica]))
    wanted.set(deskLease, chosen(replicas, holderOf(deskLease)) ?? id)

    let takenOver = 0
    for (const { name, replica } of leases.values())
      if (replica === id && wanted.get(name) !== id) {
        await db.updateTable('leases').set({ replica: null }).where('name', '=', name).execute()
        leases.delete(name)
      }
    for (const [name, replica] of wanted) {
      const lease = leases.get(name)
      if (replica !== id || lease?.replica === id || holderOf(name) !== null) continue
      const taken = { name, replica: id, epoch: (lease?.epoch ?? 0) + 1, taken_at: now }
      await db
        .insertInto('leases')
        .values(taken)
        .onConflict((conflict) => conflict.column('name').doUpdateSet(taken))
        .execute()
      if (lease?.replica != null) takenOver++
      leases.set(name, { name, epoch: taken.epoch, takenAt: now, replica: id })
    }
    const ours = [...leases.values()].filter(({ replica }) => replica === id)
    const leaders = [...leases.values()].flatMap(({ name, replica }) =>
      replica !== null && living.has(replica) ? [[name, replica] as const] : [],
    )
    return {
      leases: new Map(ours.map(({ name, epoch, takenAt }) => [name, { name, epoch, takenAt }])),
      leaders: new Map(leaders),
      takenOver,
    }
  }
}

/** Slack offers an event again for some minutes: https://docs.slack.dev/apis/events-api#retries */
const offeredForMs = 3_600_000

/** Rows of replicas that are gone are kept so long. */
const forgottenAfterMs = 3_600_000

export type Leases = {
  /** Decides whether a lease is still that of who took it with this epoch. */
  holds(lease: Lease): Promise<boolean>
}

export const leasesIn = (db: Kysely<Schema>): Leases => ({
  async holds({ name, epoch }) {
    const row = await db
      .selectFrom('leases')
      .select('name')
      .where('name', '=', name)
      .where('epoch', '=', epoch)
      .where('replica', 'is not', null)
      .executeTakeFirst()
    return row !== undefined
  },
})
