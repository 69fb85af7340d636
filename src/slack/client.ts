import { type Logger as SlackLogger, webApi } from '@slack/bolt'
import type { Poster } from '../notify/outbox.ts'
import { SlackError } from '../notify/slackError.ts'
import type { Fetch, RefusedBlocks } from './refusedBlocks.ts'

/** Deadline of one call to Slack. */
const timeoutMs = 5000

/** The longest that we let Slack hold us back: whoever looks at a card that is older has other means by then. */
const longestHoldSeconds = 300

/**
 * Reads a Retry-After as seconds, whatever stands there: a number, a date, or nothing that makes sense, which is 0.
 * @param now milliseconds since the epoch
 */
export function retryAfterSeconds(header: string | null, now: number): number {
  const text = header?.trim() ?? ''
  const seconds = /^[+-]?[\d.]+$/.test(text) ? Number(text) : (Date.parse(text) - now) / 1000
  return seconds > 0 ? Math.min(Math.ceil(seconds), longestHoldSeconds) : 0
}

/**
 * Makes of each answer one that the SDK understands. Without a number in its Retry-After a 429 becomes an error that has
 * no code, and an hour in it would be an hour of silence; what is no answer of Slack's (a page of some proxy, `null`)
 * becomes a fault of the SDK, or a code that is a whole page.
 */
const fetchUsual =
  (now: () => number): Fetch =>
  async (url, init) => {
    const response = await fetch(url, init)
    const { status, headers } = response
    if (status === 429) {
      const seconds = retryAfterSeconds(headers.get('retry-after'), now())
      return new Response(null, { status, headers: { 'retry-after': String(seconds) } })
    }
    if (status !== 200) return response
    const body = await response.text()
    return new Response(isAnswer(body) ? body : JSON.stringify({ ok: false, error: noAnswer }), { headers })
  }

/** In place of Slack's code, where an answer is none. */
const noAnswer = 'not_an_answer'

function isAnswer(body: string): boolean {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && 'ok' in value
  } catch {
    return false
  }
}

/** Largest lead of our clock over the one by which Slack numbers its messages. */
const clockSkewMs = 60_000

/**
 * Options for every client of the Slack SDK, a new object each time (the socket-mode receiver changes the one it gets).
 * The defaults retry for half an hour and queue everything behind one 429; here a call fails soon, and who made it
 * decides: a look-up refuses, the outbox tries again.
 */
export const clientOptions = ({
  apiUrl,
  logger,
  now,
  refusedBlocks,
}: {
  readonly apiUrl: string | undefined
  readonly logger: SlackLogger
  readonly now: () => number
  /** Says in plain sections what the workspace does not know; if absent, that is refused. */
  readonly refusedBlocks?: RefusedBlocks
}): webApi.WebClientOptions => ({
  ...(apiUrl && { slackApiUrl: apiUrl }),
  logger,
  fetch: refusedBlocks ? refusedBlocks.wrap(fetchUsual(now)) : fetchUsual(now),
  timeout: timeoutMs,
  retryConfig: { retries: 0 },
  rejectRateLimitedCalls: true,
})

/** The Web API, with errors by their codes. */
export type Slack = Poster & {
  readonly client: webApi.WebClient
  /** Runs one call; throws SlackError. */
  call<T>(run: (client: webApi.WebClient) => Promise<T>): Promise<T>
  /** Returns true when the message still stands where it was posted; throws SlackError. */
  stands(channel: string, ts: string): Promise<boolean>
}

/** @param failed is called for each call that fails */
export function createSlack({
  token,
  options,
  onError = () => {},
}: {
  readonly token: string
  readonly options: webApi.WebClientOptions
  readonly onError?: (failure: SlackError) => void
}): Slack {
  const client = new webApi.WebClient(token, options)
  const call = async <T>(run: (client: webApi.WebClient) => Promise<T>): Promise<T> => {
    try {
      return await run(client)
    } catch (error) {
      const failure = slackErrorOf(error)
      onError(failure)
      throw failure
    }
  }
  const still = { unfurl_links: false, unfurl_media: false }
  return {
    client,
    call,
    async post(channel, threadTs, { text, blocks, broadcast = false }, id) {
      const { ts } = await call((client) =>
        client.chat.postMessage({
          channel,
          text,
          blocks: [...blocks],
          ...still,
          ...(threadTs &&
            (broadcast ? { thread_ts: threadTs, reply_broadcast: true } : { thread_ts: threadTs })),
          metadata: { event_type: messageEvent, event_payload: { id } },
        }),
      )
      if (!ts) throw new SlackError('no_ts')
      return ts
    },
    async find(channel, threadTs, id, since) {
      const oldest = String((since - clockSkewMs) / 1000)
      const range = { channel, include_all_metadata: true, limit: 100, oldest }
      try {
        const { messages = [] } = await call<{ messages?: Metadata[] }>((client) =>
          threadTs
            ? client.conversations.replies({ ...range, ts: threadTs })
            : client.conversations.history(range),
        )
        return messages.find(({ metadata }) => metadata?.event_payload?.id === id)?.ts ?? null
      } catch (error) {
        // Reading a channel takes channels:history, which the manifest does not ask for: rather twice than never.
        if (error instanceof SlackError && !error.retryable) return null
        throw error
      }
    },
    async update(channel, ts, { text, blocks }) {
      await call((client) => client.chat.update({ channel, ts, text, blocks: [...blocks], ...still }))
    },
    async stands(channel, ts) {
      try {
        // It takes no scope and may be asked often: https://docs.slack.dev/reference/methods/chat.getPermalink
        await call((client) => client.chat.getPermalink({ channel, message_ts: ts }))
        return true
      } catch (error) {
        if (error instanceof SlackError && error.kind === 'gone') return false
        throw error
      }
    },
  }
}

/** Marks our messages: https://docs.slack.dev/messaging/message-metadata */
const messageEvent = 'pg_marshal_message'

type Metadata = {
  readonly ts?: string
  readonly metadata?: { readonly event_payload?: { readonly id?: unknown } }
}

/** Turns an error of the Slack SDK into a SlackError, by its code. Other errors are thrown on. */
export function slackErrorOf(error: unknown): SlackError {
  if (error instanceof webApi.WebAPIRateLimitedError)
    return new SlackError('ratelimited', error.retryAfter * 1000, error)
  if (error instanceof webApi.WebAPIPlatformError) return new SlackError(error.data.error, 0, error)
  if (error instanceof webApi.WebAPIHTTPError) return new SlackError(`http_${error.statusCode}`, 0, error)
  if (error instanceof webApi.WebAPIRequestError) return new SlackError('unreachable', 0, error)
  throw error
}
