import { setTimeout as pause } from 'node:timers/promises'
import type { ModalView } from '@slack/types'
import { z } from 'zod'
import type { Approve, ButtonPress } from '../actions/approve.ts'
import type { Caller } from '../actions/authorize.ts'
import type { AcceptedCode, SecondFactor } from '../actions/secondFactor.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import { type Refusal, refusalOf } from '../domain/approvals/access.ts'
import { isReason } from '../domain/approvals/proposal.ts'
import type { Cards } from '../notify/cards.ts'
import type { Proposals } from '../store/proposals.ts'
import { answerModal, waitingModal } from '../views/answerModal.ts'
import { type CodeFor, codeBlock, codeModal, fieldError, reasonBlock } from '../views/secondFactor.ts'
import { type Modals, type Opened, viewOf } from './modals.ts'
import type { Said } from './take.ts'

/** Presses that count only with a code: the modal that asks for it, and what is sent with it. */
export type Codes = {
  /** Carries a press out; where nothing is missing but a code, opens the modal that asks for it. */
  press(press: ButtonPress & { readonly decision: CodeFor }, triggerId: string): Promise<Said>
  /** Decides whether a press on this proposal takes a code. */
  isAskedFor(proposalId: string): Promise<boolean>
  /** Reads what was sent with the modal, and uses the code up: to be acknowledged at once. */
  read(caller: Caller, metadata: string, values: unknown): Promise<SentCode>
}

/** Errors at the fields of the modal, by their ids, or what is to be carried out now. */
export type SentCode = { readonly errors: Record<string, string> } | { readonly press: ButtonPress }

/** A trigger is good for three seconds, and some of them are gone: https://docs.slack.dev/interactivity/handling-user-interaction */
const openWithinMs = 1000

const metadataShape = z.strictObject({ proposalId: z.uuid(), what: z.enum(['approve', 'breakGlass']) })

export function createCodes(deps: {
  readonly modals: Pick<Modals, 'open' | 'update'>
  readonly cards: Pick<Cards, 'state'>
  readonly proposals: Pick<Proposals, 'get'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly approve: Approve
  readonly secondFactor: Pick<SecondFactor, 'use'>
}): Codes {
  const { modals, cards, proposals, clusters, approve, secondFactor } = deps

  return {
    isAskedFor,

    async press(press, triggerId) {
      if (!(await isAskedFor(press.proposalId))) return approve(press)
      const deciding = approve(press)
      // A failure is answered below.
      deciding.catch(() => {})
      // Slack may take seconds to say who somebody is. By then no modal would open.
      const isLate = Symbol('late')
      const soon = await Promise.race([deciding, pause(openWithinMs, isLate, { ref: false })])
      if (soon === isLate) return whileWaiting(press, deciding, triggerId)
      const next = await afterwards(press, soon)
      if (!isForm(next)) return next
      const opened = await modals.open(triggerId, next)
      return 'failed' in opened ? notOpened(opened) : null
    },

    async read(caller, metadata, values) {
      const { proposalId, what } = readMetadata(metadata)
      const proposal = await proposals.get(proposalId)
      const reason = typedInto(values, reasonBlock)
      const press: ButtonPress = {
        caller,
        proposalId,
        decision: what,
        action: proposal?.action ?? 'cancel',
        reason,
      }
      // What is decided already takes no code: the answer to the press says so.
      if (proposal?.state !== 'open') return { press }
      if (what === 'breakGlass' && !isReason(reason))
        return { errors: { [reasonBlock]: 'Breaking the glass takes a reason.' } }
      const used: AcceptedCode | Refusal = await secondFactor.use(
        caller,
        proposal,
        typedInto(values, codeBlock),
      )
      return 'code' in used
        ? { errors: { [codeBlock]: fieldError(used) } }
        : { press: { ...press, code: used } }
    },
  }

  async function isAskedFor(proposalId: string): Promise<boolean> {
    const proposal = await proposals.get(proposalId)
    const watched = clusters.get(proposal?.key.cluster ?? '')
    return proposal?.state === 'open' && watched?.config.approvals.secondFactor[proposal.action] === true
  }

  async function formFor({ proposalId, decision }: ButtonPress & { readonly decision: CodeFor }) {
    const proposal = await proposals.get(proposalId)
    const card = proposal && (await cards.state(proposal.cardId))
    return proposal?.state === 'open' && card ? codeModal(decision, proposal, card) : null
  }

  /** Finds what follows a press without a code: the modal that asks for it where nothing else is missing, or the answer. */
  async function afterwards(
    press: ButtonPress & { readonly decision: CodeFor },
    answer: Said,
  ): Promise<Said | ModalView> {
    const lacksCode =
      typeof answer === 'object' && answer !== null && 'code' in answer && answer.code === 'noCode'
    if (!lacksCode) return answer
    return (await formFor(press)) ?? noModal('the card has moved on')
  }

  /** Opens a modal that waits, and then asks for the code there, or says there why not. */
  async function whileWaiting(
    press: ButtonPress & { readonly decision: CodeFor },
    deciding: Promise<Said>,
    triggerId: string,
  ): Promise<Said> {
    const opened = await modals.open(triggerId, waitingModal())
    const next = await afterwards(press, await deciding)
    if ('failed' in opened) return isForm(next) ? notOpened(opened) : next
    const shown = isForm(next) ? next : answerModal(viewOf(next ?? 'The card says what came of it.').blocks)
    const isSeen = await modals.update(opened.viewId, shown)
    // Who closed it wants to give no code, and is answered all the same.
    return isSeen || isForm(next) ? null : next
  }
}

const isForm = (next: Said | ModalView): next is ModalView =>
  typeof next === 'object' && next !== null && 'type' in next

const notOpened = ({ failed }: Extract<Opened, { readonly failed: string }>): Refusal =>
  noModal(`Slack did not open the window that asks for your code (${failed})`)

const noModal = (why: string): Refusal => refusalOf('noCode', `${why}, so press again`)

/** Reads what we wrote into the modal; what is none of ours stands for no proposal. */
function readMetadata(text: string): z.output<typeof metadataShape> {
  const nothing = { proposalId: '', what: 'approve' as const }
  try {
    return metadataShape.safeParse(JSON.parse(text)).data ?? nothing
  } catch {
    return nothing
  }
}

/** The proposal that a modal asks a code for. */
export const proposalIn = (metadata: string): string => readMetadata(metadata).proposalId

function typedInto(values: unknown, block: string): string {
  const field = (values as Record<string, Record<string, { value?: unknown }>> | undefined)?.[block]?.[block]
  return typeof field?.value === 'string' ? field.value.trim() : ''
}
