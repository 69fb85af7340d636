import { createHash } from 'node:crypto'
import { type EventEmitter, once } from 'node:events'
import type { Program } from '../actions/authorize.ts'
import type { Requests } from '../actions/request.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { ApiToken } from '../config/api.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Messages } from '../store/messages.ts'
import type { Proposals } from '../store/proposals.ts'
import { proposalPartOf } from '../views/documentParts.ts'
import type { AskedDocument } from './documents.ts'
import type { Inputs } from './inputs.ts'
import { ApiError, refusalError } from './problem.ts'
import type { Tokens } from './tokens.ts'

/** Asking of programs. It ends at a person's button: nothing here decides. */
export type Asks = {
  /** Makes a proposal, or joins the one that is open for that session. Throws ApiError. */
  propose(program: Program, input: Inputs['propose'], idempotencyKey: string | null): Promise<AskedDocument>
  /**
   * Reads a proposal; with `wait` when it has ended, or after that time. Throws ApiError: 401 where the token is taken back
   * meanwhile.
   * @param signal ends the wait, when nobody listens any more
   */
  proposal(token: ApiToken, input: Inputs['proposal'], signal: AbortSignal): Promise<AskedDocument>
}

/** Calls of one token that wait at the same time: each holds a connection. */
const mostWaits = 20

export function createAsks(deps: {
  readonly requests: Pick<Requests, 'byProgram'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly proposals: Proposals
  readonly messages: Pick<Messages, 'standing'>
  /** Finds the address of a card. */
  readonly linkTo: (cardId: string) => Promise<string | null>
  /** Finds it also for one that is on its way. */
  readonly patientLinkTo: (cardId: string) => Promise<string | null>
  readonly tokens: Tokens
  readonly maskText: (text: string | null) => string | null
  /** Tells of every change of the store, by this process or another. */
  readonly changes: EventEmitter<{ changed: [] }>
  /** Aborted when the process is asked to end: who waits gets what there is. */
  readonly stopping: AbortSignal
}): Asks {
  const {
    requests,
    clusters,
    proposals,
    messages,
    linkTo,
    patientLinkTo,
    tokens,
    maskText,
    changes,
    stopping,
  } = deps
  const waits = new Map<string, number>()

  return {
    async propose(caller, { onBehalfOf, reason, ...input }, idempotencyKey) {
      const asked = await requests.byProgram({
        caller,
        ...input,
        reason: onBehalfOf === undefined ? reason : `for ${onBehalfOf}, it says: ${reason}`,
        once:
          idempotencyKey === null
            ? null
            : { key: idempotencyKey, fingerprint: hashOf({ onBehalfOf, reason, ...input }) },
      })
      if ('refusal' in asked) throw refusalError(asked.refusal)
      await patientLinkTo(asked.proposal.cardId)
      return documentOf(asked.proposal)
    },

    async proposal(token, { id, wait = 0 }, signal) {
      if (wait === 0) return documentOf(await read(token, id))
      const waiting = waits.get(token.name) ?? 0
      if (waiting >= mostWaits)
        throw new ApiError(
          429,
          'tooMany',
          `This token waits ${mostWaits} times already. Ask again without \`wait\`.`,
        )
      waits.set(token.name, waiting + 1)
      const answered = new AbortController()
      const ends = AbortSignal.any([signal, stopping, answered.signal, AbortSignal.timeout(wait)])
      try {
        for (;;) {
          // Before it is read: no change in between is missed.
          const change = once(changes, 'changed', { signal: ends }).then(
            () => true,
            () => false,
          )
          const found = await read(token, id)
          if (hasEnded(found) || !(await change)) return documentOf(found)
        }
      } finally {
        // Nothing listens any more for an answer that is there.
        answered.abort()
        waits.set(token.name, (waits.get(token.name) ?? 0) - 1)
      }
    },
  }

  /** Reads a proposal with what the token may now. */
  async function read(token: ApiToken, id: string): Promise<Proposal> {
    const now = tokens.still(token)
    const found = await proposals.get(id)
    if (!found) throw unknownProposal(id)
    // Who may not see the cluster may not know of it either.
    tokens.demandCluster(now, found.key.cluster)
    return found
  }

  async function documentOf(proposal: Proposal): Promise<AskedDocument> {
    const { cardId, key, decidedBy, decision, brokeGlass, state, action } = proposal
    const permalink = await linkTo(cardId)
    const [place] = await messages.standing([cardId])
    const config = clusters.get(key.cluster)?.config
    const follower = (await proposals.ofCard(cardId)).find(({ insteadOf }) => insteadOf === proposal.id)
    return {
      ...proposalPartOf(proposal, { silenced: false, maskText }),
      cluster: key.cluster,
      card: { channel: place?.channel ?? config?.channel ?? '', ts: place?.ts ?? null, permalink },
      decision:
        decidedBy !== null && (state === 'denied' || brokeGlass !== null)
          ? { by: decidedBy, reason: brokeGlass?.reason ?? decision }
          : null,
      needed: config?.approvals.people[action] ?? 1,
      followedBy: follower?.id ?? null,
    }
  }
}

/** Decides whether nothing comes after it: it is decided, and what was approved has an outcome. */
const hasEnded = ({ state }: Proposal): boolean => state !== 'open' && state !== 'claimed'

const unknownProposal = (id: string) => new ApiError(404, 'unknownProposal', `There is no proposal ${id}.`)

/** Hash of what was asked, by which a repeated call is known from another one. */
const hashOf = (input: object): string => createHash('sha256').update(JSON.stringify(input)).digest('hex')
