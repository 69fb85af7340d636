import { randomUUID } from 'node:crypto'
import type { WatchedCluster } from '../commands/cluster.ts'
import { type Refusal, refusalOf } from '../domain/approvals/access.ts'
import { alreadyDecided } from '../domain/approvals/approval.ts'
import { type BulkProposal, isBulk } from '../domain/approvals/bulk.ts'
import { shorten } from '../domain/approvals/bulkTransitions.ts'
import { bot } from '../domain/approvals/journal.ts'
import type { Bulk } from '../domain/approvals/members.ts'
import { type OpenProposal, openProposal, type Proposal } from '../domain/approvals/proposal.ts'
import { join, offer, request, withdraw } from '../domain/approvals/transitions.ts'
import { type BulkList, listMembers } from '../domain/lists/bulkList.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import type { Action } from '../domain/session/action.ts'
import { type Session, sessionKeyOf } from '../domain/session/session.ts'
import { advance, begin } from '../notify/advance.ts'
import type { Cards, CardTx } from '../notify/cards.ts'
import { ClusterError } from '../postgres/cluster.ts'
import type { Proposals } from '../store/proposals.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'

/** Choice of sessions for one bulk request. */
export type Choice = {
  readonly action: Action
  readonly isChosen: (session: Session) => boolean
  /** The same in words, as it is typed. */
  readonly chosenBy: string
  readonly most: number
  /** Name of the sweep; absent where a person chose. */
  readonly sweep?: string | undefined
}

/**
 * Result of a bulk request. `nobody`: there was nobody to ask for. `joined`, `known`: the same is asked for already, see
 * `Asked`.
 */
export type BulkAsked =
  | { readonly how: 'opened' | 'joined' | 'known'; readonly proposal: BulkProposal }
  | { readonly how: 'nobody'; readonly leftOut: BulkList['leftOut'] }

export type ProposeBulk = {
  /** A person asks: who may is checked first. */
  byHand(
    caller: Caller,
    cluster: string,
    choice: Choice,
    reason: string,
  ): Promise<{ readonly refusal: Refusal } | BulkAsked>
  /**
   * The bot asks by itself, at the time of a sweep.
   * @param claim makes sure that nobody else does, in the same transaction; false where somebody was faster
   * @throws ClusterError when the cluster cannot be seen
   */
  bySweep(
    watched: WatchedCluster,
    choice: Choice & { readonly sweep: string },
    claim: (tx: CardTx) => Promise<boolean>,
  ): Promise<BulkAsked | null>
  /** Takes one session off the list, before it is approved. */
  takeOff(
    caller: Caller,
    off: { readonly proposalId: string; readonly pid: number; readonly backendStart: string },
  ): Promise<{ readonly refusal: Refusal } | { readonly cardId: string }>
}

