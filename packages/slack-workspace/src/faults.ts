import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { sendJson } from './http.ts'
import type { Json } from './types.ts'

/** Trouble on Slack's side, to order. `method` is a Web API method or `response_url`; absent means every call. */
export type Fault = {
  readonly method?: string
  /** Number of calls that it meets; 1 if absent. */
  readonly times?: number
} & (
  | { readonly kind: 'rateLimited' /** Seconds; 1 if absent. */; readonly retryAfter?: number }
  | { readonly kind: 'error500' }
  /** Never answers; the connection stays open until the fault is taken away, or `close()`. */
  | { readonly kind: 'hang' }
  /** Does what was asked, then drops the connection without a word. */
  | { readonly kind: 'replyLost' }
  /** `{ok: false, error}`: `token_revoked`, `fatal_error`, … */
  | { readonly kind: 'refuse'; readonly error: string }
  /** Answers after so many milliseconds. */
  | { readonly kind: 'slow'; readonly ms: number }
)

export type Answer = {
  readonly status: number
  readonly body: Json
  readonly headers?: Readonly<Record<string, string>>
}

type Call = {
  readonly method: string
  readonly response: ServerResponse
  /** Headers of every answer to it. */
  readonly headers?: Readonly<Record<string, string>>
}

export const createFaults = () => {
  let waiting: { fault: Fault; left: number }[] = []
  const held = new Map<string, Fault>()
  const hanging = new Map<ServerResponse, Fault>()

  /** The fault that meets this call, used up by one. */
  const take = (method: string): Fault | undefined => {
    const entry = waiting.find(({ fault }) => fault.method === undefined || fault.method === method)
    if (!entry)
      return [...held.values()].find((fault) => fault.method === undefined || fault.method === method)
    entry.left -= 1
    if (entry.left <= 0) waiting = waiting.filter((other) => other !== entry)
    return entry.fault
  }

  /** Answers one call, as well as the faults allow. `log` hears of every call, also of those without an answer. */
  const respond = async (
    { method, response, headers = {} }: Call,
    run: () => Answer,
    log: (answer?: Json) => void,
  ): Promise<void> => {
    const reply = (answer: Answer, more: Readonly<Record<string, string>> = {}) => {
      const { status, body } = answer
      log(body)
      sendJson(response, status, body, { ...headers, ...answer.headers, ...more })
    }
    const fault = take(method)
    switch (fault?.kind) {
      case 'rateLimited': {
        const retryAfter = { 'retry-after': String(fault.retryAfter ?? 1) }
        return reply({ status: 429, body: { ok: false, error: 'ratelimited' } }, retryAfter)
      }
      case 'error500':
        return reply({ status: 500, body: { ok: false, error: 'internal_error' } })
      case 'refuse':
        return reply({ status: 200, body: { ok: false, error: fault.error } })
      case 'hang':
        log()
        hanging.set(response, fault)
        response.once('close', () => hanging.delete(response))
        return
      case 'replyLost':
        log(run().body)
        response.destroy()
        return
      case 'slow':
        await delay(fault.ms, undefined, { ref: false })
    }
    reply(run())
  }

  return {
    add: (fault: Fault) => {
      waiting.push({ fault, left: fault.times ?? 1 })
    },
    /** Meets every call from now on; `null` takes the one of this name away. */
    hold: (name: string, fault: Fault | null) => {
      const before = held.get(name)
      held.delete(name)
      if (fault) held.set(name, fault)
      for (const [response, by] of hanging) if (by === before) response.destroy()
    },
    respond,
    list: (): readonly Fault[] => waiting.map(({ fault, left }) => ({ ...fault, times: left })),
    clear: () => {
      waiting = []
      held.clear()
      for (const response of hanging.keys()) response.destroy()
      hanging.clear()
    },
  }
}

export type Faults = ReturnType<typeof createFaults>
