import {
  type DeadlockRise,
  type Health,
  quietAfterMs,
  type ReplicationSlot,
  type VacuumHolder,
  wraparoundRatio,
} from '../session/health.ts'
import { finisherOn } from '../session/platform.ts'
import type { HealthThresholds, SessionThresholds } from '../session/policy.ts'
import type { PreparedTransaction, Session } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'
import { nameWords } from '../text/literal.ts'

/** Finding of a health check, see health.ts. */
export type HealthFinding =
  | ({ readonly kind: 'deadlocks' } & DeadlockRise)
  | {
      readonly kind: 'preparedTransaction'
      readonly prepared: PreparedTransaction
      readonly seconds: number
      /** Role that may commit it or roll it back. */
      readonly finisher: string
    }
  | {
      readonly kind: 'vacuumHeldBack'
      readonly holder: VacuumHolder
      /** Null where it is no session. */
      readonly session: Session | null
    }
  | {
      readonly kind: 'wraparound'
      readonly database: string
      /** Use of transaction ids or multixacts, whichever is worse: `ratio` from 0 to 1, and the age in transactions. */
      readonly ratio: number
      readonly age: number
      readonly counts: 'transactions' | 'multixacts'
      readonly freezeMaxAge: number
      /** Holder that accounts for at least half of that age, when there is one. */
      readonly holder: VacuumHolder | null
      /** Number of further databases past the threshold. */
      readonly others: number
    }
  | { readonly kind: 'replicationSlot'; readonly slot: ReplicationSlot }

/** Returns true when this session, or this prepared transaction, has a finding already. */
export type IsFound = (one: { readonly pid: number } | { readonly gid: string }) => boolean

/**
 * Lists what the last health check shows past its threshold, worst first. A session that has a finding already gets no
 * second one.
 * @param open keys of what was found before
 */
export function healthFindings(
  snapshot: Snapshot,
  thresholds: HealthThresholds,
  thresholdsOf: (session: Session) => SessionThresholds,
  { isFound, open }: { readonly isFound: IsFound; readonly open: ReadonlySet<string> },
): HealthFinding[] {
  const { health, server, takenAt, sessions } = snapshot
  if (!health) return []
  const slots = health.slots
    .filter((slot) => {
      // One that catches up and falls back again is the same trouble.
      const limit = thresholds.slotRetainsBytes * (open.has(slotKey(slot)) ? 0.8 : 1)
      return slot.walStatus !== 'lost' && (slot.walStatus === 'unreserved' || slot.retainedBytes >= limit)
    })
    .map((slot) => ({ kind: 'replicationSlot', slot }) as const)
  const prepared = health.prepared
    .map((one) => ({ ...one, preparedSeconds: one.preparedSeconds + (takenAt - health.takenAt) / 1000 }))
    .filter(
      (one) => one.preparedSeconds >= thresholds.preparedLongerThanSeconds && !isFound({ gid: one.gid }),
    )
    .map((one): HealthFinding & { kind: 'preparedTransaction' } => ({
      kind: 'preparedTransaction',
      prepared: one,
      seconds: one.preparedSeconds,
      finisher: finisherOn(server.platform, one.owner === '' ? '' : nameWords(one.owner)),
    }))

  const isKnown = ({ kind, name, pid }: VacuumHolder) =>
    (kind === 'session' && isFound({ pid: pid ?? 0 })) ||
    (kind === 'prepared' && (isFound({ gid: name }) || prepared.some((one) => one.prepared.gid === name))) ||
    (kind === 'slot' && slots.some(({ slot }) => slot.name === name))
  const holding = health.vacuumHolders
    .map((holder) => ({ kind: 'vacuumHeldBack', holder, session: sessionOf(holder, sessions) }) as const)
    .find((held) => {
      const { holder, session } = held
      if (holder.kind === 'session' && session === null) return false
      const { vacuumHeldBackBy } = session ? thresholdsOf(session) : thresholds
      // Its snapshot moves on with each statement, and falls behind again.
      return holder.age >= vacuumHeldBackBy * (open.has(healthFindingKey(held)) ? 0.8 : 1)
    })

  return [
    ...wraparound(health, thresholds),
    ...slots,
    ...health.deadlocks.map((rise) => ({ kind: 'deadlocks', ...rise }) as const),
    // Vacuum goes on where the oldest one ends, so it is the one that matters.
    ...(holding && !isKnown(holding.holder) ? [holding] : []),
    ...prepared,
  ]
}

