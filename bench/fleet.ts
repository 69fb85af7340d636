/**
 * `npm run bench:fleet -- [CLUSTERS …]`: what one process of the bot takes that watches so many clusters (250 and 500 where none
 * is named), each with 100 sessions, every five seconds. Ten real servers stand for them: each is watched under many names, and
 * the connections of the bot itself are most of the sessions that are seen.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { createWorkspace, readManifest } from 'slack-workspace'
import { startPostgres } from 'temporary-postgres'

const sizes = process.argv.slice(2).map(Number)
const counts = sizes.length > 0 ? sizes : [250, 500]
const serverCount = 10
const sessionsEach = 100
const everyMs = 5000
const settleMs = 40_000
const measureMs = 60_000

type Measured = {
  readonly clusters: number
  readonly sessionsEach: number
  /** Share of one core, percent. */
  readonly cpuPercent: number
  /** Resident memory, MB: after a minute, and the most that there ever was. */
  readonly residentMb: number
  readonly peakMb: number
  readonly looks: number
  /** Looks that were due in that time. */
  readonly due: number
}

const main = resolve(import.meta.dirname, '../src/main.ts')
const say = (text: string) => console.log(text)

const rows: Measured[] = []
for (const clusters of counts) rows.push(await measured(clusters))
console.table(rows)
const note = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}`
say(note)
const directory = new URL('results/', import.meta.url)
await mkdir(directory, { recursive: true })
await writeFile(
  new URL('fleet.json', directory),
  `${JSON.stringify({ at: new Date().toISOString(), machine: note, rows }, null, 2)}\n`,
)
say('written to bench/results/fleet.json')

async function measured(clusters: number): Promise<Measured> {
  const perServer = Math.ceil(clusters / serverCount)
  const others = Math.max(0, sessionsEach - 2 * perServer)
  const home = await mkdtemp(join(tmpdir(), 'pg-marshal-fleet-'))
  const servers = await Promise.all(
    Array.from({ length: serverCount }, () =>
      startPostgres({
        settings: { max_connections: 2 * perServer + others + 20, shared_buffers: '16MB', autovacuum: false },
      }),
    ),
  )
  const sessions: pg.Client[] = []
  let bot: ChildProcess | null = null
  const workspace = await createWorkspace({
    manifest: await readManifest(new URL('../manifest.yml', import.meta.url)),
  })
  try {
    const urls = await Promise.all(
      servers.map((server) => server.createRole('marshal', ['pg_monitor', 'pg_signal_backend'])),
    )
    for (const server of servers)
      for (let made = 0; made < others; made++) {
        const client = new pg.Client({ connectionString: server.url, application_name: `web-${made}` })
        client.on('error', () => {})
        await client.connect()
        await client.query(`SELECT 'an order of the shop, number ${made}' AS what, repeat('x', 10) AS more`)
        sessions.push(client)
      }
    const config = join(home, 'pg-marshal.yaml')
    await writeFile(
      config,
      JSON.stringify({
        slack: { mode: 'socket', channel: 'C0INCIDENTS' },
        http: { port: 0 },
        access: { approvers: ['U0DANA'] },
        clusters: Array.from({ length: clusters }, (_, index) => ({
          name: `cluster-${index}`,
          url: urls[index % serverCount],
        })),
        watch: { every: `${everyMs}ms`, connectionsAbove: 100 },
        store: { url: `sqlite:${join(home, 'store.db')}` },
      }),
    )
    bot = spawn(process.execPath, [...nodeArguments(), main], {
      env: { PATH: process.env.PATH, ...workspace.env, LOG_LEVEL: 'info', PG_MARSHAL_CONFIG: config },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const port = await portOf(bot)
    const { pid = 0 } = bot
    say(`${clusters} clusters: ready, ${resident(pid).now} MB`)
    await pause(settleMs)
    const before = { cpu: cpuMs(pid), looks: await looks(port), at: performance.now() }
    await pause(measureMs)
    const passed = performance.now() - before.at
    const used = cpuMs(pid) - before.cpu
    const made = (await looks(port)) - before.looks
    const memory = resident(pid)
    return {
      clusters,
      sessionsEach: 2 * perServer + others,
      cpuPercent: Math.round((1000 * used) / passed) / 10,
      residentMb: memory.now,
      peakMb: memory.peak,
      looks: made,
      due: Math.round((clusters * passed) / everyMs),
    }
  } finally {
    if (bot && bot.exitCode === null) {
      bot.kill('SIGKILL')
      await once(bot, 'close')
    }
    await Promise.all(sessions.map((client) => client.end().catch(() => {})))
    await Promise.all(servers.map((server) => server.stop()))
    await workspace.close()
    await rm(home, { recursive: true, force: true })
  }
}

/** As `npm start` runs it. */
function nodeArguments(): string[] {
  const { scripts } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8'))
  return /^exec node (.*)src\/main\.ts$/.exec(scripts.start)?.[1]?.trim().split(' ').filter(Boolean) ?? []
}

async function portOf(bot: ChildProcess): Promise<number> {
  let output = ''
  const { promise, resolve } = Promise.withResolvers<number>()
  bot.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-100_000)
    const port = /"port":(\d+).*pg-marshal is ready/.exec(output)?.[1]
    if (port) resolve(Number(port))
  })
  bot.once('close', () => resolve(0))
  const port = await promise
  if (port === 0) throw new Error(`the bot ended:\n${output}`)
  return port
}

async function looks(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const found = text.matchAll(/^pg_marshal_snapshot_duration_seconds_count\{[^}]*\} (\d+)/gm)
  return [...found].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** CPU time of all threads of a process; `stat` counts in ticks of 10 ms. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

function resident(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mb = (key: string) => Math.round(Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]) / 1024)
  return { now: mb('VmRSS'), peak: mb('VmHWM') }
}
