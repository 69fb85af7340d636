import { z } from 'zod'

/** The message that a button stands on: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload */
const container = z.object({ message_ts: z.string().min(1), is_ephemeral: z.boolean().optional() })

/** `ts` is null for what is no message in a channel. */
export type Origin = { readonly isPrivate: boolean; readonly ts: string | null }

/** Finds out on what a button was pressed. What is not known to be seen by all counts as private. */
export function originOf(value: unknown): Origin {
  const read = container.safeParse(value)
  if (!read.success || read.data.is_ephemeral) return { isPrivate: true, ts: null }
  return { isPrivate: false, ts: read.data.message_ts }
}
