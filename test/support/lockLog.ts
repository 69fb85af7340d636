import type { TestServer } from './postgres.ts'

/** A wait that another than the bot saw: by the server's own begin. Milliseconds since the epoch, by the server's clock. */
export type SeenWait = { readonly pid: number; readonly from: number; to: number }

/** Recorder of all waits for locks, beside the bot and much more often. */
export type WaitRecorder = { stop(): Promise<SeenWait[]> }

/** Looks at pg_locks as quickly as the server answers. A wait is one statement's. */
export async function recordWaits(server: TestServer): Promise<WaitRecorder> {
  const session = await server.open('test-recorder')
  const waits = new Map<string, SeenWait>()
  let goesOn = true
  const running = (async () => {
    while (goesOn) {
      const { rows } = await session.query(`
        SELECT pid, query_start::text AS statement,
               extract(epoch FROM min(waitstart)) * 1000 AS since, extract(epoch FROM clock_timestamp()) * 1000 AS now
          FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE NOT granted AND waitstart IS NOT NULL
         GROUP BY pid, query_start`)
      for (const { pid, statement, since, now } of rows) {
        const key = `${pid} ${statement}`
        const known = waits.get(key)
        if (known) known.to = Number(now)
        else waits.set(key, { pid, from: Number(since), to: Number(now) })
      }
    }
  })()
  return {
    async stop() {
      goesOn = false
      await running
      return [...waits.values()]
    },
  }
}

/** Settings with which a server writes each wait down. */
export const lockLogSettings = {
  logging_collector: 'on',
  log_destination: 'jsonlog',
  log_lock_waits: 'on',
  deadlock_timeout: '100ms',
  lc_messages: 'C',
}

/** Adds up how long each process waited before it got its locks, by the server's log. Milliseconds. */
export async function waitsInLog(server: TestServer): Promise<Map<number, number>> {
  const { rows } = await server.admin.query("SELECT pg_read_file(pg_current_logfile('jsonlog')) AS log")
  const waited = new Map<number, number>()
  for (const line of String(rows[0].log).split('\n')) {
    const [, pid, ms] = /process (\d+) acquired .* after ([\d.]+) ms/.exec(line) ?? []
    if (pid !== undefined) waited.set(Number(pid), (waited.get(Number(pid)) ?? 0) + Number(ms))
  }
  return waited
}
