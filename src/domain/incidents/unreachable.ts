/** Finding of a cluster that cannot be seen: nobody knows what happens there. */
export type Unreachable = {
  readonly kind: 'unreachable'
  /** SQLSTATE, code of the socket error, or a code of ours. */
  readonly code: string
  /** Reason in sentences for people, with what to check. */
  readonly reason: string
  /** Time for which nothing has been seen. */
  readonly seconds: number
  readonly last: LastSeen | null
}

/** Counts of the last look that went well; null in a finding when there was none since the start. */
export type LastSeen = {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly sessions: number
  readonly waiting: number
  readonly used: number
  readonly max: number
  readonly openIncidents: number
}

/** Obstacle between the bot and a cluster that it cannot see. */
export type Obstacle = 'full' | 'refuses' | 'login' | 'silent' | 'unusable'

const obstacles: Readonly<Record<Exclude<Obstacle, 'unusable'>, RegExp>> = {
  full: /^53300$/,
  refuses:
    /^(?:57P0[1235]|08(?!P01)...|ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|EACCES|CONNECTION_LOST|CONNECTING)$/,
  login: /^(?:28...|3D000|57P04|55000|42501|LOGIN_\w+)$/,
  silent: /^(?:DEADLINE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/,
}

/** Tells by its code what is in the way. */
export function obstacleOf({ code }: Pick<Unreachable, 'code'>): Obstacle {
  const known = Object.entries(obstacles) as [Obstacle, RegExp][]
  return known.find(([, codes]) => codes.test(code))?.[0] ?? 'unusable'
}
