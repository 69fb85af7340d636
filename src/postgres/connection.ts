import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { backoff } from '../backoff.ts'
import type { Log } from '../log.ts'
import { createClient, failureOf } from './client.ts'
import { type ClusterError, clusterErrorOf, clusterErrorWith } from './errors.ts'
import { type Statement, statements } from './statements.ts'

/** One connection to one server that comes back by itself. Statements run one after the other, outside transactions. */
export type Connection = {
  /** Resolves after the first attempt, whatever came of it. */
  start(): Promise<void>
  /** Returns why there is no connection now; null when there is one. */
  failure(): ClusterError | null
  /** The backend that serves us; null without a connection. */
  pid(): number | null
  /** Rows of one statement, as objects. Throws ClusterError. */
  query(statement: Statement, values: readonly unknown[]): Promise<unknown[]>
  /** Gives this connection up and makes another. */
  drop(failure: ClusterError): void
  /** Gives this connection away while nobody uses it, and tries to make another; null when it cannot be spared. */
  release(why: ClusterError): pg.Client | null
  /** Never hangs and never throws. */
  close(): Promise<void>
}

export type ConnectionOptions = {
  readonly url: string
  readonly passwordFile?: string | null
  readonly log: Log
  /** Milliseconds for making a connection, with everything that is asked at first. */
  readonly connectMs: number
  /** Milliseconds until a statement is given up with `DEADLINE`. */
  readonly deadlineMs: number
  /**
   * Meaning of a passed deadline. `drop`: nobody is home, connect again. `wait`: the server is busy in a way that it
   * cannot interrupt, and another connection would only be one more that hangs; the statement is left to end.
   */
  readonly onDeadline: 'drop' | 'wait'
  /** Server settings, beside the ones below. */
  readonly settings: Readonly<Record<string, string>>
  /** Returns why another connection goes first now: then none is opened, and it is tried again later. */
  readonly yieldTo?: () => ClusterError | null
  /** An open connection to the same server that may be taken over when the server has no slot left for a new one. */
  readonly takeOver?: (why: ClusterError) => pg.Client | null
  /** Asked on each new connection before it counts as made. */
  readonly prepare?: (query: Connection['query']) => Promise<void>
}

const settings = {
  application_name: 'pg-marshal',
  // Ours is the only statement text that is trusted with names; it qualifies them, and the path is the second bolt.
  search_path: 'pg_catalog, pg_temp',
  default_transaction_read_only: 'on',
  idle_session_timeout: '0',
  DateStyle: 'ISO',
  TimeZone: 'UTC',
  // Never worth it for statements of some milliseconds.
  jit: 'off',
}

/** Sooner at first, and not all bots at once. */
const retries = { firstMs: 250, longestMs: 5_000, jitter: true }
/** A server that ends a connection in order does it at once; else the socket goes. */
const goodbyeMs = 300

