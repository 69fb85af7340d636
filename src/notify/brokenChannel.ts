import type { Messages } from '../store/messages.ts'

/** Says in all other channels that one takes no messages. */
export async function announceBroken({
  messages,
  channels,
  broken,
  code,
  now,
}: {
  readonly messages: Pick<Messages, 'put'>
  readonly channels: ReadonlySet<string>
  readonly broken: string
  /** Slack's. */
  readonly code: string
  readonly now: number
}): Promise<void> {
  const text = `I cannot post to <#${broken}> (${code}): cards and the action log of that channel are held back until it takes messages again.`
  for (const channel of channels) {
    if (channel === broken) continue
    const about = {
      id: `broken:${broken}:${channel}:${now}`,
      channel,
      threadOf: null,
      priority: 4,
      once: true,
    }
    await messages.put({ ...about, text, blocks: [] }, now)
  }
}
