import { randomUUID } from 'node:crypto'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { differences } from '../domain/approvals/approvedState.ts'
import { bot } from '../domain/approvals/journal.ts'
import {
  lastDenial,
  mayBeOfferedAgain,
  openProposal,
  type Proposal,
  requestersOf,
  standingFor,
} from '../domain/approvals/proposal.ts'
import { expire, join, offer, request, type Step, withdraw } from '../domain/approvals/transitions.ts'
import { isFromHost } from '../domain/host/identity.ts'
import type { Action } from '../domain/session/action.ts'
import { objectionIn } from '../domain/session/allowedAction.ts'
import { type SessionKey, sessionKeyOf } from '../domain/session/session.ts'
import { advance, begin } from '../notify/advance.ts'
import type { Cards, CardTx } from '../notify/cards.ts'
import type { Proposals } from '../store/proposals.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'
import { answersAgain } from './carryOutOnHost.ts'
import { type FreshProcess, fitOf, readAnyhow } from './freshProcess.ts'
import type { FreshSession } from './freshSession.ts'

type Deps = {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly now: () => number
}

export type Request = {
  readonly caller: Caller
  readonly cluster: string
  readonly action: Action
  readonly pid: number
  readonly reason: string
  /** Start of the session that somebody saw under the pid; any session if absent. */
  readonly backendStart?: string
}

/**
 * Proposal that a request led to. `opened`: on a card of its own. `joined`: an open one of the same session, which names who
 * asks as well. `known`: who asks had asked for it or approved it before. `underWay`: it is approved and being carried out.
 */
export type Asked = {
  readonly proposal: Proposal
  readonly how: 'opened' | 'joined' | 'known' | 'underWay'
}

export type Propose = {
  /** `/pg cancel PID reason` and `/pg terminate PID reason`: a card that asks the approvers, one for each session. */
  byHand(request: Request): Promise<{ readonly refusal: Refusal } | Asked>
  /** "Offer again" on a card whose proposal does not stand any more. */
  again(caller: Caller, proposalId: string): Promise<Refusal | null>
}

export function createPropose(deps: Deps): Propose {
  const { cards, proposals, clusters, now } = deps
  const { authorize, refuse } = deps.authorization

  return {
    async byHand({ caller, cluster: name, action, pid, reason, backendStart }) {
      const entry = { caller, where: `/pg ${action} ${pid}` }
      const refused = async (refusal: Refusal) => ({ refusal: await refuse(entry, refusal) })
      const watched = clusters.get(name)
      if (!watched) return refused({ code: 'notWatched', reason: `there is no cluster ${name}` })
      const refusal = await authorize(entry, watched.config.access.requesters, true)
      if (refusal) return { refusal }
      const { expireAfterMs } = watched.config.approvals
      for (;;) {
        const seen = await readAnyhow(watched, pid)
        if ('code' in seen) return refused(seen)
        if (backendStart !== undefined && backendStart !== seen.session.backendStart)
          return refused(otherThan({ cluster: name, pid, backendStart }, seen, watched))
        const objects = objectionTo(action, name, seen, watched)
        if (objects) return refused(objects)
        const key = sessionKeyOf(name, seen.session)
        const standing = standingFor(await proposals.ofPid(pid), key)
        const id = randomUUID()
        const cardId = standing?.cardId ?? id
        const made = { id, cardId, action, key, reason, requestedBy: caller.userId }
        const asked = await cards.commit(cardId, (tx) =>
          ask(tx, standing?.id ?? null, made, { seen, expireAfterMs, now: now() }),
        )
        if (asked === 'otherAction' && standing)
          return refused({ code: 'otherAction', reason: otherAction(standing), on: standing.cardId })
        // Somebody was faster: the next look shows what stands now.
        if (asked !== null && asked !== 'otherAction') return asked
      }
    },

    async again(caller, proposalId) {
      const before = await proposals.get(proposalId)
      const entry = { caller, where: 'button pg_offer_again', about: before }
      const refused = (refusal: Refusal) => refuse(entry, refusal)
      const watched = clusters.get(before?.key.cluster ?? '')
      if (!before || !watched) return refused(unknownButton)
      const refusal = await authorize(entry, watched.config.access.requesters, true)
      if (refusal) return refusal
      const latest = (await proposals.ofCard(before.cardId)).at(-1)
      // Whether its session is as it was is seen below.
      if (latest?.id !== before.id || !mayBeOfferedAgain({ ...before, isPast: false }))
        return refused({ code: 'alreadyDecided', reason: 'the card has moved on; look at its latest state' })
      const seen = await readAnyhow(watched, before.key.pid)
      if ('code' in seen) return refused(seen)
      if (seen.session.backendStart !== before.key.backendStart)
        return refused(otherThan(before.key, seen, watched))
      const fit = fitOf(seen, watched.config)
      if (fit.action === null) return refused({ code: 'untouchable', reason: fit.why })
      const standing = standingFor(await proposals.ofPid(before.key.pid), before.key)
      if (standing)
        return refused({
          code: 'alreadyDecided',
          reason: standing.cardId === before.cardId ? wasFaster : elsewhere,
          on: standing.cardId,
        })
      const notOffered = await offerOn(deps, before, {
        actor: caller.userId,
        expireAfterMs: watched.config.approvals.expireAfterMs,
        made: {
          action: fit.action,
          session: seen.session,
          victims: seen.victims,
          pooled: seen.pooled,
          insteadOf: null,
          ...(!hasBacker(before, fit.action) && { requestedBy: caller.userId, reason: '', joined: [] }),
        },
      })
      return notOffered ? refused({ code: 'alreadyDecided', reason: notOffered }) : null
    },
  }
}

