import { createHash } from 'node:crypto'
import type { RunningApp } from '../../src/app.ts'

/** Rights of a token in the configuration. */
export type Rights = { readonly may: readonly ('look' | 'propose')[]; readonly clusters?: readonly string[] }

/** Makes the entry of a program in the configuration; its token is `secret-of-NAME`. */
export const tokenOf = (name: string, rights: Rights = { may: ['look', 'propose'] }) => ({
  name,
  sha256: createHash('sha256').update(secretOf(name)).digest('hex'),
  ...rights,
})

export const secretOf = (name: string): string => `secret-of-${name}`

export type Reply = {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
  /** Length of the body, in characters. */
  readonly length: number
}

export type Call = {
  /** Name of the program; null: without a token. */
  readonly as?: string | null
  readonly method?: string
  /** Sent as JSON; a text as it is. */
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/** Calls the API of a bot as a program does. */
export const callerOf =
  ({ port }: Pick<RunningApp, 'port'>) =>
  async (path: string, { as = 'deploybot', method, body, headers }: Call = {}): Promise<Reply> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(as === null ? {} : { authorization: `Bearer ${secretOf(as)}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text ? JSON.parse(text) : text,
      length: text.length,
    }
  }