/** The session as it is now; null when it is gone, or in another transaction by now. */
const sessionOf = (holder: VacuumHolder, sessions: readonly Session[]): Session | null =>
  holder.kind === 'session'
    ? (sessions.find(
        ({ pid, backendStart, xactStart }) =>
          pid === holder.pid && backendStart === holder.backendStart && xactStart === holder.xactStart,
      ) ?? null)
    : null

function wraparound(health: Health, { wraparoundAbovePercent }: HealthThresholds): HealthFinding[] {
  const past = health.databases.filter(
    (database) => wraparoundRatio(database) * 100 >= wraparoundAbovePercent,
  )
  const [worst] = past.toSorted((a, b) => wraparoundRatio(b) - wraparoundRatio(a))
  if (!worst) return []
  const { name, xidAge, multixactAge } = worst
  const [oldest] = health.vacuumHolders.toSorted((a, b) => b.age - a.age)
  return [
    {
      kind: 'wraparound',
      database: name,
      ratio: wraparoundRatio(worst),
      age: Math.max(xidAge, multixactAge),
      counts: multixactAge > xidAge ? 'multixacts' : 'transactions',
      freezeMaxAge: health.freezeMaxAge,
      holder: oldest && multixactAge <= xidAge && oldest.age >= xidAge / 2 ? oldest : null,
      others: past.length - 1,
    },
  ]
}

const slotKey = ({ name }: ReplicationSlot): string => `replicationSlot:${name}`

/** The same trouble has the same key from one look to the next. */
export function healthFindingKey(finding: HealthFinding): string {
  switch (finding.kind) {
    case 'deadlocks':
      return `deadlocks:${finding.database}`
    case 'preparedTransaction':
      return `preparedTransaction:${finding.prepared.gid}`
    case 'vacuumHeldBack': {
      const { kind, name, pid, backendStart } = finding.holder
      return `vacuumHeldBack:${kind}:${kind === 'session' ? `${pid}:${backendStart}` : name}`
    }
    case 'wraparound':
      return finding.kind
    case 'replicationSlot':
      return slotKey(finding.slot)
  }
}

/** A number for how bad it is, in its own unit: a card is drawn again when it has grown. */
export function healthAmount(finding: HealthFinding): number {
  switch (finding.kind) {
    case 'deadlocks':
      return finding.count
    case 'preparedTransaction':
      return finding.seconds
    case 'vacuumHeldBack':
      return finding.holder.age
    case 'wraparound':
      return finding.age
    case 'replicationSlot':
      return finding.slot.retainedBytes
  }
}

/**
 * Says why the finding is over; null when this snapshot does not show it. The session of a vacuumHeldBack is still
 * there.
 */
export function healthEnding(finding: HealthFinding, { health, sessions }: Snapshot): string | null {
  if (finding.kind === 'vacuumHeldBack' && finding.holder.kind === 'session')
    if (!sessionOf(finding.holder, sessions)) return 'Its transaction ended.'
  if (!health) return null
  switch (finding.kind) {
    case 'deadlocks':
      // Five minutes in which nobody looked were not quiet.
      return health.takenAt - finding.lastAt >= quietAfterMs
        ? 'There was no deadlock for five minutes.'
        : null
    case 'preparedTransaction':
      return health.prepared.some(({ gid, prepared }) => isSame(finding.prepared, gid, prepared))
        ? 'It counts with another incident now.'
        : 'The prepared transaction was finished.'
    case 'vacuumHeldBack':
      return health.vacuumHolders.some(
        ({ kind, name, age }) =>
          kind === finding.holder.kind && name === finding.holder.name && age >= finding.holder.age,
      )
        ? 'It counts with another incident now.'
        : 'It does not hold vacuum back that far any more.'
    case 'wraparound':
      return 'The oldest transaction ids are frozen.'
    case 'replicationSlot': {
      const slot = health.slots.find(({ name }) => name === finding.slot.name)
      if (!slot) return 'The slot is gone.'
      return slot.walStatus === 'lost'
        ? 'The server gave the slot up and removed its WAL: whoever reads from it has to be set up again.'
        : 'It holds back less WAL again.'
    }
  }
}

const isSame = (one: PreparedTransaction, gid: string, prepared: string): boolean =>
  one.gid === gid && one.prepared === prepared
