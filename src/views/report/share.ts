import { plainText } from '../kit.ts'

/** Callback id of the modal that asks where a report is shared to; its private metadata is the id of the incident. */
export const shareReportCallback = 'pg_share_report'

const channelBlock = 'channel'

/** Draws the modal that asks for a channel: Slack offers those that the person sees. */
export const shareReportModal = (incidentId: string) => ({
  type: 'modal' as const,
  callback_id: shareReportCallback,
  private_metadata: incidentId,
  title: plainText('Share the report', 24),
  submit: plainText('Share', 24),
  close: plainText('Keep it here', 24),
  blocks: [
    {
      type: 'input' as const,
      block_id: channelBlock,
      label: plainText('To which channel?', 2000),
      hint: plainText('You and I must be in it. The message says that you shared it.', 2000),
      element: {
        type: 'conversations_select' as const,
        action_id: channelBlock,
        filter: {
          include: ['public' as const, 'private' as const],
          exclude_external_shared_channels: true,
          exclude_bot_users: true,
        },
      },
    },
  ],
})

/** Reads which channel was chosen in the modal; empty where none was. */
export function channelIn(values: unknown): string {
  const blocks = values as Record<string, Record<string, { selected_conversation?: unknown }>> | undefined
  const chosen = blocks?.[channelBlock]?.[channelBlock]?.selected_conversation
  return typeof chosen === 'string' ? chosen : ''
}