export function createConnection(options: ConnectionOptions): Connection {
  const { log, connectMs, deadlineMs } = options
  let client: pg.Client | null = null
  let failure: ClusterError | null = clusterErrorWith('CONNECTING')
  let failedAttempts = 0
  let retry: NodeJS.Timeout | undefined
  let opening: Promise<void> | null = null
  let closed = false
  let making: pg.Client | null = null
  let tail: Promise<unknown> = Promise.resolve()
  let inLine = 0

  const open = async (): Promise<void> => {
    try {
      const first = options.yieldTo?.()
      if (first) throw first
      const made = await within(connectMs, connect().then(prepare))
      if (closed) throw clusterErrorWith('CLOSED')
      client = made
      if (failedAttempts > 0) log.info({ attempts: failedAttempts }, 'connected again')
      failure = null
      failedAttempts = 0
    } catch (error) {
      if (making) discard(making)
      note(clusterErrorOf(error))
    } finally {
      making = null
    }
  }
  /** A new connection; where the server has no slot for it, one that another can spare: so no slot is ever let go. */
  const connect = async (): Promise<pg.Client> => {
    const made = createClient({
      url: options.url,
      passwordFile: options.passwordFile ?? null,
      applicationName: settings.application_name,
    })
    try {
      await follow(made).connect()
      return made
    } catch (thrown) {
      const error = clusterErrorOf(failureOf(thrown, made))
      // What was given up meanwhile takes nothing over: nobody would use it.
      const isWanted = making === made && error.code === '53300'
      const spared = isWanted ? options.takeOver?.(error) : null
      if (!spared) throw error
      discard(made)
      log.info('no slot is left for a new connection: one of our own is taken over')
      return follow(spared)
    }
  }
  const follow = (made: pg.Client): pg.Client => {
    making = made
    made.on('error', (error) => lost(made, clusterErrorOf(error)))
    made.on('end', () => lost(made, clusterErrorWith('CONNECTION_LOST')))
    return made
  }
  const prepare = async (made: pg.Client): Promise<pg.Client> => {
    const all = Object.entries({ ...settings, ...options.settings })
    await run(made, statements.sessionSettings, [all.map(([name]) => name), all.map(([, value]) => value)])
    await options.prepare?.((statement, values) => run(made, statement, values))
    return made
  }
  const attempt = (): Promise<void> => {
    opening ??= open().finally(() => {
      opening = null
    })
    return opening
  }

  const lost = (which: pg.Client, why: ClusterError) => {
    if (which !== client) return
    client = null
    discard(which)
    note(why)
  }
  /** Remembers why, and tries again. */
  const note = (why: ClusterError) => {
    if (closed) return
    if (failure?.reason !== why.reason) log.warn({ code: why.code }, why.reason)
    failure = why
    clearTimeout(retry)
    retry = setTimeout(attempt, backoff(failedAttempts++, retries))
  }

  return {
    start: attempt,
    failure: () => failure,
    pid: () => (client as { processID?: number } | null)?.processID ?? null,
    query: (statement, values) => {
      let givenUp = false
      inLine++
      const result = tail.then(() => {
        if (client === null || givenUp) throw failure ?? clusterErrorWith('DEADLINE')
        const at = client
        const answer = run(at, statement, values)
        if (options.onDeadline === 'wait') return answer
        return within(deadlineMs, answer).catch((error) => {
          const why = clusterErrorOf(error)
          if (why.code === 'DEADLINE') lost(at, why)
          throw why
        })
      })
      // Nothing of the answer: the next one in line would keep it for as long as nobody asks.
      const ended = () => {
        inLine--
      }
      tail = result.then(ended, ended)
      if (options.onDeadline === 'drop') return result
      // What still stands in line when its time is over is never sent.
      return within(deadlineMs, result).catch((error) => {
        givenUp = true
        throw clusterErrorOf(error)
      })
    },
    drop: (why) => {
      if (client !== null) lost(client, why)
    },
    release: (why) => {
      if (client === null || inLine > 0) return null
      const spared = client
      client = null
      note(why)
      return spared
    },
    close: async () => {
      closed = true
      failure = clusterErrorWith('CLOSED')
      clearTimeout(retry)
      if (making) discard(making)
      const last = client
      client = null
      if (last !== null) {
        await Promise.race([last.end().catch(() => {}), delay(goodbyeMs)])
        discard(last)
      }
      await opening
    },
  }
}

async function run(client: pg.Client, statement: Statement, values: readonly unknown[]): Promise<unknown[]> {
  try {
    const { rows } = await client.query({ ...statement, values: [...values] })
    return rows
  } catch (error) {
    throw clusterErrorOf(failureOf(error, client))
  }
}

/** Without a goodbye: it would wait for the statement that hangs. */
function discard(client: pg.Client): void {
  client.connection.stream.destroy()
}

/** Rejects with `DEADLINE` when the time is over; what comes later is dropped. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(clusterErrorWith('DEADLINE')), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
    work.catch(() => {})
  }
}
