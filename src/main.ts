import { once } from 'node:events'
import { parseArgs } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }
import { type RunningApp, startApp } from './app.ts'
import { ConfigError, loadConfig, requireSlack } from './config/config.ts'
import { createLog } from './log.ts'
import { SlackError } from './notify/slackError.ts'
import { startPatiently } from './patience.ts'
import { StoreError } from './store/failure.ts'
import { advise } from './terminal/advise.ts'
import { auditExport, auditVerify, parseHead, parseMoment } from './terminal/audit.ts'
import { check, misuseOf } from './terminal/check.ts'
import { doctor } from './terminal/doctor.ts'
import { enroll } from './terminal/enroll.ts'
import { historyAt } from './terminal/historyAt.ts'
import { askOnTerminal, hostSessions, hostSignal } from './terminal/host.ts'
import { look } from './terminal/look.ts'
import { report, reportFormats } from './terminal/report.ts'
import { storeCopy } from './terminal/storeCopy.ts'
import { waits } from './terminal/waits.ts'

const usage = `pg-marshal: a Slack bot for people on call for PostgreSQL

  node src/main.ts                      the service (also: serve)
  node src/main.ts sessions  [--cluster NAME] [--json]   what /pg sessions would show
  node src/main.ts blocking  [--cluster NAME] [--json]   who blocks whom
  node src/main.ts waits  [--since 1h] [--app WEB] [--user NAME] [--db NAME] [--cluster NAME] [--json]   what sessions waited for
  node src/main.ts history at TIME [--cluster NAME] [--json]   who blocked whom then, as "14:05", "yesterday 23:10", "20 min ago" or 2026-03-01T14:05
  node src/main.ts advise [--since 7d] [--cluster NAME] [--json]   settings that would have prevented the trouble
  node src/main.ts report [INCIDENT] [--format md|html|json] [--cluster NAME]   an incident as one would write it up; the newest one
  node src/main.ts check [--cluster NAME] [--blocked-for 60s] …  a probe for Nagios and the like; check --help
  node src/main.ts doctor               what is missing, in Slack and in each cluster, and how to grant it
  node src/main.ts audit verify [--head HASH]            whether the journal is as it was written; HASH, or its first 16 digits, from the channel
  node src/main.ts audit export [--from TIME] [--to TIME]  the journal as JSON Lines; TIME like 2026-03-01 or 2026-03-01T03:00:00Z
  node src/main.ts store copy FROM TO   moves a store: addresses like sqlite:./data/pg-marshal.db and postgres://user@host/database
  node src/main.ts enroll U0DANA        a QR code for the authenticator app of this person, where approvals take a code
  node src/main.ts enroll --list        who is enrolled; --remove U0DANA takes somebody off
  node src/main.ts host sessions [--cluster NAME] [--json]  processes of a server on this machine (host: local), where nothing else answers
  node src/main.ts host cancel|terminate PID [--cluster NAME]  the last resort: you type what is to be done
  node src/main.ts --version            the versions of pg-marshal and of Node

Settings come from pg-marshal.yaml (PG_MARSHAL_CONFIG names another) and the environment; secrets may stand in a file:
node --env-file=.env src/main.ts doctor

Exit code: 0 well, 1 something is wrong that was looked for, 2 it could not be done, and a message says why. check has its own.
All settings: docs/setup.md
`

/** 0: well. 1: something is wrong that was looked for. 2: it could not be done, and the message says why. `check` has its own. */
type ExitCode = 0 | 1 | 2 | 3

const sessionNames = ['db', 'user', 'app'] as const

/** Options of each command. Any other is refused, because it would be ignored silently. */
const optionsOf: Readonly<Record<string, readonly string[]>> = {
  serve: [],
  sessions: ['cluster', 'json'],
  blocking: ['cluster', 'json'],
  waits: ['since', ...sessionNames, 'cluster', 'json'],
  'history at': ['cluster', 'json'],
  advise: ['cluster', 'json', 'since'],
  report: ['cluster', 'format'],
  doctor: [],
  enroll: ['list', 'remove'],
  'audit verify': ['head'],
  'audit export': ['from', 'to'],
  'store copy': [],
  'host sessions': ['cluster', 'json'],
  'host cancel': ['cluster'],
  'host terminate': ['cluster'],
}

