import { setTimeout as pause } from 'node:timers/promises'
import { backoff } from '../backoff.ts'
import type { Log } from '../log.ts'
import type { Messages } from '../store/messages.ts'
import type { Slack } from './client.ts'

/** Finds the address of a card in Slack; null while it stands nowhere, or where Slack does not say. */
export type LinkTo = (cardId: string) => Promise<string | null>

/** So many addresses are remembered. */
const mostKnown = 1000

export function createLinkTo({
  slack,
  messages,
  log,
}: {
  readonly slack: Slack
  readonly messages: Pick<Messages, 'standing'>
  readonly log: Log
}): LinkTo {
  // An address never changes.
  const known = new Map<string, string>()
  return async (cardId) => {
    const [place] = await messages.standing([cardId])
    if (!place) return null
    const { channel, ts } = place
    const key = `${channel} ${ts}`
    const before = known.get(key)
    if (before !== undefined) return before
    try {
      const { permalink } = await slack.call((client) =>
        client.chat.getPermalink({ channel, message_ts: ts }),
      )
      if (!permalink) return null
      if (known.size >= mostKnown) known.clear()
      known.set(key, permalink)
      return permalink
    } catch (error) {
      // A link is worth less than the answer.
      log.info({ err: error }, 'the address of a card could not be looked up')
      return null
    }
  }
}

/** So many looks for a card that was made a moment ago and is on its way, in about two seconds. */
const mostLooks = 10

/** The same, for an answer that comes at the same time as the card. */
export function createPatientLinkTo({
  linkTo,
  messages,
}: {
  readonly linkTo: LinkTo
  readonly messages: Pick<Messages, 'standing'>
}): LinkTo {
  return async (cardId) => {
    for (let looks = 0; looks < mostLooks && (await messages.standing([cardId])).length === 0; looks++)
      await pause(backoff(looks, { firstMs: 25, longestMs: 400 }))
    return linkTo(cardId)
  }
}

/** Builds the address that opens a channel: https://docs.slack.dev/interactivity/deep-linking */
export const channelLinkTo = (teamId: string, channel: string): string =>
  `https://slack.com/app_redirect?team=${encodeURIComponent(teamId)}&channel=${encodeURIComponent(channel)}`
