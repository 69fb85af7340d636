import { plainText } from '../kit.ts'

/** Callback id of the modal that asks whom an incident is handed over to; its private metadata is the id of the incident. */
export const handOverCallback = 'pg_hand_over'

const personBlock = 'person'

/** Draws the modal that asks whom an incident is handed over to. */
export const handOverModal = (incidentId: string) => ({
  type: 'modal' as const,
  callback_id: handOverCallback,
  private_metadata: incidentId,
  title: plainText('Hand over', 24),
  submit: plainText('Hand over', 24),
  close: plainText('Keep it', 24),
  blocks: [
    {
      type: 'input' as const,
      block_id: personBlock,
      label: plainText('Who looks after it from now on?', 2000),
      hint: plainText('They are mentioned in the thread of the card.', 2000),
      element: { type: 'users_select' as const, action_id: personBlock },
    },
  ],
})

/** Reads who was chosen in the modal; empty where nobody was. */
export function personIn(values: unknown): string {
  const blocks = values as Record<string, Record<string, { selected_user?: unknown }>> | undefined
  const chosen = blocks?.[personBlock]?.[personBlock]?.selected_user
  return typeof chosen === 'string' ? chosen : ''
}
