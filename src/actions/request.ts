import { randomUUID } from 'node:crypto'
import type { WatchedCluster } from '../commands/cluster.ts'
import { type Refusal, refusalOf } from '../domain/approvals/access.ts'
import { differences } from '../domain/approvals/approvedState.ts'
import { lastDenial, openProposal, type Proposal, standingFor } from '../domain/approvals/proposal.ts'
import {
  expire,
  join,
  type Requester,
  request,
  type Step,
  withdraw,
} from '../domain/approvals/transitions.ts'
import { isFromHost } from '../domain/host/identity.ts'
import type { Action } from '../domain/session/action.ts'
import { objectionIn } from '../domain/session/allowedAction.ts'
import { type SessionKey, sessionKeyOf } from '../domain/session/session.ts'
import { advance, begin } from '../notify/advance.ts'
import type { Cards, CardTx } from '../notify/cards.ts'
import type { IdempotencyKeys, OnceKey } from '../store/idempotencyKeys.ts'
import type { Proposals } from '../store/proposals.ts'
import {
  type Authorization,
  type Caller,
  type Entry,
  type Program,
  requesterOf,
  unknownButton,
} from './authorize.ts'
import { answersAgain } from './carryOutOnHost.ts'
import { type FreshProcess, fitOf, readAnyhow } from './freshProcess.ts'
import type { FreshSession } from './freshSession.ts'

export type Request<C = Caller> = {
  readonly caller: C
  readonly cluster: string
  readonly action: Action
  readonly pid: number
  readonly reason: string
  /** Start of the session that somebody saw under the pid; any session if absent. */
  readonly backendStart?: string | undefined
}

/** Request of a program, which may come again by the same key: then it leads to what it led to before. */
export type ProgramRequest = Request<Program> & { readonly once: Omit<OnceKey, 'token'> | null }

/**
 * Proposal that a request led to. `opened`: on a card of its own. `joined`: an open one of the same session, which names who
 * asks as well. `known`: who asks had asked for it or approved it before. `underWay`: it is approved and being carried out.
 */
export type Asked = {
  readonly proposal: Proposal
  readonly how: 'opened' | 'joined' | 'known' | 'underWay'
}

/** Ways to ask for an action: each ends at a card that asks the approvers, one for each session. */
export type Requests = {
  /** `/pg cancel PID reason` and `/pg terminate PID reason`. */
  byHand(request: Request): Promise<{ readonly refusal: Refusal } | Asked>
  /** A program asks for the same. What would be refused to a person is refused to it. */
  byProgram(request: ProgramRequest): Promise<{ readonly refusal: Refusal } | Asked>
}

export type RequestDeps = {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly idempotencyKeys: IdempotencyKeys
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly now: () => number
}

export function createRequests(deps: RequestDeps): Requests {
  const { cards, proposals, idempotencyKeys, clusters, now } = deps
  const { authorize, refuse } = deps.authorization

  return {
    async byHand(request) {
      const { caller, cluster: name, action, pid } = request
      const entry = { caller, where: `/pg ${action} ${pid}` }
      const watched = clusters.get(name)
      if (!watched) return { refusal: await refuse(entry, notWatched(name)) }
      const refusal = await authorize(entry, watched.config.access.requesters, true)
      return refusal ? { refusal } : ask(request, entry, watched, null)
    },

    async byProgram(request) {
      const { caller, cluster: name, action, pid, once } = request
      const entry = { caller, where: `API: ${action} ${pid}` }
      const refusal = tokenRefusal(caller, name)
      if (refusal) return { refusal: await refuse(entry, refusal) }
      const watched = clusters.get(name)
      if (!watched) return { refusal: await refuse(entry, notWatched(name)) }
      return ask(request, entry, watched, once && { ...once, token: caller.token.name })
    },
  }

  async function ask(
    request: Request<Caller | Program>,
    entry: Entry,
    watched: WatchedCluster,
    once: OnceKey | null,
  ): Promise<{ readonly refusal: Refusal } | Asked> {
    const { cluster: name, action, pid, reason, backendStart } = request
    const refused = async (refusal: Refusal) => ({ refusal: await refuse(entry, refusal) })
    const by = requesterOf(request.caller)
    const { expireAfterMs } = watched.config.approvals
    for (;;) {
      const before = once && (await idempotencyKeys.find(once))
      if (once && before) {
        if (before.fingerprint !== once.fingerprint) return refused(reusedKey)
        const proposal = await proposals.get(before.proposalId)
        return proposal ? { proposal, how: 'known' } : refused(unknownButton)
      }
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
      const made = { id, cardId, action, key, reason, by }
      const asked = await cards.commit(cardId, async (tx) => {
        // A copy of the same call was faster.
        if (once && (await tx.idempotencyKeys.find(once))) return null
        const asked = await openOrJoin(tx, standing?.id ?? null, made, { seen, expireAfterMs, now: now() })
        if (once && asked !== null && asked !== 'otherAction')
          await tx.idempotencyKeys.put(once, asked.proposal.id, now())
        return asked
      })
      if (asked === 'otherAction' && standing)
        return refused({ code: 'otherAction', reason: otherAction(standing), on: standing.cardId })
      // Somebody was faster: the next look shows what stands now.
      if (asked !== null && asked !== 'otherAction') return asked
    }
  }
}

