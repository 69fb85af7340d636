/** Why Slack did not take a message. Decided from Slack's error codes where the client is. */
export class SlackError extends Error {
  /** Slack's error code (`not_in_channel`), or the code of the socket or HTTP error. */
  readonly code: string
  /** Whether the same call may go through later without anybody's help. */
  readonly retryable: boolean
  /** What Slack asked us to wait, 0 where it did not. */
  readonly retryAfterMs: number
  constructor(code: string, retryable: boolean, retryAfterMs: number, cause?: unknown) {
    super(`Slack: ${code}`, { cause })
    this.name = 'SlackError'
    this.code = code
    this.retryable = retryable
    this.retryAfterMs = retryAfterMs
  }
}
