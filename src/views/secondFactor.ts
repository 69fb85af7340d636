import type { ModalView } from '@slack/types'
import type { Refusal } from '../domain/approvals/access.ts'
import type { OpenProposal } from '../domain/approvals/proposal.ts'
import { isFromHost } from '../domain/host/identity.ts'
import { confirmWords } from './buttons.ts'
import { membersWords } from './card/bulk.ts'
import { consequenceFor, questionOf } from './card/card.ts'
import type { CardState } from './card/cardState.ts'
import { standing } from './card/standing.ts'
import {
  bold,
  bullets,
  clean,
  header,
  type Line,
  plainText,
  preformatted,
  richText,
  section,
  truncate,
} from './kit.ts'
import { nameOf, stateOf } from './words.ts'

/** Callback id of the modal that asks for a code, and the ids of its fields. */
export const codeCallback = 'pg_second_factor'
export const codeBlock = 'code'
export const reasonBlock = 'reason'

/** Purpose of a code: an approval, or acting alone, which takes a reason as well. */
export type CodeFor = 'approve' | 'breakGlass'

/** Slack takes 3,000 characters in a text. */
const statementLength = 2900

/** Draws the modal that asks for a code: exactly what is ended with it, and what that costs. */
export function codeModal(what: CodeFor, proposal: OpenProposal, card: CardState): ModalView {
  const { action, key, reason, bulk } = proposal
  const { session, consequence } = consequenceFor(proposal, card)
  const facts: Line[] = [
    ...(bulk
      ? [[bold('On: '), key.cluster]]
      : [
          [bold('Session: '), nameOf(session)],
          [
            bold('On: '),
            isFromHost(key) ? key.cluster : `${key.cluster}, connected since ${key.backendStart}`,
          ],
          [bold('It is: '), stateOf(session)],
        ]),
    ...(reason ? [[bold('Asked for because: '), reason]] : []),
  ]
  return {
    type: 'modal',
    callback_id: codeCallback,
    private_metadata: JSON.stringify({ proposalId: proposal.id, what }),
    title: plainText(what === 'approve' ? `Approve: ${action}` : 'Break glass', 24),
    submit: confirmWords(proposal).confirm,
    close: confirmWords(proposal).deny,
    blocks: [
      header(questionOf(proposal, session)),
      richText(section(consequence), bullets(...facts)),
      ...(session.query && !bulk ? [richText(preformatted(truncate(session.query, statementLength)))] : []),
      ...(what === 'approve' ? [richText(section(...standing(proposal, card)))] : []),
      ...(what === 'breakGlass'
        ? [
            {
              type: 'input' as const,
              block_id: reasonBlock,
              label: plainText(
                `Why do you ${action} ${bulk ? membersWords(bulk) : 'it'} alone? Everybody will read it.`,
                2000,
              ),
              element: {
                type: 'plain_text_input' as const,
                action_id: reasonBlock,
                max_length: 300,
                focus_on_load: true,
              },
            },
          ]
        : []),
      {
        type: 'input',
        block_id: codeBlock,
        label: plainText('Code of your authenticator app', 2000),
        element: {
          type: 'plain_text_input',
          action_id: codeBlock,
          placeholder: plainText('six digits', 150),
          max_length: 12,
          focus_on_load: what === 'approve',
        },
      },
    ],
  }
}

/** Says at the field why a code was not taken. */
export function fieldError({ reason }: Refusal): string {
  const sentence = clean(reason).replace(/\.$/, '')
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`
}
