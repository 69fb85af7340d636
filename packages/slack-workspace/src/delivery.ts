import { createHmac } from 'node:crypto'
import type { Json } from './types.ts'

/** The three kinds of envelope: https://docs.slack.dev/apis/events-api/using-socket-mode */
export type EnvelopeType = 'slash_commands' | 'interactive' | 'events_api'

/**
 * Result of one payload. The errors are those that Slack shows its users:
 * `operation_timeout` (no ack in 3 s), `dispatch_failed` (nobody there), `dispatch_unknown_error` (not a 2xx).
 */
export type Delivered =
  | { readonly acked: true; readonly body: Json | string | undefined; readonly status?: number }
  | {
      readonly acked: false
      readonly error: 'operation_timeout' | 'dispatch_failed' | 'dispatch_unknown_error'
      readonly status?: number
      readonly body?: Json | string
    }

/** Outcome of one interaction, as far as Slack itself can see. */
export type Outcome = {
  /** The payload as it was delivered; absent when the client did not send anything. */
  readonly payload?: Json
  readonly delivered?: Delivered
  /** Acknowledged in time. */
  readonly acked: boolean
  /** Error that Slack showed the user in the app's place. */
  readonly complaint?: string
  /** Milliseconds until the ack or the complaint. */
  readonly ms: number
}

/** https://docs.slack.dev/authentication/verifying-requests-from-slack */
const signatureOf = (secret: string, timestamp: number, body: string): string =>
  `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`

/** Slash commands go as a flat form, interactions as one form field `payload`, events as JSON. */
const httpBodyOf = (
  type: EnvelopeType,
  payload: Json,
): { readonly body: string; readonly contentType: string } => {
  if (type === 'events_api') return { body: JSON.stringify(payload), contentType: 'application/json' }
  const fields =
    type === 'interactive'
      ? { payload: JSON.stringify(payload) }
      : Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, String(value)]))
  return { body: new URLSearchParams(fields).toString(), contentType: 'application/x-www-form-urlencoded' }
}

export type HttpTarget = { readonly url: string; readonly signingSecret: string }
export type HttpOverrides = {
  readonly signature?: string
  /** Seconds since 1970; an old one is a replay. */
  readonly timestamp?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as it is, in place of the encoded payload. */
  readonly body?: string
}

export const createHttpDelivery = (options: { readonly ackMs: number; readonly now: () => number }) => {
  const stop = new AbortController()

  const send = async (
    target: HttpTarget,
    type: EnvelopeType,
    payload: Json,
    overrides: HttpOverrides = {},
  ): Promise<Delivered> => {
    const encoded = httpBodyOf(type, payload)
    const body = overrides.body ?? encoded.body
    const timestamp = overrides.timestamp ?? Math.floor(options.now() / 1000)
    const deadline = AbortSignal.timeout(options.ackMs)
    try {
      const response = await fetch(target.url, {
        method: 'POST',
        headers: {
          'content-type': encoded.contentType,
          'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
          'x-slack-request-timestamp': String(timestamp),
          'x-slack-signature': overrides.signature ?? signatureOf(target.signingSecret, timestamp, body),
          ...overrides.headers,
        },
        body,
        signal: AbortSignal.any([deadline, stop.signal]),
      })
      const text = await response.text()
      const json = response.headers.get('content-type')?.includes('json')
      const answer = text === '' ? undefined : json ? (JSON.parse(text) as Json) : text
      if (!response.ok) {
        return {
          acked: false,
          error: 'dispatch_unknown_error',
          status: response.status,
          ...(answer ? { body: answer } : {}),
        }
      }
      return { acked: true, body: answer, status: response.status }
    } catch {
      return { acked: false, error: deadline.aborted ? 'operation_timeout' : 'dispatch_failed' }
    }
  }

  return { send, close: () => stop.abort() }
}
