import type { Caller } from '../actions/authorize.ts'
import type { ReadDetails } from '../actions/details.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import type { Block } from '../views/kit.ts'
import type { Modals } from './modals.ts'
import type { Reply } from './replies.ts'

/** https://docs.slack.dev/reference/block-kit/blocks */
const mostBlocksOfMessage = 50

export type DetailsModal = {
  /**
   * Opens the details of a card; where the modal does not open, they come as a private answer.
   * @param trigger `from`: the kind of view that the button stands in
   */
  open(
    caller: Caller,
    cardId: string,
    trigger: { readonly id: string; readonly from: string },
    reply: Reply,
  ): Promise<Refusal | string | null>
  /** Reads the details again, in place. */
  refresh(caller: Caller, cardId: string, viewId: string | undefined, page?: number): Promise<Refusal | null>
}

export const createDetailsModal = ({
  modals,
  readDetails,
}: {
  readonly modals: Modals
  readonly readDetails: ReadDetails
}): DetailsModal => ({
  async open(caller, cardId, { id: triggerId, from }, reply) {
    const read = await readDetails(caller, cardId)
    if ('refusal' in read) return read.refusal
    const { modal } = read
    const opened = await (from === 'modal' ? modals.push(triggerId, modal) : modals.open(triggerId, modal))
    if ('viewId' in opened) return null
    // There is no room for them on a Home.
    if (from === 'home') return 'The details did not open in time: press Details again.'
    await reply.privately({ text: 'Details', blocks: modal.blocks.slice(0, mostBlocksOfMessage) as Block[] })
    return null
  },
  async refresh(caller, cardId, viewId, page) {
    const read = await readDetails(caller, cardId, page)
    if ('refusal' in read) return read.refusal
    if (viewId) await modals.update(viewId, read.modal)
    return null
  },
})
