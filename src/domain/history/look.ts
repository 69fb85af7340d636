import { type Picture, pictureOf } from '../locks/picture.ts'
import type { Session } from '../session/session.ts'
import type { Snapshot } from '../session/snapshot.ts'

/** One look at a cluster, as the record keeps it. What lies between two looks is known from neither. */
export type PastLook =
  | { readonly takenAt: number; readonly snapshot: Snapshot }
  /** Nothing was seen. `unseen`: why. */
  | { readonly takenAt: number; readonly unseen: string }

/** Word for how a moment was seen. `partly`: the activity alone, for the locks could not be read. */
export type SightThen = 'seen' | 'partly' | 'notSeen'

export function sightOf(look: PastLook): SightThen {
  if (!('snapshot' in look)) return 'notSeen'
  return look.snapshot.locks.kind === 'jammed' || !look.snapshot.server.seesOthers ? 'partly' : 'seen'
}

/** So many intervals may lie between a look and a moment that it speaks for: later, nothing is known. */
const intervals = 2.5
/** Milliseconds. A look itself takes its time, however short the interval. */
const leastReach = 2_000

/** Returns for how long after a look nothing else is assumed, in milliseconds. */
export const reachOf = (everyMs: number): number => Math.max(leastReach, intervals * everyMs)

/** Makes the look of a picture, with statements masked by `maskText`, whatever the configuration shows elsewhere. */
export function lookAt({ snapshot }: Picture, maskText: (text: string) => string | null): PastLook {
  const { health } = snapshot
  const masked = (text: string | null) => (text === null ? null : maskText(text))
  return {
    takenAt: snapshot.takenAt,
    snapshot: {
      ...snapshot,
      // What they run stands in `texts` alone.
      sessions: snapshot.sessions.map((one) => (one.query === null ? one : { ...one, query: null })),
      health: health && {
        ...health,
        deadlocks: health.deadlocks.map((rise) => ({
          ...rise,
          participants: rise.participants.map((one) => ({ ...one, query: masked(one.query) })),
          reports: rise.reports.map((one) => ({ ...one, statement: masked(one.statement) })),
        })),
      },
    },
  }
}

/** Puts the statements of a look, as they were recorded, into sessions of it. */
export const withTexts = (sessions: readonly Session[], { texts }: Snapshot): Session[] =>
  sessions.map((session) => ({ ...session, query: texts?.get(session.pid) ?? null }))

/**
 * Describes who blocks whom, so that two looks with the same description show the same jam: whether it was seen, each root,
 * who waits behind it, and who wait for each other.
 */
export function jamIn(look: PastLook, picture: Picture | null = null): string {
  if (!('snapshot' in look)) return 'notSeen'
  const { forest } = picture ?? pictureOf(look.snapshot)
  // Many readers before one ALTER TABLE have the same victims, in one and the same list.
  const heads = [...Map.groupBy(forest.roots, ({ victims }) => victims)].map(([victims, roots]) => {
    const names = roots.map(({ pid, prepared }) => `${prepared?.xid ?? pid}`).sort()
    return `${names.join()}<${victims.toSorted((a, b) => a - b).join()}`
  })
  return [sightOf(look), ...heads.sort(), ...forest.cycles.map((pids) => `=${pids.join()}`)].join(' ')
}
