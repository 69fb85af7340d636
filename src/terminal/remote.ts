import { setTimeout as pause } from 'node:timers/promises'
import type { z } from 'zod'
import { backoff } from '../backoff.ts'
import { ConfigError, type Env } from '../config/config.ts'

/** Address and token of a bot that runs elsewhere. */
export type RemoteSettings = { readonly url: URL; readonly token: string }

/** Error of the API, as it says it; `status` null: it could not be reached. */
export type RemoteProblem = {
  readonly status: number | null
  readonly code: string
  readonly message: string
}

/** API of a bot that runs elsewhere, as a script on this machine asks it. */
export type Remote = {
  /** Calls it; returns the document, or why there is none. */
  call<S extends z.ZodType>(
    path: string,
    schema: S,
    request?: { readonly body?: object; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<z.output<S> | { readonly problem: RemoteProblem }>
}

/** Longest time for one answer, beyond what was asked to wait for. Milliseconds. */
const patienceMs = 70_000

/**
 * Reads PG_MARSHAL_URL and PG_MARSHAL_TOKEN. The token never stands in an argument, which every user of the machine can read.
 * @throws ConfigError
 */
export function remoteFrom(env: Env): RemoteSettings {
  const { PG_MARSHAL_URL: address = '', PG_MARSHAL_TOKEN: token = '' } = env
  const url = URL.canParse(address) ? new URL(address) : null
  const problems = [
    ...(url && /^https?:$/.test(url.protocol) && !url.username && !url.password
      ? []
      : ['PG_MARSHAL_URL: Write the address of the bot, like http://127.0.0.1:3000.']),
    ...(/^[\x21-\x7e]+$/.test(token)
      ? []
      : ['PG_MARSHAL_TOKEN: Write the token, whose SHA-256 the bot is configured with.']),
  ]
  if (url === null || problems.length > 0) throw new ConfigError(problems, 'The bot cannot be asked:')
  return { url, token }
}

/**
 * Asks again where nobody answers, and when too many asked, until the time is over.
 * @param until by `steady`
 */
export function createRemote(deps: {
  readonly settings: RemoteSettings
  readonly steady: () => number
  readonly until: () => number
}): Remote {
  const { settings, steady, until } = deps
  return {
    async call(path, schema, { body, headers = {} } = {}) {
      for (let attempt = 0; ; attempt++) {
        const answer = await ask(path, schema, body, headers)
        if (!('problem' in answer)) return answer.document
        const { status } = answer.problem
        const waitMs =
          answer.retryAfterMs ?? backoff(attempt, { firstMs: 500, longestMs: 10_000, jitter: true })
        const passes = status === null || status === 429 || status === 502 || status === 503
        if (!passes || steady() + waitMs >= until()) return { problem: answer.problem }
        await pause(waitMs)
      }
    },
  }

  async function ask<S extends z.ZodType>(
    path: string,
    schema: S,
    body: object | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<
    | { readonly document: z.output<S> }
    | { readonly problem: RemoteProblem; readonly retryAfterMs: number | null }
  > {
    try {
      const response = await fetch(new URL(path, settings.url), {
        method: body ? 'POST' : 'GET',
        headers: {
          ...headers,
          authorization: `Bearer ${settings.token}`,
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: AbortSignal.timeout(patienceMs),
      })
      const said: unknown = await response.json().catch(() => null)
      if (response.ok) return { document: schema.parse(said) }
      const after = Number(response.headers.get('retry-after'))
      return {
        problem: { status: response.status, ...problemIn(said, response.status) },
        retryAfterMs: after > 0 ? after * 1000 : null,
      }
    } catch (error) {
      return { problem: unreachable(settings, error), retryAfterMs: null }
    }
  }
}

/** Says that nobody answers, and why. */
export function unreachable({ url }: RemoteSettings, error: unknown): RemoteProblem {
  // Of what fetch throws only the cause says anything.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const why =
    error instanceof Error && error.name === 'ZodError'
      ? 'it answers, but not as pg-marshal does'
      : cause instanceof Error && 'code' in cause
        ? String(cause.code)
        : 'no answer'
  const message = `The bot at ${url.origin} cannot be reached (${why}). Check PG_MARSHAL_URL, and that it runs.`
  return { status: null, code: 'unreachable', message }
}

/** Reads the error of the API; whatever else stands between us and it says its status alone. */
export function problemIn(said: unknown, status: number): Pick<RemoteProblem, 'code' | 'message'> {
  const error = typeof said === 'object' && said !== null && 'error' in said ? said.error : null
  return typeof error === 'object' && error !== null && 'code' in error && 'message' in error
    ? { code: String(error.code), message: String(error.message) }
    : { code: 'unexpected', message: `The bot answers with ${status}, and not as pg-marshal does.` }
}