async function main(args: readonly string[]): Promise<ExitCode> {
  // Monitoring understands one line and its own exit codes, whatever is wrong.
  if (args[0] === 'check')
    return check(args.slice(1), () => loadConfig({ env: process.env }), process.stdout, Date.now)
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      cluster: { type: 'string' },
      json: { type: 'boolean' },
      since: { type: 'string' },
      db: { type: 'string' },
      user: { type: 'string' },
      app: { type: 'string' },
      format: { type: 'string' },
      head: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      list: { type: 'boolean' },
      remove: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
    },
  })
  if (values.version) {
    process.stdout.write(`pg-marshal ${packageJson.version} (Node ${process.versions.node})\n`)
    return 0
  }
  const [command = 'serve', ...rest] = positionals
  if (values.help || command === 'help') {
    process.stdout.write(usage)
    return 0
  }
  const asked = ['audit', 'store', 'host', 'history'].includes(command) ? `${command} ${rest[0]}` : command
  const known = Object.hasOwn(optionsOf, asked) ? optionsOf[asked] : undefined
  const [alien] = Object.keys(values).filter((name) => known && !known.includes(name))
  if (alien) return misused(`"${asked}" takes no --${alien}.`)
  if (command === 'audit') return audit(rest, values)
  if (command === 'store') {
    const [what, from, to, ...more] = rest
    if (what !== 'copy' || from === undefined || to === undefined || more.length > 0)
      return misused('Write "store copy FROM TO", with two addresses as store.url has them.')
    return storeCopy({ from, to, out: process.stdout, err: process.stderr })
  }
  if (command === 'host') return host(rest, values)
  if (command === 'enroll') {
    const { list = false, remove = null } = values
    const asked = [...rest, ...(remove === null ? [] : [remove])]
    if (asked.length !== (list ? 0 : 1) || (remove !== null && list))
      return misused('Write "enroll U0DANA", "enroll --list" or "enroll --remove U0DANA".')
    return enroll({
      what: list ? 'list' : remove === null ? 'add' : 'remove',
      userId: asked[0] ?? '',
      config: loadConfig({ env: process.env }),
      out: process.stdout,
      err: process.stderr,
      now: Date.now,
    })
  }
  if (command === 'history') {
    const [what, ...time] = rest
    if (what !== 'at' || time.length === 0)
      return misused('Write "history at TIME", with a time that is over, like "history at 14:05".')
    return historyAt({
      time: time.join(' '),
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      name: values.cluster ?? null,
      json: values.json ?? false,
      config: loadConfig({ env: process.env }),
      out: process.stdout,
      err: process.stderr,
      now: Date.now,
    })
  }
  if (command === 'report') {
    const format = reportFormats.find((one) => one === (values.format ?? 'md'))
    if (rest.length > 1 || format === undefined)
      return misused(
        'Write "report INCIDENT --format html", with the id of one incident, and md, html or json.',
      )
    return report({
      named: rest[0]?.toLowerCase() ?? null,
      cluster: values.cluster,
      format,
      config: loadConfig({ env: process.env }),
      env: process.env,
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      out: process.stdout,
      err: process.stderr,
      now: Date.now,
    })
  }
  if (rest.length > 0) return misused(`I do not know what to do with "${rest[0]}".`)
  switch (command) {
    case 'serve':
      return serve()
    case 'sessions':
    case 'blocking':
      return look({
        what: command,
        name: values.cluster ?? null,
        json: values.json ?? false,
        config: loadConfig({ env: process.env }),
        out: process.stdout,
        err: process.stderr,
        now: Date.now,
      })
    case 'waits':
      return waits({
        options: new Map(
          (['since', ...sessionNames] as const).flatMap((option) => {
            const value = values[option]
            return value === undefined ? [] : [[option, value] as const]
          }),
        ),
        timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        name: values.cluster ?? null,
        json: values.json ?? false,
        config: loadConfig({ env: process.env }),
        out: process.stdout,
        err: process.stderr,
        now: Date.now,
      })
    case 'advise':
      return advise({
        since: values.since,
        name: values.cluster ?? null,
        json: values.json ?? false,
        config: loadConfig({ env: process.env }),
        out: process.stdout,
        err: process.stderr,
        now: Date.now,
      })
    case 'doctor':
      return doctor({
        config: loadConfig({ env: process.env }),
        env: process.env,
        out: process.stdout,
        now: Date.now,
      })
    default:
      return misused(`There is no command "${command}".`)
  }
}

