import { setTimeout as pause } from 'node:timers/promises'
import { backoff } from '../backoff.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import { differences, guardOf, stillThere } from '../domain/approvals/approvedState.ts'
import { movedOn, type Outcome } from '../domain/approvals/outcome.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Execution } from '../domain/approvals/transitions.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import { expectedOf } from '../domain/locks/recommendation.ts'
import { lockTableOf, rehearse } from '../domain/locks/simulation.ts'
import type { Action } from '../domain/session/action.ts'
import { objection } from '../domain/session/allowedAction.ts'
import { isIdleInTransaction, type Session } from '../domain/session/session.ts'
import { attempt, type Cluster, ClusterError } from '../postgres/cluster.ts'
import { storeFailureOf } from '../store/failure.ts'
import { type FreshSession, readSession } from './freshSession.ts'
import { nothingSent } from './surely.ts'

/** Time for which the effect of a signal is watched. */
export const watchForMs = 5000
/** Time for which the waiters are watched after their blocker is gone. */
const settleForMs = 1000

/** Surroundings of what is carried out. */
export type CarryOut = {
  readonly watched: WatchedCluster
  /** Writes down until when the signal may go out; null where another process has ended the claim. */
  readonly begin: (before: string) => Promise<Proposal | null>
  readonly steady: () => number
}

/** Reads the session of a proposal again, sends it one guarded signal, and watches what comes of it. */
export async function carryOut(proposal: Proposal, how: CarryOut): Promise<Execution> {
  const { watched, begin, steady } = how
  const { cluster, config } = watched
  const { action, key } = proposal
  // Before the session is read: what it was like then must hold for no longer.
  const before = await attempt(cluster.signalBefore, ({ reason }) => ({ reason }))
  const unreachable = (reason: string) =>
    nothingSent({ kind: 'unreachable', why: reason + lastResort(config, proposal) })
  if (typeof before !== 'string') return unreachable(before.reason)
  const seen = await readSession(cluster, key.pid)
  if ('code' in seen)
    return seen.code === 'notSeen'
      ? unreachable(seen.reason)
      : nothingSent({ kind: 'changed', what: `${key.pid} was gone already` })
  const [different] = differences(proposal, seen.session)
  if (different)
    return nothingSent({ kind: 'changed', what: `${key.pid} is not what was approved: ${different}` })
  const objects = objection(action, seen.session, seen.server, config.protected)
  if (objects) return nothingSent({ kind: 'changed', what: objects.replace(/\.$/, '') })

  const youngForMs = action === 'terminate' && seen.pooled ? settledInMs(seen.session) : 0
  if (youngForMs > 0) {
    await pause(youngForMs)
    return carryOut(proposal, how)
  }

  const begun = await beginOrNot(begin, before)
  if (!('id' in begun)) return begun

  let sent: { sql: string; returned: boolean } | null = null
  try {
    const sentAt = steady()
    const elapsed = () => Math.round(steady() - sentAt)
    const result = await cluster.signal(guardOf(begun))
    if (result.kind === 'changed')
      return {
        ...nothingSent({ kind: 'changed', what: `${key.pid} changed in the last moment` }),
        sql: result.sql,
      }
    if (result.kind === 'late')
      return { ...nothingSent({ kind: 'notSent', why: cameTooLate }), sql: result.sql }
    sent = { sql: result.sql, returned: result.returned }
    const outcome = await watch({ ...proposal, victims: seen.victims }, cluster, elapsed)
    return { ...sent, outcome: await compared(outcome, expectedOnEnd(seen, action), cluster) }
  } catch (error) {
    if (!sent && error instanceof ClusterError && error.code === '42501')
      return nothingSent({ kind: 'refused', why: error.reason })
    return {
      sql: sent?.sql ?? null,
      returned: sent?.returned ?? null,
      outcome: { kind: 'unknown', now: await describeNow(cluster, proposal) },
    }
  }
}

/** Names the way that is left where the server does not answer and runs on this machine. */
const lastResort = ({ host }: WatchedCluster['config'], { action, key }: Proposal): string =>
  host === 'local' ? ` /pg ${action} ${key.pid} asks for it by the operating system.` : ''

