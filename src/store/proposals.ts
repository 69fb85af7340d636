import type { Kysely } from 'kysely'
import type { OpenProposal, Proposal, ProposalIn, ProposalState } from '../domain/approvals/proposal.ts'
import { proposalDocument } from './documents.ts'
import type { Schema } from './schema.ts'

export type Proposals = {
  add(proposal: Proposal): Promise<void>
  get(id: string): Promise<Proposal | null>
  /** Every proposal that was made on a card, oldest first. */
  ofCard(cardId: string): Promise<Proposal[]>
  /** Every proposal for this pid, whichever session had it, oldest first. */
  ofPid(pid: number): Promise<Proposal[]>
  /** The cards on which something was proposed for this pid, whichever session had it. */
  cardsOf(pid: number): Promise<string[]>
  inState<S extends ProposalState>(state: S): Promise<ProposalIn<S>[]>
  /** Lists the proposals made after `since` that were carried out, oldest first. */
  doneSince(since: number): Promise<ProposalIn<'done'>[]>
  /** Lists the proposals made after `since` that are not open any more, oldest first. */
  decidedSince(since: number): Promise<Proposal[]>
  /** Lists the proposals made after `since`, whatever became of them, oldest first. */
  madeSince(since: number): Promise<Proposal[]>
  /** Open proposals whose time is up. */
  dueBy(now: number): Promise<OpenProposal[]>
  /**
   * Compares and swaps: writes `next` only if nobody has changed the proposal since `before` was read.
   * @returns the proposal as it is now stored, or null when somebody was faster
   */
  swap<P extends Proposal>(before: Proposal, next: P): Promise<P | null>
}

export function proposalsIn(db: Kysely<Schema>): Proposals {
  const select = db.selectFrom('proposals').select(['id', 'data'])
  const { read, write } = proposalDocument
  const inState = async <S extends ProposalState>(state: S, found: typeof select): Promise<ProposalIn<S>[]> =>
    (await found.where('state', '=', state).orderBy('created_at').orderBy('id').execute())
      .map(read)
      .filter((proposal): proposal is Proposal & ProposalIn<S> => proposal.state === state)
  const columns = (proposal: Proposal) => ({
    state: proposal.state,
    revision: proposal.revision,
    data: write(proposal),
  })
  return {
    async add(proposal) {
      // In the order in which they were made, whatever the clock says.
      const { last } = await db
        .selectFrom('proposals')
        .select(({ fn }) => fn.max('created_at').as('last'))
        .where('card_id', '=', proposal.cardId)
        .executeTakeFirstOrThrow()
      await db
        .insertInto('proposals')
        .values({
          id: proposal.id,
          card_id: proposal.cardId,
          // A list is about nobody alone: no proposal for one of it stands in its way.
          pid: proposal.bulk ? 0 : proposal.key.pid,
          expires_at: proposal.expiresAt,
          created_at: Math.max(proposal.createdAt, Number(last ?? 0) + 1),
          ...columns(proposal),
        })
        .execute()
      for (const { session } of proposal.bulk?.members ?? [])
        await db.insertInto('bulk_members').values({ proposal_id: proposal.id, pid: session.pid }).execute()
    },
    async get(id) {
      const row = await select.where('id', '=', id).executeTakeFirst()
      return row ? read(row) : null
    },
    async ofCard(cardId) {
      return (await select.where('card_id', '=', cardId).orderBy('created_at').orderBy('id').execute()).map(
        read,
      )
    },
    async ofPid(pid) {
      return (await select.where('pid', '=', pid).orderBy('created_at').orderBy('id').execute()).map(read)
    },
    async cardsOf(pid) {
      const rows = await db
        .selectFrom('proposals')
        .select('card_id')
        .distinct()
        .where(({ eb, or, selectFrom }) =>
          or([
            eb('pid', '=', pid),
            eb('id', 'in', selectFrom('bulk_members').select('proposal_id').where('pid', '=', pid)),
          ]),
        )
        .execute()
      return rows.map((row) => row.card_id)
    },
    inState: (state) => inState(state, select),
    doneSince: (since) => inState('done', select.where('created_at', '>', since)),
    async decidedSince(since) {
      const rows = select.where('created_at', '>', since).where('state', 'not in', ['open', 'claimed'])
      return (await rows.orderBy('created_at').orderBy('id').execute()).map(read)
    },
    madeSince: async (since) =>
      (await select.where('created_at', '>', since).orderBy('created_at').orderBy('id').execute()).map(read),
    dueBy: (now) => inState('open', select.where('expires_at', '<=', now)),
    async swap(before, next) {
      const changed = { ...next, revision: before.revision + 1 }
      const { numUpdatedRows } = await db
        .updateTable('proposals')
        .set(columns(changed))
        .where('id', '=', before.id)
        .where('revision', '=', before.revision)
        .executeTakeFirst()
      return numUpdatedRows === 1n ? changed : null
    },
  }
}