async function audit(
  [what, ...rest]: readonly string[],
  { head, from, to }: { head?: string | undefined; from?: string | undefined; to?: string | undefined },
): Promise<ExitCode> {
  if ((what !== 'verify' && what !== 'export') || rest.length > 0)
    return misused('Write "audit verify" or "audit export".')
  const config = loadConfig({ env: process.env })
  if (what === 'verify') {
    const posted = head === undefined ? null : parseHead(head)
    if (head !== undefined && posted === null)
      return misused(
        '--head takes the hexadecimal digits that stand under an action line in the channel: at least the first 16 of a hash.',
      )
    return auditVerify({ config, head: posted, out: process.stdout, err: process.stderr })
  }
  const start = from === undefined ? 0 : parseMoment(from)
  const end = to === undefined ? Number.MAX_SAFE_INTEGER : parseMoment(to)
  if (start === null || end === null)
    return misused('--from and --to take a day or a moment, like 2026-03-01 or 2026-03-01T03:00:00Z.')
  if (start > end) return misused('--from is later than --to.')
  return auditExport({ config, from: start, to: end, out: process.stdout, err: process.stderr })
}

async function host(
  [what, pid, ...more]: readonly string[],
  { cluster = null, json = false }: { cluster?: string | null | undefined; json?: boolean | undefined },
): Promise<ExitCode> {
  const input = { name: cluster, out: process.stdout, err: process.stderr }
  if (what === 'sessions' && pid === undefined)
    return hostSessions({ ...input, json, config: loadConfig({ env: process.env }) })
  if ((what !== 'cancel' && what !== 'terminate') || !/^[1-9]\d{0,9}$/.test(pid ?? '') || more.length > 0)
    return misused('Write "host sessions", "host cancel PID" or "host terminate PID".')
  const config = loadConfig({ env: process.env })
  return hostSignal({
    ...input,
    action: what,
    pid: Number(pid),
    config,
    ask: askOnTerminal,
    now: Date.now,
    steady: () => performance.now(),
  })
}

function misused(what: string): ExitCode {
  process.stderr.write(`${what}\n\n${usage}`)
  return 2
}

/**
 * Runs until SIGTERM or SIGINT, then finishes what is under way. A second signal ends it at once. SIGHUP lets it read its
 * configuration again.
 */
async function serve(): Promise<ExitCode> {
  const load = () => loadConfig({ env: process.env })
  let app: RunningApp | null = null
  let isAskedEarly = false
  process.on('SIGHUP', () => {
    if (app) void app.reload(load)
    else isAskedEarly = true
  })
  const config = load()
  const slack = requireSlack(config, process.env)
  const log = createLog({ level: config.logLevel })
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort(name))
  const stopped = once(stop.signal, 'abort')
  // Bolt drops some promises: what goes wrong in one must not end the watching.
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a promise was dropped'))
  // The last net, which nothing should reach: the state is not known any more, so it stops in order and says so.
  let failed = false
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an error that nobody caught: pg-marshal stops in order, start it again')
    failed = true
    stop.abort('uncaughtException')
  })
  try {
    app = await startPatiently(() => startApp({ config, slack, log, signal: stop.signal }), {
      log,
      signal: stop.signal,
      steady: () => performance.now(),
    })
    if (isAskedEarly) void app.reload(load)
    await stopped
    log.info({ signal: stop.signal.reason }, 'pg-marshal stops')
    await app.stop()
    // All that is ours is closed; a handshake that never ends must not keep the process.
    setTimeout(() => process.exit(failed ? 2 : 0), 1000).unref()
  } catch (error) {
    // Asked to stop before it had started: that is no fault.
    if (!stop.signal.aborted) throw error
  }
  return failed ? 2 : 0
}

/**
 * Explains an error in one line when a person can do something about it. Anything else is a fault of ours, with its
 * trace.
 */
function explainError(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  if (error instanceof SlackError)
    return `Slack refused a token (${error.code}). Check SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or run doctor.`
  if (error instanceof StoreError) return error.message
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  if (code.startsWith('ERR_PARSE_ARGS_')) return `${misuseOf(error)}\n\n${usage}`
  if (code === 'EADDRINUSE')
    return 'The port is in use already. Set http.port to another, or stop the other process.'
  if (code === 'EACCES' && 'syscall' in error && error.syscall === 'listen')
    return 'This port needs privileges. Set http.port to 1024 or higher.'
  return error.stack ?? error.message
}

// Who read has gone (`doctor | head -3`): it ends as what SIGPIPE ends.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(141)
})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${explainError(error)}\n`)
  process.exitCode = 2
}