type Seen = FreshSession | FreshProcess

type Now = { readonly seen: Seen; readonly expireAfterMs: number; readonly now: number }

type Made = Pick<Proposal, 'id' | 'cardId' | 'action' | 'key' | 'reason'> & { readonly requestedBy: string }

/**
 * Asks for an action: on a card of its own, or on the card where the session is asked for already. What stands there and
 * does not fit any more gives way.
 * @param expected the proposal that stood when the session was read
 * @returns null where another one stands now
 */
async function ask(
  tx: CardTx,
  expected: string | null,
  made: Made,
  { seen, expireAfterMs, now }: Now,
): Promise<Asked | 'otherAction' | null> {
  const { key, action, reason, requestedBy } = made
  const earlier = await tx.proposals.ofPid(key.pid)
  const standing = standingFor(earlier, key)
  if ((standing?.id ?? null) !== expected) return null
  if (standing?.state === 'claimed') return { proposal: standing, how: 'underWay' }
  if (standing) {
    const [different] = differences(standing, seen.session)
    const isDue = now >= standing.expiresAt
    if (!different && !isDue) {
      if (standing.action !== action) return 'otherAction'
      const step = join(standing, requestedBy, reason)
      if (!step) return { proposal: standing, how: 'known' }
      const joined = await advance(tx, standing, step)
      return joined && { proposal: joined, how: 'joined' }
    }
    const ended: Step<Proposal> = isDue
      ? expire(standing)
      : withdraw(standing, different ?? 'the session changed')
    if (!(await advance(tx, standing, ended))) return null
  }
  const { session, victims, pooled } = seen
  const proposal = openProposal(
    { ...made, denial: lastDenial(earlier, key), session, victims, pooled },
    now,
    expireAfterMs,
  )
  await begin(tx, request(proposal, requestedBy))
  return { proposal, how: 'opened' }
}

/** Says why the requested action is not possible, and which one is. */
function objectionTo(
  action: Action,
  cluster: string,
  seen: Seen,
  { config }: WatchedCluster,
): Refusal | null {
  const fit = fitOf(seen, config)
  const reason = objectionIn(action, fit)
  if (reason === null) return null
  const { session } = seen
  return fit.action === null
    ? { code: 'untouchable', reason }
    : {
        code: 'untouchable',
        reason: `${reason} ${fit.why}`,
        help: { kind: 'propose', action: fit.action, key: sessionKeyOf(cluster, session), session },
      }
}

