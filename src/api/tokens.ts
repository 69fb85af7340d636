import { createHash, timingSafeEqual } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { ApiToken, TokenRight } from '../config/api.ts'
import { type OperationName, operations } from './operations.ts'
import { ApiError } from './problem.ts'

/**
 * Calls that a token may make, each second or minute: a program that goes round in a circle must not become the load.
 * `message` is for those of MCP, of which clients send several before the first look. They cost no server anything.
 */
const limits = {
  look: { points: 5, duration: 1 },
  propose: { points: 10, duration: 60 },
  message: { points: 20, duration: 1 },
} as const satisfies Record<TokenRight | 'message', object>

export type AllowanceName = keyof typeof limits

/** Allowance of a token, after this call: calls in all, calls left, seconds until all are there again. */
export type Allowance = { readonly limit: number; readonly remaining: number; readonly resetSeconds: number }

/** Decides who is let in, and what they may. */
export type Tokens = {
  /** True where no program is let in at all: then there is no API. */
  none(): boolean
  /** Finds the token of an Authorization header. Throws 401. */
  let(header: string | undefined): ApiToken
  /** Finds the token as the configuration has it now. Throws 401 where it has taken it back, or changed it. */
  still(token: ApiToken): ApiToken
  /** Takes a call off the allowance of this replica. Throws 429 where nothing is left. */
  spend(token: ApiToken, allowance: AllowanceName): Promise<Allowance>
  /** Throws 403 where the token does not have the right. */
  demandRight(token: ApiToken, operation: OperationName): void
  /** Throws 403 where the token is limited to other clusters. */
  demandCluster(token: ApiToken, cluster: string): void
}

/** @param tokens those of the configuration that holds now */
export function createTokens(tokens: () => readonly ApiToken[]): Tokens {
  const spent = {
    look: new RateLimiterMemory(limits.look),
    propose: new RateLimiterMemory(limits.propose),
    message: new RateLimiterMemory(limits.message),
  }
  return {
    none: () => tokens().length === 0,
    let(header) {
      const [, given] = /^Bearer +([\x21-\x7e]+)$/i.exec(header ?? '') ?? []
      // What is compared has the same length always, and says nothing of the token.
      const digest = createHash('sha256')
        .update(given ?? '')
        .digest()
      const found = tokens().filter(({ sha256 }) => timingSafeEqual(Buffer.from(sha256, 'hex'), digest))
      if (given === undefined || !found[0]) throw unknownToken()
      return found[0]
    },
    still({ name, sha256 }) {
      const found = tokens().find((one) => one.name === name && one.sha256 === sha256)
      if (!found) throw unknownToken()
      return found
    },
    async spend({ name }, allowance) {
      const { points: limit, duration } = limits[allowance]
      // By a clock that somebody may set: it never takes longer than that.
      const secondsOf = (ms: number) => Math.min(Math.max(Math.ceil(ms / 1000), 1), duration)
      try {
        const { remainingPoints, msBeforeNext } = await spent[allowance].consume(name)
        return { limit, remaining: remainingPoints, resetSeconds: secondsOf(msBeforeNext) }
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error
        throw new TooManyCalls({ limit, remaining: 0, resetSeconds: secondsOf(error.msBeforeNext) })
      }
    },
    demandRight({ name, may }, operation) {
      const { needs } = operations[operation]
      if (needs === null || may.includes(needs)) return
      throw new ApiError(
        403,
        'notAllowed',
        `The token ${name} may not ${needs}: it may ${may.join(' and ')}.`,
      )
    },
    demandCluster({ name, clusters }, cluster) {
      if (clusters === null || clusters.includes(cluster)) return
      throw new ApiError(403, 'notAllowed', `The token ${name} is limited to: ${clusters.join(', ')}.`)
    },
  }
}

/** A call too many. `allowance` says when the next one is let through. */
export class TooManyCalls extends ApiError {
  readonly allowance: Allowance

  constructor(allowance: Allowance) {
    super(
      429,
      'tooMany',
      `Too many calls: ${allowance.limit} are let through. Ask again in ${allowance.resetSeconds} s.`,
    )
    this.allowance = allowance
  }
}

const unknownToken = () =>
  new ApiError(401, 'unauthorized', 'Send a token that is configured: `Authorization: Bearer TOKEN`.')