/**
 * Writes down until when the signal may go out.
 * @returns the proposal as it is then; or what became of it, where it may not begin
 */
export async function beginOrNot(begin: CarryOut['begin'], before: string): Promise<Proposal | Execution> {
  const begun = await begin(before).catch((error: unknown) => storeFailureOf(error) ?? 'see my log')
  if (begun === null) return nothingSent({ kind: 'notSent', why: 'another process has ended it.' })
  return typeof begun === 'string'
    ? nothingSent({ kind: 'notSent', why: `my journal could not be written: ${begun}.` })
    : begun
}

const cameTooLate = 'more than five seconds had passed since the session was read.'

/**
 * Returns the time until the transaction of a pooled session is a second old. Behind a pooler in transaction mode
 * another client may get the session within milliseconds of a COMMIT, while the signal is on its way. A transaction
 * that is older seldom ends in just these milliseconds. The server has no finer tool.
 */
function settledInMs(session: Session): number {
  // An aborted transaction shows no beginning.
  const seconds = session.xactSeconds ?? (isIdleInTransaction(session) ? session.stateSeconds : null)
  return Math.ceil(1000 * (1 - (seconds ?? 1)))
}

/**
 * Looks until the session is gone (or its statement ended) and its waiters moved on, or until time is up.
 * @param elapsed milliseconds since the signal
 */
async function watch(proposal: Proposal, cluster: Cluster, elapsed: () => number): Promise<Outcome> {
  const { key, victims } = proposal
  const pids = [key.pid, ...victims.map(({ pid }) => pid)]
  let goneAfter: number | null = null
  for (let looks = 0; ; looks++) {
    const sessions = await cluster.look(pids)
    const session = sessions.find(({ pid }) => pid === key.pid)
    if (!stillThere(proposal, session)) {
      goneAfter ??= elapsed()
      const free = movedOn(victims, sessions)
      if (free === victims.length || elapsed() - goneAfter >= settleForMs)
        return { kind: 'effective', afterMs: goneAfter, victims: victims.length, movedOn: free }
    } else if (session && elapsed() >= watchForMs) {
      const { state, waitEventType, waitEvent } = session
      return { kind: 'still', afterMs: elapsed(), state, waitEventType, waitEvent }
    }
    await pause(backoff(looks, { firstMs: 10, longestMs: 200 }))
  }
}

/** Lists which of the waiters should move on at once; null when the lock table could not be read. */
function expectedOnEnd(
  { session: { pid }, victims, picture }: FreshSession,
  action: Action,
): readonly number[] | null {
  const table = lockTableOf(picture)
  if (table === null) return null
  const ending = { pid, action }
  const after = rehearse(table, picture.snapshot.sessions).whatIf(ending)
  return expectedOf(after, [ending], new Set(victims.map((victim) => victim.pid))).atOnce
}

/** Adds to an outcome how many were expected to move on and, where fewer did, who keeps them waiting now. */
async function compared(
  outcome: Outcome,
  expected: readonly number[] | null,
  cluster: Cluster,
): Promise<Outcome> {
  if (outcome.kind !== 'effective' || expected === null || outcome.victims === 0) return outcome
  const all = { ...outcome, expected: expected.length }
  if (outcome.movedOn >= expected.length) return all
  const heldBy = await attempt(
    async () => {
      const { forest } = pictureOf(await cluster.snapshot())
      return [...new Set(expected.flatMap((pid) => forest.blockedBy(pid)))].slice(0, 5)
    },
    () => [],
  )
  return { ...all, heldBy }
}

/** Describes the session after something went wrong, in one sentence. */
export const describeNow = (cluster: Cluster, proposal: Proposal): Promise<string> =>
  attempt(
    async () => {
      const session = (await cluster.look([proposal.key.pid])).find(({ pid }) => pid === proposal.key.pid)
      if (session?.backendStart !== proposal.key.backendStart) return 'The session is gone now.'
      const state = session.state ?? 'in an unseen state'
      return stillThere(proposal, session)
        ? `The session is still there, ${state}.`
        : `The session is still there, ${state}; its statement ended.`
    },
    ({ reason }) => `How the session is now cannot be seen: ${reason}`,
  )
