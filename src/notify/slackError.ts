/**
 * Meaning of each error code of Slack for the call that got it. A code that is not listed is `refused`.
 * https://docs.slack.dev/reference/methods/chat.postMessage#errors,
 * https://docs.slack.dev/reference/methods/chat.update#errors
 */
const codes = {
  /** Too much was sent: all calls of the kind wait equally long. */
  limited: ['ratelimited', 'rate_limited', 'message_limit_exceeded'],
  /** It passes by itself, and nothing was done. */
  notTaken: ['service_unavailable', 'request_timeout'],
  /**
   * It passes by itself, and nobody can say whether the call went through. Of its own two errors Slack says that some of
   * what was asked may have succeeded.
   */
  unanswered: ['unreachable', 'not_an_answer', 'no_ts', 'internal_error', 'fatal_error', 'http_5xx'],
  /** The message is not ours to edit any more: somebody deleted it, or an app posted it that was since replaced. */
  gone: ['message_not_found', 'cant_update_message'],
  /** Something is wrong with the token, so in every channel. */
  token: [
    ...['invalid_auth', 'not_authed', 'token_revoked', 'token_expired', 'account_inactive'],
    ...['missing_scope', 'no_permission', 'access_denied', 'org_login_required', 'team_access_not_granted'],
  ],
  /** It does not go through until somebody helps. */
  refused: [
    ...['channel_not_found', 'not_in_channel', 'is_archived', 'restricted_action', 'user_not_found'],
    ...['edit_window_closed', 'msg_too_long', 'invalid_blocks', 'http_4xx'],
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>

type SlackErrorKind = keyof typeof codes

const kinds: ReadonlyMap<string, SlackErrorKind> = new Map(
  (Object.keys(codes) as SlackErrorKind[]).flatMap((kind) => codes[kind].map((code) => [code, kind])),
)

/** Codes that need different treatment; those of HTTP go by their class. */
export const knownSlackCodes: readonly string[] = [...kinds.keys()]

/** Names a code as `knownSlackCodes` does. */
export const slackCodeClass = (code: string): string => code.replace(/^http_([45])\d\d$/, 'http_$1xx')

export const slackErrorKind = (code: string): SlackErrorKind => kinds.get(slackCodeClass(code)) ?? 'refused'

/** Decides whether Slack is out of reach with this code, or takes nothing of this app: not one channel or message alone. */
export const isSlackAway = (kind: SlackErrorKind): boolean =>
  kind === 'token' || kind === 'notTaken' || kind === 'unanswered'

const passing: readonly SlackErrorKind[] = ['limited', 'notTaken', 'unanswered']

/** Error of a call that Slack did not take. */
export class SlackError extends Error {
  /** Slack's error code (`not_in_channel`), or the code of the socket or HTTP error. */
  readonly code: string
  readonly kind: SlackErrorKind
  /** True when the same call may succeed later without anybody's help. */
  readonly retryable: boolean
  /** Pause that Slack asked for; 0 when it asked for none. */
  readonly retryAfterMs: number
  constructor(code: string, retryAfterMs = 0, cause?: unknown) {
    super(`Slack: ${code}`, { cause })
    this.name = 'SlackError'
    this.code = code
    this.kind = slackErrorKind(code)
    this.retryable = passing.includes(this.kind)
    this.retryAfterMs = retryAfterMs
  }
}
