import type { ModalView } from '@slack/types'
import type { BulkProposal } from '../../domain/approvals/bulk.ts'
import type { BulkMember } from '../../domain/approvals/members.ts'
import { refreshAction, takeOffAction, turnListActions } from '../buttons.ts'
import {
  type Block,
  bold,
  bullets,
  button,
  buttonRow,
  clean,
  context,
  header,
  type Line,
  moment,
  plainText,
  richText,
  section,
  truncate,
} from '../kit.ts'
import { count, nameOf, onOneLine, shortNameAndPid, stateOf } from '../words.ts'
import { bulkLines, outcomeWords } from './bulk.ts'
import { shortId } from './card.ts'
import type { CardState } from './cardState.ts'
import { lostWith, workOf } from './cost.ts'
import { detailsCallback } from './details.ts'
import { headlineOf } from './headline.ts'
import { standing } from './standing.ts'

/** Slack takes 100 blocks in a modal: https://docs.slack.dev/reference/views/modal-views */
const onPage = 40

/**
 * Draws the modal of a bulk card: each session of the list with what is lost with it and, while it is open, a button that takes
 * it off; then everybody who is left out, and why.
 * @param page the first is 1
 */
export function bulkModal({
  card,
  proposal,
  page,
  now,
}: {
  readonly card: CardState
  readonly proposal: BulkProposal
  readonly page: number
  readonly now: number
}): ModalView {
  const { bulk, cardId } = proposal
  const pages = Math.ceil(bulk.members.length / onPage)
  const shown = Math.min(Math.max(1, page), pages)
  const from = (shown - 1) * onPage
  return {
    type: 'modal',
    callback_id: detailsCallback,
    private_metadata: cardId,
    title: plainText('List', 24),
    close: plainText('Close', 24),
    blocks: [
      header(headlineOf(card)),
      richText(
        section(...standing(proposal, card)),
        bullets(...bulkLines(proposal), [bold('Chosen by: '), truncate(onOneLine(bulk.chosenBy), 300)]),
      ),
      ...bulk.members.slice(from, from + onPage).map((member) => memberBlock(proposal, member)),
      ...(pages > 1
        ? [
            richText(section(`Page ${shown} of ${pages}.`)),
            ...buttonRow(
              ...(shown > 1 ? [button(turnListActions.back, 'Before', `${shown - 1} ${cardId}`)] : []),
              ...(shown < pages ? [button(turnListActions.on, 'Next', `${shown + 1} ${cardId}`)] : []),
            ),
          ]
        : []),
      ...(bulk.leftOut.length > 0
        ? [
            richText(
              section(bold('Left out:')),
              bullets(
                ...bulk.leftOut
                  .slice(0, 20)
                  .map(
                    ({ why, pids }): Line => [
                      `${onOneLine(clean(why)).replace(/\.$/, '')}: ${truncate(pids.join(', '), 300)}`,
                    ],
                  ),
              ),
            ),
          ]
        : []),
      ...buttonRow(button(refreshAction, 'Refresh', cardId)),
      richText(section('Read ', moment(now), '. Who is on the list is looked at again before each signal.')),
      context(`Request ${shortId(cardId)} · /pg history ${shortId(cardId)}`),
    ],
  }
}

function memberBlock(
  { id, state, bulk, action }: BulkProposal,
  { session, victims, outcome }: BulkMember,
): Block {
  const { pid, backendStart } = session
  const words = [
    `${nameOf(session)} · ${stateOf(session)}.`,
    outcome
      ? `Outcome: ${outcomeWords(outcome.kind, action, 1)}.`
      : `${workOf(session, lostWith(session, null))}${victims.length > 0 ? ` ${count(victims.length, 'session waits', 'sessions wait')} behind it.` : ''}`,
  ]
  return {
    type: 'section',
    text: plainText(words.join(' '), 500),
    ...(state === 'open' &&
      bulk.members.length > 1 && {
        accessory: {
          ...button(takeOffAction, 'Take off', JSON.stringify({ proposalId: id, pid, backendStart })),
          accessibility_label: truncate(`Take ${shortNameAndPid(session)} off the list`, 75),
        },
      }),
  }
}
