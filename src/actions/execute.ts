import { setTimeout as pause } from 'node:timers/promises'
import { backoff } from '../backoff.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import { differences, guardOf, stillThere } from '../domain/approvals/approvedState.ts'
import { isBulk } from '../domain/approvals/bulk.ts'
import { movedOn, type Outcome } from '../domain/approvals/outcome.ts'
import type { Proposal, ProposalIn } from '../domain/approvals/proposal.ts'
import { beginSignal, type Execution, finish } from '../domain/approvals/transitions.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import { expectedOf } from '../domain/locks/recommendation.ts'
import { lockTableOf, rehearse } from '../domain/locks/simulation.ts'
import type { Action } from '../domain/session/action.ts'
import { objection } from '../domain/session/allowedAction.ts'
import { isIdleInTransaction, type Session } from '../domain/session/session.ts'
import type { Log } from '../log.ts'
import { advance } from '../notify/advance.ts'
import type { Cards } from '../notify/cards.ts'
import { attempt, type Cluster, ClusterError } from '../postgres/cluster.ts'
import { storeFailureOf } from '../store/failure.ts'
import { createExecuteBulk } from './executeBulk.ts'
import { type FreshSession, readSession } from './freshSession.ts'
import { afterFault, notConfigured, nothingSent, surely } from './surely.ts'

/** Time for which the effect of a signal is watched. */
const watchForMs = 5000
/** Time for which the waiters are watched after their blocker is gone. */
const settleForMs = 1000

/**
 * Carries out a proposal that was claimed, with the intent written down: the session is read again, one guarded
 * statement sends the signal, the effect is watched, the outcome is written down and shown. Never sends twice: a
 * proposal is claimed once, and what goes wrong after the signal may have left ends as `unknown`. Never sends late: until when
 * the signal may go out is written down before it does, by the clock of its server, which holds it to that. So a process that was
 * stopped for a while sends nothing when it wakes, and another one knows whether it can have.
 * @returns the proposal with its outcome
 */
export function createExecute(deps: ExecuteDeps): (claimed: ProposalIn<'claimed'>) => Promise<Proposal> {
  const { cards, clusters, steady, log } = deps
  const executeBulk = createExecuteBulk(deps)

  return async (claimed) => {
    if (isBulk(claimed)) return executeBulk(claimed)
    const watched = clusters.get(claimed.key.cluster)
    let current = claimed
    const begin = async (before: string) => {
      const begun = await cards.commit(claimed.cardId, (tx) =>
        advance(tx, claimed, beginSignal(claimed, before)),
      )
      if (begun) current = begun
      return begun
    }
    const execution = watched
      ? await carryOut(claimed, { watched, begin, steady }).catch(afterFault(log))
      : notConfigured
    return surely(() => writeOutcome(cards, current, execution), { outcome: execution.outcome.kind }, log)
  }
}

export type ExecuteDeps = {
  readonly cards: Cards
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number
  readonly log: Log
}

/** Writes down what became of a proposal that this process has claimed, unless another one has ended it meanwhile. */
const writeOutcome = (
  cards: Cards,
  claimed: ProposalIn<'claimed'>,
  execution: Execution,
): Promise<Proposal> =>
  cards.commit(claimed.cardId, async (tx) => {
    // That the signal begins may be written down without our hearing of it.
    const current = (await tx.proposals.get(claimed.id)) ?? claimed
    if (current.state !== 'claimed') return current
    return (await advance(tx, current, finish(current, execution))) ?? current
  })

type CarryOut = {
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
  if (typeof before !== 'string') return nothingSent({ kind: 'unreachable', why: before.reason })
  const seen = await readSession(cluster, key.pid)
  if ('code' in seen)
    return nothingSent(
      seen.code === 'notSeen'
        ? { kind: 'unreachable', why: seen.reason }
        : { kind: 'changed', what: `${key.pid} was gone already` },
    )
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

  const begun = await begin(before).catch((error: unknown) => storeFailureOf(error) ?? 'see my log')
  if (begun === null) return nothingSent({ kind: 'notSent', why: 'another process has ended it.' })
  if (typeof begun === 'string')
    return nothingSent({ kind: 'notSent', why: `my journal could not be written: ${begun}.` })

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
