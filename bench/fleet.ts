/**
 * `npm run bench:fleet -- [CLUSTERS …]`: what one process of the bot takes that watches so many clusters (250 and 500 where none
 * is named), each with 100 sessions of others, every five seconds. Ten real servers stand for them: each is watched under many
 * names, by a role for each, and hides the connections of the other ones. Half of the sessions run a statement between two looks.
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
/** Sessions of the shop on each server. */
const sessionsEach = 100
/** Percent of them that run a statement between two looks. */
const busyPercent = 50
const tickMs = 50
const everyMs = 5000
const settleMs = 40_000
const measureMs = 60_000

type Measured = {
  readonly clusters: number
  readonly sessionsEach: number
  readonly busyPercent: number
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
  const home = await mkdtemp(join(tmpdir(), 'pg-marshal-fleet-'))
  const servers = await Promise.all(
    Array.from({ length: serverCount }, () =>
      startPostgres({
        settings: {
          max_connections: 2 * perServer + sessionsEach + 20,
          shared_buffers: '16MB',
          autovacuum: false,
        },
      }),
    ),
  )
  const shops: Shop[] = []
  let bot: ChildProcess | null = null
  const workspace = await createWorkspace({
    manifest: await readManifest(new URL('../manifest.yml', import.meta.url)),
  })
  try {
    const urls: string[][] = []
    for (const server of servers) {
      await hideOthers(server.url)
      const ofServer: string[] = []
      for (let made = 0; made < perServer; made++)
        ofServer.push(await server.createRole(`marshal_${made}`, ['pg_monitor', 'pg_signal_backend']))
      urls.push(ofServer)
      shops.push(await openShop(server.url))
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
          url: urls[index % serverCount]?.[Math.floor(index / serverCount)],
        })),
        watch: { every: `${everyMs}ms`, connectionsAbove: 100 },
        store: { url: `sqlite:${join(home, 'store.db')}` },
      }),
    )
    bot = spawn(process.execPath, [main], {
      env: {
        PATH: process.env.PATH,
        ...startEnv(),
        ...workspace.env,
        LOG_LEVEL: 'info',
        PG_MARSHAL_CONFIG: config,
      },
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
      sessionsEach,
      busyPercent,
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
    await Promise.all(shops.map((shop) => shop.close()))
    await Promise.all(servers.map((server) => server.stop()))
    await workspace.close()
    await rm(home, { recursive: true, force: true })
  }
}

/** Shows each watching role no connection of another one: they would outnumber the sessions of the shop. */
async function hideOthers(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('SET allow_system_table_mods = on')
  const { rows } = await client.query(
    "SELECT pg_get_function_arguments('pg_catalog.pg_stat_get_activity(int)'::regprocedure) AS columns",
  )
  await client.query(
    'ALTER FUNCTION pg_catalog.pg_stat_get_activity(int) RENAME TO pg_stat_get_activity_of_all',
  )
  await client.query(`
    CREATE FUNCTION pg_catalog.pg_stat_get_activity(${rows[0]?.columns}) RETURNS SETOF record LANGUAGE sql STABLE AS $$
      SELECT * FROM pg_catalog.pg_stat_get_activity_of_all($1) AS a
      WHERE a.application_name <> 'pg-marshal' OR a.usesysid = current_user::regrole::oid
    $$`)
  await client.end()
}

type Shop = { close(): Promise<void> }

/** Opens the sessions of a shop, which go on with its business: mostly brief statements, and now and then a slow one. */
async function openShop(url: string): Promise<Shop> {
  const clients: pg.Client[] = []
  for (let made = 0; made < sessionsEach; made++) {
    const client = new pg.Client({ connectionString: url, application_name: `web-${made % 20}` })
    client.on('error', () => {})
    await client.connect()
    clients.push(client)
  }
  // Half of them carry their values in the statement, the others as parameters.
  const ask = (index: number) =>
    clients[index % sessionsEach]
      ?.query(
        `SELECT 'what order number ${index % 2 === 0 ? index : 0} contains' AS what, $1::int AS page FROM pg_sleep(${index % 20 === 0 ? 2 : 0})`,
        [index],
      )
      .catch(() => {})
  for (let index = 0; index < sessionsEach; index++) void ask(index)
  let asked = 0
  let due = 0
  const timer = setInterval(() => {
    due += (sessionsEach * busyPercent * tickMs) / (100 * everyMs)
    // 37 and 100 have no common divisor, so each session has its turn.
    for (; due >= 1; due--) void ask(37 * asked++)
  }, tickMs)
  return {
    async close() {
      clearInterval(timer)
      await Promise.all(clients.map((client) => client.end().catch(() => {})))
    },
  }
}

/** As `npm start` runs it. */
function startEnv(): Record<string, string> {
  const { scripts } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8'))
  return Object.fromEntries(
    [...scripts.start.matchAll(/(\w+)=(\S+) /g)].map(([, name, value]) => [name, value]),
  )
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
