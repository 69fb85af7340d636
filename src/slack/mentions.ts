import { z } from 'zod'
import type { Caller } from '../actions/authorize.ts'
import { kinds } from '../commands/command.ts'
import { splitWords } from '../commands/words.ts'

/** https://docs.slack.dev/reference/events/app_mention */
const event = z.object({
  user: z.string().min(1),
  text: z.string(),
  ts: z.string().min(1),
  channel: z.string().min(1),
  thread_ts: z.string().min(1).optional(),
  user_team: z.string().optional(),
  team: z.string().optional(),
})

/** A mention of the bot by a person. */
export type Mention = {
  readonly caller: Caller
  readonly channel: string
  /** The message in whose thread it is answered. */
  readonly threadTs: string
  /** True where that thread is there already: in one that is not, nobody sees what is for them alone. */
  readonly inThread: boolean
  /** Question or request, as text after `/pg`. */
  readonly typed: string
}

/**
 * Reads a mention; null for one that no person made just now: of another bot, or of a message that was edited.
 * @param teamId workspace that Slack sent it for
 */
export function readMention(
  given: object,
  teamId: string | undefined,
  botUserId: string | undefined,
): Mention | null {
  const read = event.safeParse(given)
  if (!read.success || 'bot_id' in given || 'edited' in given) return null
  const { user, text, ts, channel, thread_ts, user_team, team } = read.data
  return {
    caller: { userId: user, teamId: user_team ?? team ?? teamId ?? null },
    channel,
    threadTs: thread_ts ?? ts,
    inThread: thread_ts !== undefined,
    typed: typedIn(text, botUserId),
  }
}

/** Finds the command behind the mention. What is none of ours is talk, and answered with the overview. */
function typedIn(text: string, botUserId: string | undefined): string {
  const mention = new RegExp(`<@${botUserId ?? '[UW][A-Z0-9]+'}(?:\\|[^>]*)?>`)
  const [, ...behind] = text.split(mention)
  const after = behind.join(' ').replace(/^[\s:,]*(?:\/pg(?=\s|$))?/, '')
  const [first] = splitWords(after)
  return kinds.some((kind) => kind === first?.text.toLowerCase()) ? asTyped(after).trim() : ''
}

/** Undoes what Slack makes of typed text: https://docs.slack.dev/messaging/formatting-message-text */
const asTyped = (text: string): string =>
  text
    .replace(/<(?:https?|mailto):[^|>]*\|([^>]*)>/g, '$1')
    .replace(/<(?:mailto:)?([^@#!][^>]*)>/g, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
