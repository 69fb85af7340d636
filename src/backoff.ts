/** Milliseconds. */
export type Backoff = {
  readonly firstMs: number
  readonly longestMs: number
  /** Takes up to half of it away at random, so that many do not come back at the same moment. */
  readonly jitter?: boolean
}

/**
 * Computes how long to wait before the next attempt: twice as long each time, up to a limit.
 * @param attempt how many waits there were before: 0 for the first
 * @returns milliseconds
 */
export function backoff(attempt: number, { firstMs, longestMs, jitter = false }: Backoff): number {
  const wait = Math.min(longestMs, firstMs * 2 ** attempt)
  return jitter ? wait * (0.5 + Math.random() / 2) : wait
}
