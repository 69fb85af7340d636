import pg from 'pg'

/** One connection of the make-believe company. */
export type Actor = {
  readonly name: string
  /** The backend that serves it; null once the connection has ended. */
  pid(): number | null
  /** Runs a statement. Rejects as the server says, also when the statement is cancelled or the session terminated. */
  run(sql: string, values?: readonly unknown[]): Promise<pg.QueryResult>
  /** Starts a statement that will wait, or run long: how it ends does not matter. */
  leave(sql: string, values?: readonly unknown[]): void
  /** Seconds of work that would be lost if it were ended now: of the open transaction, or of the statement that runs. */
  work(): number
  /**
   * Takes note of how long the actor has been waiting for a lock, in seconds; null: it does not. To wait is no work.
   * Who was seen waiting is taken to wait until it is seen otherwise.
   */
  sawWaiting(seconds: number | null): void
  /** Resolves when the connection has ended, for whatever reason. */
  readonly ended: Promise<void>
  /** Ends the connection without a goodbye: it would wait for the statement that waits. */
  drop(): void
}

/** Somebody ended what an actor did. */
export type Loss = {
  readonly name: string
  readonly how: 'cancelled' | 'terminated'
  /** Seconds of work, without the time that it waited for locks. */
  readonly seconds: number
}

/** By somebody, or by the replay of a standby whose patience is over. */
const cancelled = new Set(['57014', '40001'])
/** An SQLSTATE of a server that goes on serving this session. */
const isRefusal = (code: string) => /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('57P')

/** @param onLoss hears when a statement is cancelled or the session ended by somebody else */
export async function createActor(
  name: string,
  url: string,
  onLoss: (loss: Loss) => void,
  now: () => number = Date.now,
): Promise<Actor> {
  const client = new pg.Client({
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: 10_000,
  })
  // To be terminated is what these sessions are for.
  client.on('error', () => {})
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  try {
    await client.connect()
  } catch (error) {
    client.connection.stream.destroy()
    throw error
  }

  let isEnded = false
  let dropped = false
  let inTransaction = false
  /** Milliseconds of work of the transaction that is open, without the statement that runs. */
  let done = 0
  let since: number | null = null
  /** Milliseconds of waiting that are over, and since when it waits now. */
  let waited = 0
  let waitsSince: number | null = null
  const waiting = () => waited + (waitsSince === null ? 0 : now() - waitsSince)
  const running = () => (since === null ? 0 : Math.max(0, now() - since - waiting()))
  const work = () => (done + running()) / 1000
  const rest = () => {
    since = null
    waited = 0
    waitsSince = null
  }
  const forget = () => {
    done = 0
    rest()
  }
  void ended.then(() => {
    isEnded = true
    if (!dropped) onLoss({ name, how: 'terminated', seconds: work() })
    forget()
  })

  const run = async (sql: string, values: readonly unknown[] = []) => {
    rest()
    since = now()
    try {
      const result = await client.query(sql, [...values])
      done += running()
      if (/^begin/i.test(sql)) inTransaction = true
      if (/^(commit|rollback|prepare transaction)/i.test(sql)) inTransaction = false
      if (!inTransaction) forget()
      return result
    } catch (error) {
      const { code = '' } = error as { code?: string }
      if (cancelled.has(code) && !dropped) onLoss({ name, how: 'cancelled', seconds: work() })
      // What failed rolls its transaction back; but when the session ends, `ended` says what was lost.
      if (isRefusal(code)) forget()
      else done += running()
      throw error
    } finally {
      rest()
    }
  }

  return {
    name,
    pid: () => (isEnded ? null : ((client as { processID?: number | null }).processID ?? null)),
    run,
    leave: (sql, values) => void run(sql, values).catch(() => {}),
    work,
    sawWaiting: (seconds) => {
      if (seconds === null) waited = waiting()
      waitsSince = seconds === null ? null : now() - seconds * 1000
    },
    ended,
    drop: () => {
      dropped = true
      client.connection.stream.destroy()
    },
  }
}
