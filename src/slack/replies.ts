import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Block } from '@slack/types'
import type { Caller } from '../actions/authorize.ts'
import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import type { View } from '../views/kit.ts'
import type { Slack } from './client.ts'
import type { Mention } from './mentions.ts'
import type { Origin } from './origin.ts'

/** Ways for a listener to answer the person who typed or pressed. */
export type Reply = {
  /** To the caller alone. */
  privately(view: View | string): Promise<void>
  /** To the channel where it is one of ours, else to the caller alone. */
  openly(view: View): Promise<void>
}

/** Bolt's `respond`, as far as it is used here. */
type Respond = (
  message: { response_type: 'ephemeral' | 'in_channel'; replace_original: boolean } & ReplyContent,
) => Promise<unknown>

export type Replies = {
  /** By the `response_url` of a request, and another way where that does not work (five uses in half an hour). */
  to(respond: Respond, channel: string, caller: Caller, isOurs: boolean): Reply
  /**
   * Edits the message whose button was pressed. Where that cannot be done (a `response_url` works for half an hour, and
   * nothing else edits what one person alone sees), the caller gets it in private.
   */
  editing(respond: Respond, channel: string, caller: Caller, origin: Origin): (view: View) => Promise<void>
  /** In the thread of a message that mentions us; what is for the caller alone beside it, unless the thread is there. */
  inThread(mention: Omit<Mention, 'typed'>, isOurs: boolean): Reply
  /**
   * To the caller alone, where there is no `response_url`.
   * @param direct as a message of its own: `channel` is the caller
   */
  whispering(channel: string, caller: Caller, direct?: boolean): Reply
}

/** Slack's codes where nothing can be shown in a channel: https://docs.slack.dev/reference/methods/chat.postEphemeral#errors */
const notThere: readonly string[] = [
  'not_in_channel',
  'channel_not_found',
  'user_not_in_channel',
  'is_archived',
]

/** Deadline of a call to a `response_url`; Bolt's respond() would wait for ever. */
const answerWithinMs = 3000

export function createReplies({ slack, log }: { readonly slack: Slack; readonly log: Log }): Replies {
  async function whisper(channel: string, caller: Caller, view: View | string, threadTs?: string) {
    try {
      await slack.call((client) =>
        client.chat.postEphemeral({
          channel,
          user: caller.userId,
          ...content(view),
          ...(threadTs !== undefined && { thread_ts: threadTs }),
        }),
      )
    } catch (error) {
      if (!(error instanceof SlackError) || !notThere.includes(error.code)) throw error
      // They typed or pressed where we are no member: only a message of its own reaches them.
      await slack.post(caller.userId, null, { blocks: [], ...content(view) }, randomUUID())
    }
  }
  const otherwise = async (error: unknown, run: () => Promise<unknown>) => {
    log.info({ err: error }, 'a response_url did not work, so the answer goes another way')
    await run()
  }

  const inTime = (answered: Promise<unknown>) =>
    Promise.race([
      answered,
      pause(answerWithinMs, undefined, { ref: false }).then(() =>
        Promise.reject(new Error('no reply in time')),
      ),
    ])

  return {
    editing(respond, channel, caller, { isPrivate, ts }) {
      return async (view) => {
        const response_type = isPrivate ? 'ephemeral' : 'in_channel'
        await inTime(respond({ response_type, replace_original: true, ...content(view) })).catch(
          (error: unknown) =>
            otherwise(error, async () => {
              if (ts === null) return whisper(channel, caller, view)
              await slack
                .update(channel, ts, view)
                .catch((error: unknown) => otherwise(error, () => whisper(channel, caller, view)))
            }),
        )
      }
    },
    to(respond, channel, caller, isOurs) {
      const answer = (responseType: 'ephemeral' | 'in_channel', view: View | string) =>
        inTime(respond({ response_type: responseType, replace_original: false, ...content(view) }))
      const privately = async (view: View | string) => {
        await answer('ephemeral', view).catch((error: unknown) =>
          otherwise(error, () => whisper(channel, caller, view)),
        )
      }
      const openly = async (view: View) => {
        if (!isOurs) return privately(view)
        await answer('in_channel', view).catch((error: unknown) =>
          otherwise(error, () => slack.post(channel, null, view, randomUUID())),
        )
      }
      return { privately, openly }
    },
    inThread({ channel, caller, threadTs, inThread }, isOurs) {
      const privately = (view: View | string) =>
        whisper(channel, caller, view, inThread ? threadTs : undefined)
      const openly = async (view: View) => {
        if (isOurs) await slack.post(channel, threadTs, view, randomUUID())
        else await privately(view)
      }
      return { privately, openly }
    },
    whispering(channel, caller, direct = false) {
      const privately = async (view: View | string) => {
        if (direct) await slack.post(channel, null, { blocks: [], ...content(view) }, randomUUID())
        else await whisper(channel, caller, view)
      }
      return { privately, openly: privately }
    },
  }
}

type ReplyContent = { readonly text: string; readonly blocks?: Block[] }

const content = (view: View | string): ReplyContent =>
  typeof view === 'string' ? { text: view } : { text: view.text, blocks: [...view.blocks] }
