import { setTimeout as pause } from 'node:timers/promises'
import { backoff } from '../backoff.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Messages } from '../store/messages.ts'
import type { Slack } from './client.ts'

/** Finds the address of a card in Slack; null where it does not stand there. */
export type CardLink = (cardId: string) => Promise<string | null>

/** A card that was made a moment ago is on its way: so many looks, about two seconds. */
const mostLooks = 10

export function createCardLink({
  slack,
  messages,
}: {
  readonly slack: Slack
  readonly messages: Pick<Messages, 'standing'>
}): CardLink {
  return async (cardId) => {
    for (let looks = 0; looks < mostLooks; looks++) {
      const [card] = await messages.standing([cardId])
      if (!card) {
        await pause(backoff(looks, { firstMs: 25, longestMs: 400 }))
        continue
      }
      try {
        const { permalink } = await slack.call((client) =>
          client.chat.getPermalink({ channel: card.channel, message_ts: card.ts }),
        )
        return permalink ?? null
      } catch (error) {
        // The answer is worth more than its link.
        if (error instanceof SlackError) return null
        throw error
      }
    }
    return null
  }
}
