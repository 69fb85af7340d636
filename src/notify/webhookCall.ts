import { createHmac } from 'node:crypto'

/** Reply of a receiver: an HTTP status, or the code of what kept us from hearing one. */
export type WebhookReply =
  | { readonly status: number; readonly retryAfter: string | null }
  | { readonly code: string }

/** Fate of a delivery. `askedMs`: the pause that the receiver asked for. */
export type DeliveryFate =
  | { readonly kind: 'taken' }
  | { readonly kind: 'again'; readonly code: string; readonly askedMs: number }
  | { readonly kind: 'givenUp'; readonly code: string }

/** A receiver asks for no longer patience. */
export const longestPauseMs = 600_000
/** Age at which a delivery that nobody took is no news any more. */
const givenUpAfterMs = 86_400_000

/**
 * Decides by the status alone: 2xx is taken; 4xx is refused, but for 408 and 429; all else is tried again, for a day.
 * @param ageMs how long it has waited
 */
export function fateOf(
  reply: WebhookReply,
  { ageMs, now }: { readonly ageMs: number; readonly now: number },
): DeliveryFate {
  const code = 'status' in reply ? `HTTP ${reply.status}` : reply.code
  if ('status' in reply) {
    const { status } = reply
    if (status >= 200 && status < 300) return { kind: 'taken' }
    if (status >= 400 && status < 500 && status !== 408 && status !== 429) return { kind: 'givenUp', code }
  }
  if (ageMs >= givenUpAfterMs) return { kind: 'givenUp', code }
  const asked = 'status' in reply ? retryAfterMs(reply.retryAfter, now) : 0
  return { kind: 'again', code, askedMs: asked }
}

/** Reads `Retry-After`, in seconds or as a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfterMs(header: string | null, now: number): number {
  const text = header?.trim() ?? ''
  const asked = /^\d+$/.test(text) ? Number(text) * 1000 : /^[A-Z]/i.test(text) ? Date.parse(text) - now : 0
  return Number.isNaN(asked) ? 0 : Math.min(longestPauseMs, Math.max(0, asked))
}

/** Signs a body as Slack does: https://docs.slack.dev/authentication/verifying-requests-from-slack */
export const signatureOf = (secret: string, timestamp: number, body: string): string =>
  `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`

/** Posts one body. Never throws: what went wrong is reported by its code, without the address. */
export async function post(
  url: string,
  {
    headers,
    body,
    stopping,
    timeoutMs,
  }: {
    readonly headers: Record<string, string>
    readonly body: string
    readonly stopping: AbortSignal
    /** For the connection and the headers of the reply. */
    readonly timeoutMs: number
  },
): Promise<WebhookReply> {
  const deadline = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'pg-marshal', ...headers },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([stopping, deadline]),
    })
    // What it says is not read: it may be long, or never end.
    await response.body?.cancel().catch(() => {})
    return { status: response.status, retryAfter: response.headers.get('retry-after') }
  } catch (error) {
    if (deadline.aborted) return { code: 'no reply in time' }
    return { code: codeOf(error) }
  }
}

/** Finds the code of what failed: `fetch` hides it in the cause. */
function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause)
    if ('code' in at && typeof at.code === 'string') return at.code
  return 'no connection'
}
