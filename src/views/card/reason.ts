import type { ModalView } from '@slack/types'
import type { Proposal } from '../../domain/approvals/proposal.ts'
import { confirmWords } from '../buttons.ts'
import { plainText } from '../kit.ts'
import { membersWords } from './bulk.ts'

/** Callback ids of the modal that asks for a reason, by what the reason is for. */
export const reasonCallbacks = { deny: 'deny_reason', breakGlass: 'break_glass_reason' } as const
export type ReasonFor = keyof typeof reasonCallbacks

const reasonBlock = 'reason'

/** The modal that asks why a proposal is denied, or why one person acts alone, who has to say so. */
export function reasonModal(why: ReasonFor, proposal: Proposal): ModalView {
  const { id, action, key, bulk } = proposal
  const whom = bulk ? membersWords(bulk) : String(key.pid)
  const { confirm, deny } = confirmWords(proposal)
  return {
    type: 'modal',
    callback_id: reasonCallbacks[why],
    private_metadata: id,
    title: plainText(why === 'deny' ? 'Deny' : 'Break glass', 24),
    ...(why === 'deny'
      ? { submit: plainText('Deny', 24), close: plainText('Decide later', 24) }
      : { submit: confirm, close: deny }),
    blocks: [
      {
        type: 'input',
        block_id: reasonBlock,
        optional: why === 'deny',
        label: plainText(
          why === 'deny'
            ? `Why should ${whom} be left alone?`
            : `Why do you ${action} ${whom} alone? Everybody will read it.`,
          2000,
        ),
        element: { type: 'plain_text_input', action_id: reasonBlock, max_length: 300 },
      },
    ],
  }
}

/** Reads what was written into the modal. */
export function reasonIn(values: unknown): string {
  const field = (values as Record<string, Record<string, { value?: unknown }>> | undefined)?.[reasonBlock]?.[
    reasonBlock
  ]
  return typeof field?.value === 'string' ? field.value.trim() : ''
}