/** Session that the server shows, or where it does not answer a process of it. */
type Seen = FreshSession | FreshProcess

type Now = { readonly seen: Seen; readonly expireAfterMs: number; readonly now: number }

type Made = Pick<Proposal, 'id' | 'cardId' | 'action' | 'key' | 'reason'> & { readonly by: Requester }

/**
 * Asks for an action: on a card of its own, or on the card where the session is asked for already. What stands there and
 * does not fit any more gives way.
 * @param expected the proposal that stood when the session was read
 * @returns null where another one stands now
 */
async function openOrJoin(
  tx: CardTx,
  expected: string | null,
  { by, ...made }: Made,
  { seen, expireAfterMs, now }: Now,
): Promise<Asked | 'otherAction' | null> {
  const { key, action, reason } = made
  const earlier = await tx.proposals.ofPid(key.pid)
  const standing = standingFor(earlier, key)
  if ((standing?.id ?? null) !== expected) return null
  if (standing?.state === 'claimed') return { proposal: standing, how: 'underWay' }
  if (standing) {
    const [different] = differences(standing, seen.session)
    const isDue = now >= standing.expiresAt
    if (!different && !isDue) {
      if (standing.action !== action) return 'otherAction'
      const step = join(standing, by, reason)
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
    { ...made, requestedBy: by.actor, denial: lastDenial(earlier, key), session, victims, pooled },
    now,
    expireAfterMs,
  )
  await begin(tx, request(proposal, by))
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

/** Says why a program may not ask for anything on a cluster; null when it may. */
function tokenRefusal({ token: { name, may, clusters } }: Program, cluster: string): Refusal | null {
  if (!may.includes('propose')) return refusalOf('notAllowed', `the token ${name} may not propose`)
  if (clusters?.includes(cluster) ?? true) return null
  return refusalOf('notAllowed', `the token ${name} is limited to other clusters`)
}

/** One decision stands on a card at a time: the asker says which of the two it is to be, and approvals of the one stay. */
const otherAction = ({ action, key }: Proposal): string =>
  action === 'cancel'
    ? `a card asks to cancel ${key.pid} already. If that has no effect, it offers terminate by itself; to terminate now, let the cancel be denied there and ask again`
    : `a card asks to terminate ${key.pid} already. To cancel instead, let the terminate be denied there and ask again`

const notWatched = (name: string): Refusal => refusalOf('notWatched', `there is no cluster ${name}`)

const reusedKey = refusalOf(
  'keyReused',
  'this Idempotency-Key came with another request before; a new request takes a new key',
)

/** Says why a session is not the one that is meant. Who can be asked may be another one now: then it may be the same. */
export function otherThan(meant: SessionKey, seen: Seen, { config }: WatchedCluster): Refusal {
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
