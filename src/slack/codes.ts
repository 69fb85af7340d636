import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { Approve, ButtonPress } from '../actions/approve.ts'
import type { Caller } from '../actions/authorize.ts'
import type { AcceptedCode, SecondFactor } from '../actions/secondFactor.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import { type Refusal, refusalOf } from '../domain/approvals/access.ts'
import { isReason } from '../domain/approvals/proposal.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Proposals } from '../store/proposals.ts'
import { answerModal, waitingModal } from '../views/answerModal.ts'
import { richText, section, type View } from '../views/kit.ts'
import { refusalView } from '../views/refusal.ts'
import { type CodeFor, codeBlock, codeModal, fieldError, reasonBlock } from '../views/secondFactor.ts'
import type { Slack } from './client.ts'
import type { Said } from './flights.ts'

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
  readonly slack: Slack
  readonly cards: Pick<Cards, 'state'>
  readonly proposals: Pick<Proposals, 'get'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly approve: Approve
  readonly secondFactor: Pick<SecondFactor, 'use'>
  readonly log: Log
}): Codes {
  const { slack, cards, proposals, clusters, approve, secondFactor, log } = deps

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
      if (!lacksCode(soon)) return soon
      const form = await formFor(press)
      return form ? open(triggerId, form) : noModal('the card has moved on')
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

  async function open(triggerId: string, view: ReturnType<typeof codeModal>): Promise<Said> {
    try {
      await slack.call((client) => client.views.open({ trigger_id: triggerId, view }))
      return null
    } catch (error) {
      if (!(error instanceof SlackError)) throw error
      log.warn({ err: error }, 'the modal that asks for a code did not open')
      return noModal(`Slack did not open the window that asks for your code (${error.code})`)
    }
  }

  /** Opens a modal that waits, and then asks for the code there, or says there why not. */
  async function whileWaiting(
    press: ButtonPress & { readonly decision: CodeFor },
    deciding: Promise<Said>,
    triggerId: string,
  ): Promise<Said> {
    const opening = slack.call((client) => client.views.open({ trigger_id: triggerId, view: waitingModal() }))
    let whyNot = ''
    const id = await opening.then(
      ({ view }) => view?.id ?? null,
      (error: unknown) => {
        log.warn({ err: error }, 'the modal that asks for a code did not open')
        if (error instanceof SlackError) whyNot = ` (${error.code})`
        return null
      },
    )
    const answer = await deciding
    const form = lacksCode(answer) ? await formFor(press) : null
    if (id === null)
      return form ? noModal(`Slack did not open the window that asks for your code${whyNot}`) : answer
    const said = answer !== null && !form ? answerModal(viewOf(answer).blocks) : null
    try {
      await slack.call((client) => client.views.update({ view_id: id, view: form ?? said ?? waitingModal() }))
      return null
    } catch (error) {
      log.info({ err: error }, 'the modal that waits for a code was closed')
      return form ? null : answer
    }
  }
}

const noModal = (why: string): Refusal => refusalOf('noCode', `${why}, so press again`)

const lacksCode = (answer: Said): boolean =>
  typeof answer === 'object' && answer !== null && 'code' in answer && answer.code === 'noCode'

const viewOf = (answer: Exclude<Said, null>): View => {
  if (typeof answer === 'string') return { text: answer, blocks: [richText(section(answer))] }
  return 'code' in answer ? refusalView(answer) : answer
}

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
