import { plainText } from './text.ts'

export const denyReasonCallback = 'deny_reason'
const reasonBlock = 'reason'

/** The modal that asks why a proposal is denied. */
export const denyModal = (proposalId: string, pid: number) => ({
  type: 'modal' as const,
  callback_id: denyReasonCallback,
  private_metadata: proposalId,
  title: plainText('Deny', 24),
  submit: plainText('Deny', 24),
  close: plainText('Back', 24),
  blocks: [
    {
      type: 'input' as const,
      block_id: reasonBlock,
      optional: true,
      label: plainText(`Why should ${pid} be left alone?`, 2000),
      element: { type: 'plain_text_input' as const, action_id: reasonBlock, max_length: 300 },
    },
  ],
})

/** What was written into the modal. */
export function denyReason(values: unknown): string {
  const field = (values as Record<string, Record<string, { value?: unknown }>> | undefined)?.[reasonBlock]?.[
    reasonBlock
  ]
  return typeof field?.value === 'string' ? field.value.trim() : ''
}
