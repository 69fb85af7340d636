import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startApp } from '../app.ts'
import { parseConfig, requireSlack } from '../config.ts'
import { createLog } from '../log.ts'
import { startPostgres } from './postgres.ts'
import { makeTrouble } from './trouble.ts'
import { createWorkspace } from './workspace/index.ts'

/** As in a real set-up, but impatient: what takes minutes there shows up in seconds here. */
const configuration = `
slack: { mode: socket, channel: C0INCIDENTS }
http: { port: 0 }
access: { viewers: everyone, requesters: everyone, approvers: [U0DANA, S0DBAONCALL] }
clusters:
  - { name: orders, url: "\${ORDERS_DATABASE_URL}" }
watch: { every: 1s, blockedFor: 3s, queryLongerThan: 10s, idleInTransactionLongerThan: 8s, idleLongerThan: 30m }
store: { url: "sqlite:\${STORE_PATH}" }
`

const closers: (() => Promise<unknown>)[] = []

/** Ends everything, last in, first out; a second signal ends it at once. */
let closing: Promise<void> | undefined
const close = (): Promise<void> => {
  closing ??= (async () => {
    for (const end of closers.reverse())
      await end().catch((error: unknown) => process.stderr.write(`${error}\n`))
  })()
  return closing
}

const say = (line: string) => process.stdout.write(`${line}\n`)

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    say('\nEnding everything that was started …')
    void close().then(() => process.exit(0))
  })

try {
  say('Starting PostgreSQL (from npm, in a temporary directory) …')
  const postgres = await startPostgres()
  closers.push(postgres.stop)
  const marshalUrl = await postgres.createRole('marshal', ['pg_monitor', 'pg_signal_backend'])
  const shopUrl = await postgres.createRole('shop')
  await createDatabase(postgres.url, 'orders', 'shop')

  say('Making trouble in it …')
  const trouble = await makeTrouble(inDatabase(shopUrl, 'orders'))
  closers.push(trouble.stop)

  say('Opening a Slack workspace …')
  const workspace = await createWorkspace()
  closers.push(workspace.close)

  say('Starting pg-marshal in it …')
  const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-demo-'))
  closers.push(() => rm(directory, { recursive: true, force: true }))
  const env = {
    ...workspace.env,
    ORDERS_DATABASE_URL: inDatabase(marshalUrl, 'orders'),
    STORE_PATH: join(directory, 'store.db'),
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
  }
  const config = parseConfig(configuration, env)
  const app = await startApp({
    config,
    slack: requireSlack(config, env),
    log: createLog({ level: config.logLevel }),
  })
  closers.push(app.stop)

  say(`
  Open   ${workspace.url}

  In a few seconds the first cards stand in #incidents. Type /pg sessions, or /pg help.
  Dana and Devi may approve; Riley may only ask; Gale is a guest. Ctrl-C ends everything.
`)
} catch (error) {
  process.stderr.write(`The demo did not start: ${error instanceof Error ? error.message : String(error)}\n`)
  await close()
  process.exitCode = 1
}

async function createDatabase(url: string, name: string, owner: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)} OWNER ${pg.escapeIdentifier(owner)}`)
  await client.end()
}

function inDatabase(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}