export function createProposeBulk(deps: {
  readonly cards: Cards
  readonly proposals: Proposals
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly now: () => number
}): ProposeBulk {
  const { cards, proposals, clusters, now } = deps
  const { authorize, refuse, checkAccess } = deps.authorization

  return {
    async byHand(caller, name, choice, reason) {
      const entry = { caller, where: `/pg ${choice.sweep ? 'sweep' : choice.action}` }
      const refused = async (refusal: Refusal) => ({ refusal: await refuse(entry, refusal) })
      const watched = clusters.get(name)
      if (!watched) return refused(refusalOf('notWatched', `there is no cluster ${name}`))
      const refusal = await authorize(entry, watched.config.access.requesters, true)
      if (refusal) return { refusal }
      try {
        const made = await list(watched, choice)
        if (made.members.length === 0) return { how: 'nobody', leftOut: made.leftOut }
        const by = { userId: caller.userId, reason }
        for (;;) {
          const id = randomUUID()
          const found = await standingFor(proposals, name, choice, now())
          const asked = await cards.commit(found?.cardId ?? id, async (tx): Promise<BulkAsked | null> => {
            const standing = await standingFor(tx.proposals, name, choice, now())
            if (standing?.id !== found?.id) return null
            if (!standing) return open(tx, watched, { choice, made, id, ...by })
            const step = join(standing, { actor: by.userId }, by.reason)
            if (!step) return { how: 'known', proposal: standing }
            const joined = await advance(tx, standing, step)
            return joined && isBulk(joined) ? { how: 'joined', proposal: joined } : null
          })
          // Somebody was faster: what stands now is looked at again.
          if (asked) return asked
        }
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error
        return refused(refusalOf('notSeen', error.reason))
      }
    },

    async bySweep(watched, choice, claim) {
      const made = await list(watched, choice)
      const id = randomUUID()
      const isFor = (one: OpenProposal) =>
        one.bulk?.sweep === choice.sweep && one.key.cluster === watched.config.name
      const before = (await proposals.inState('open')).filter(isFor)
      return cards.commitAll([id, ...before.map(({ cardId }) => cardId)], async (tx) => {
        if (!(await claim(tx.on(id)))) return null
        if (made.members.length === 0) return { how: 'nobody', leftOut: made.leftOut }
        for (const old of before) await advance(tx.on(old.cardId), old, withdraw(old, newerList))
        return open(tx.on(id), watched, { choice, made, id, userId: null, reason: '' })
      })
    },

    async takeOff(caller, { proposalId, ...off }) {
      const before = await proposals.get(proposalId)
      const entry = { caller, where: 'button pg_take_off', about: before }
      const refused = async (refusal: Refusal) => ({ refusal: await refuse(entry, refusal) })
      const watched = clusters.get(before?.key.cluster ?? '')
      if (!before || !watched) return refused(unknownButton)
      // It makes less of it, so whoever may ask for more or may decide may do that.
      const { access } = watched.config
      if (await checkAccess(caller, access.requesters, true)) {
        const refusal = await authorize(entry, access.approvers, true)
        if (refusal) return { refusal }
      }
      for (;;) {
        const open = await proposals.get(proposalId)
        if (open?.state !== 'open' || !isBulk(open))
          return refused(open ? refusalOf('alreadyDecided', alreadyDecided(open)) : unknownButton)
        if (now() >= open.expiresAt) return refused(refusalOf('expired', 'it has expired'))
        const shorter = shorten(open, off, { id: randomUUID(), by: caller.userId, now: now() })
        if (!shorter)
          return refused(
            refusalOf('changed', `${off.pid} cannot be taken off: deny the request if nobody is to be ended`),
          )
        const done = await cards.commit(open.cardId, async (tx) => {
          if (!(await advance(tx, open, shorter.ended))) return false
          await begin(tx, shorter.opened)
          return true
        })
        if (done) return { cardId: open.cardId }
      }
    },
  }

  /** Opens it on a card of its own. */
  async function open(
    tx: CardTx,
    { config }: WatchedCluster,
    {
      choice: { action, chosenBy, sweep },
      made: { members, leftOut },
      ...by
    }: {
      readonly choice: Choice
      readonly made: BulkList
      readonly id: string
      readonly userId: string | null
      readonly reason: string
    },
  ): Promise<BulkAsked | null> {
    const [first] = members
    if (!first) return null
    const { id, userId, reason } = by
    const { session, victims, pooled } = first
    const bulk: Bulk = { members, leftOut, chosenBy, sweep }
    const key = sessionKeyOf(config.name, session)
    const about = { id, cardId: id, action, key, session, victims, pooled, reason, bulk }
    const made = openProposal({ ...about, requestedBy: userId }, now(), config.approvals.expireAfterMs)
    await begin(tx, userId === null ? offer(made, bot) : request(made, { actor: userId }))
    return { how: 'opened', proposal: { ...made, bulk } }
  }
}

const newerList = 'a newer list of the same sweep stands in its place'

/** Finds an open request for the same choice whose time is not up. Its list is older, and what changed since is left alone. */
async function standingFor(
  proposals: Pick<Proposals, 'inState'>,
  cluster: string,
  { action, chosenBy, sweep }: Choice,
  now: number,
): Promise<BulkProposal<OpenProposal> | null> {
  const isSame = (one: Proposal) =>
    now < one.expiresAt &&
    one.key.cluster === cluster &&
    one.action === action &&
    one.bulk?.chosenBy === chosenBy &&
    one.bulk.sweep === sweep
  return (await proposals.inState('open')).filter(isBulk).find(isSame) ?? null
}

/** Reads who is chosen now, with their statements. */
async function list(
  { cluster, config }: WatchedCluster,
  { isChosen, action, most }: Choice,
): Promise<BulkList> {
  const snapshot = await cluster.snapshot()
  // Whoever sees nobody must not say that nobody is there.
  if (!snapshot.server.seesOthers)
    throw new ClusterError('the bot lacks pg_monitor, so what sessions do is not seen', '42501', false)
  const made = listMembers(pictureOf(snapshot), { isChosen, action, most, protected: config.protected })
  const texts = new Map(
    (await cluster.withText(made.members.map(({ session }) => session))).map((one) => [one.pid, one]),
  )
  const shortened = (session: Session) => {
    const { query = null } = texts.get(session.pid) ?? session
    return { ...session, query: query?.slice(0, longestStatement) ?? null }
  }
  return {
    ...made,
    members: made.members.map((member) => ({ ...member, session: shortened(member.session) })),
  }
}

/** A list of many is kept as one document. */
const longestStatement = 300