/** One decision stands on a card at a time: the asker says which of the two it is to be, and approvals of the one stay. */
const otherAction = ({ action, key }: Proposal): string =>
  action === 'cancel'
    ? `a card asks to cancel ${key.pid} already. If that has no effect, it offers terminate by itself; to terminate now, let the cancel be denied there and ask again`
    : `a card asks to terminate ${key.pid} already. To cancel instead, let the terminate be denied there and ask again`

const wasFaster = 'somebody was faster; look at the card'
const elsewhere = 'another card asks for this session already'

/** Says why a session is not the one that is meant. Who can be asked may be another one now: then it may be the same. */
function otherThan(meant: SessionKey, seen: Seen, { config }: WatchedCluster): Refusal {
  const { pid, cluster } = meant
  const wasOnHost = isFromHost(meant)
  if (wasOnHost === isFromHost(seen.session))
    return { code: 'changed', reason: `${pid} is another session now; /pg session ${pid} shows it` }
  const { action } = fitOf(seen, config)
  const { session } = seen
  return {
    code: 'changed',
    reason: wasOnHost
      ? answersAgain(pid)
      : `the server does not answer, so ${pid} can be ended by the operating system alone, which shows no locks and no statement`,
    ...(action && { help: { kind: 'propose', action, key: sessionKeyOf(cluster, session), session } }),
  }
}

/**
 * Decides whether somebody else already supports this action on this session: the watcher, or the person who requested
 * it. Nobody supports a denied proposal, or another action than the requested one. Whoever wants it now must request
 * it.
 */
const hasBacker = (before: Proposal, wanted: Action): boolean =>
  before.state !== 'denied' &&
  ((before.requestedBy === null && before.denial === null) ||
    (requestersOf(before).length > 0 && before.action === wanted))

/** Proposes a terminate after a cancel that had no effect; it needs approvals of its own. */
export async function proposeInstead(
  deps: Pick<Deps, 'cards' | 'now'>,
  done: Proposal,
  { config }: WatchedCluster,
): Promise<void> {
  if (done.action === 'cancel' && done.outcome?.kind === 'still')
    await offerOn(deps, done, {
      actor: bot,
      expireAfterMs: config.approvals.expireAfterMs,
      made: {
        action: 'terminate',
        session: done.session,
        victims: done.victims,
        pooled: done.pooled,
        insteadOf: done.id,
      },
    })
}

/**
 * Puts a fresh proposal on the card of an earlier one, in whose name it is unless `made` says otherwise; not when somebody was faster, and not when
 * its incident is over: nobody follows that one any more, so nobody would take the proposal back.
 * @returns why it was not put there; null when it was
 */
const offerOn = (
  { cards, now }: Pick<Deps, 'cards' | 'now'>,
  before: Proposal,
  {
    actor,
    expireAfterMs,
    made,
  }: {
    readonly actor: string
    readonly expireAfterMs: number
    readonly made: Pick<Proposal, 'action' | 'session' | 'victims' | 'pooled' | 'insteadOf'> &
      Partial<Pick<Proposal, 'requestedBy' | 'reason' | 'joined'>>
  },
): Promise<string | null> =>
  cards.commit(before.cardId, async (tx) => {
    const { proposals, incidents } = tx
    const latest = (await proposals.ofCard(before.cardId)).at(-1)
    if (latest?.id !== before.id) return wasFaster
    const incident = await incidents.get(before.cardId)
    if (incident && incident.resolvedAt !== null) return 'this incident is over'
    if (standingFor(await proposals.ofPid(before.key.pid), before.key)) return elsewhere
    const { cardId, key, reason, requestedBy, joined } = before
    const id = randomUUID()
    const denial = lastDenial(await proposals.ofPid(key.pid), key)
    const about = { id, cardId, key, reason, requestedBy, joined, denial, ...made }
    await begin(tx, offer(openProposal(about, now(), expireAfterMs), actor))
    return null
  })
