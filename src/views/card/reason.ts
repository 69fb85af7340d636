import type { Action } from '../../domain/session/action.ts'
import { confirmWords } from '../buttons.ts'
import { plainText } from '../kit.ts'

/** Callback ids of the modal that asks for a reason, by what the reason is for. */
export const reasonCallbacks = { deny: 'deny_reason', breakGlass: 'break_glass_reason' } as const
export type ReasonFor = keyof typeof reasonCallbacks

const reasonBlock = 'reason'

/** The modal that asks why a proposal is denied, or why one person acts alone, who has to say so. */
export const reasonModal = (why: ReasonFor, proposalId: string, action: Action, whom: string) => ({
  type: 'modal' as const,
  callback_id: reasonCallbacks[why],
  private_metadata: proposalId,
  title: plainText(why === 'deny' ? 'Deny' : 'Break glass', 24),
  ...(why === 'deny'
    ? { submit: plainText('Deny', 24), close: plainText('Decide later', 24) }
    : { submit: confirmWords(action).confirm, close: confirmWords(action).deny }),
  blocks: [
    {
      type: 'input' as const,
      block_id: reasonBlock,
      optional: why === 'deny',
      label: plainText(
        why === 'deny'
          ? `Why should ${whom} be left alone?`
          : `Why do you ${action} ${whom} alone? Everybody will read it.`,
        2000,
      ),
      element: { type: 'plain_text_input' as const, action_id: reasonBlock, max_length: 300 },
    },
  ],
})

/** Reads what was written into the modal. */
export function reasonIn(values: unknown): string {
  const field = (values as Record<string, Record<string, { value?: unknown }>> | undefined)?.[reasonBlock]?.[
    reasonBlock
  ]
  return typeof field?.value === 'string' ? field.value.trim() : ''
}
