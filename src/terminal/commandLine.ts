import { parseArgs } from 'node:util'
import packageJson from '../../package.json' with { type: 'json' }
import { type Env, loadConfig } from '../config/config.ts'
import { advise } from './advise.ts'
import { auditExport, auditVerify, parseHead, parseMoment } from './audit.ts'
import { check } from './check.ts'
import { doctor } from './doctor.ts'
import { enroll } from './enroll.ts'
import { historyAt } from './historyAt.ts'
import { askOnTerminal, hostSessions, hostSignal } from './host.ts'
import { look } from './look.ts'
import type { Out } from './out.ts'
import type { ProposeExit } from './propose.ts'
import { report, reportFormats } from './report.ts'
import { storeCopy } from './storeCopy.ts'
import { waits } from './waits.ts'

export const usage = `pg-marshal: a Slack bot for people on call for PostgreSQL

  node src/main.ts                      the service (also: serve)
  node src/main.ts sessions  [--cluster NAME] [--json]   what /pg sessions would show
  node src/main.ts blocking  [--cluster NAME] [--json]   who blocks whom
  node src/main.ts waits  [--since 1h] [--app WEB] [--user NAME] [--db NAME] [--cluster NAME] [--json]   what sessions waited for
  node src/main.ts history at TIME [--cluster NAME] [--json]   who blocked whom then, as "14:05", "yesterday 23:10", "20 min ago" or 2026-03-01T14:05
  node src/main.ts advise [--since 7d] [--cluster NAME] [--json]   settings that would have prevented the trouble
  node src/main.ts report [INCIDENT] [--format md|html|json] [--cluster NAME]   an incident as one would write it up; the newest one
  node src/main.ts check [--cluster NAME] [--blocked-for 60s] …  a probe for Nagios and the like; check --help
  node src/main.ts propose terminate PID --cluster NAME --reason TEXT --wait 10m   asks people, for scripts; propose --help
  node src/main.ts mcp                  lets a model look and ask, over stdin and stdout, through a bot that runs (docs/api.md)
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

Exit code: 0 well, 1 something is wrong that was looked for, 2 it could not be done, and a message says why. check and propose have their own.
All settings: docs/setup.md
`

/** 0: well. 1: something is wrong that was looked for. 2: it could not be done, and the message says why. `check` and `propose` have their own. */
export type ExitCode = 0 | 1 | 2 | 3 | ProposeExit

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
  mcp: [],
  'audit verify': ['head'],
  'audit export': ['from', 'to'],
  'store copy': [],
  'host sessions': ['cluster', 'json'],
  'host cancel': ['cluster'],
  'host terminate': ['cluster'],
}

/** Surroundings of a command. */
export type Terminal = {
  readonly env: Env
  readonly out: Out
  readonly err: Out
  readonly now: () => number
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number
}

/**
 * Runs a command to its end.
 * @returns `serve` where the service itself is meant
 */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<ExitCode | 'serve'> {
  const { env, out, err, now, steady } = terminal
  // Monitoring understands one line and its own exit codes, whatever is wrong.
  if (args[0] === 'check') return check(args.slice(1), () => loadConfig({ env }), out, now)
  // The service needs none of what calls it.
  if (args[0] === 'propose') return (await import('./propose.ts')).propose(args.slice(1), terminal)
  const { values, positionals } = readArgs(args)
  if (values.version) {
    out.write(`pg-marshal ${packageJson.version} (Node ${process.versions.node})\n`)
    return 0
  }
  const [command = 'serve', ...rest] = positionals
  if (values.help || command === 'help') {
    out.write(usage)
    return 0
  }
  const misused = (what: string) => misuse(err, what)
  const asked = ['audit', 'store', 'host', 'history'].includes(command) ? `${command} ${rest[0]}` : command
  const known = Object.hasOwn(optionsOf, asked) ? optionsOf[asked] : undefined
  const [alien] = Object.keys(values).filter((name) => known && !known.includes(name))
  if (alien) return misused(`"${asked}" takes no --${alien}.`)
  const { cluster, since } = values
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  const everywhere = () => ({ config: loadConfig({ env }), out, err, now })
  const onCluster = () => ({ ...everywhere(), steady, name: cluster ?? null, json: values.json ?? false })
  const [first, second, third] = rest
  switch (command) {
    case 'audit':
      return audit(rest, values, terminal)
    case 'host':
      return host(rest, onCluster, terminal)
    case 'store':
      return first !== 'copy' || second === undefined || third === undefined || rest.length > 3
        ? misused('Write "store copy FROM TO", with two addresses as store.url has them.')
        : storeCopy({ from: second, to: third, out, err })
    case 'enroll': {
      const { list = false, remove = null } = values
      const whom = [...rest, ...(remove === null ? [] : [remove])]
      if (whom.length !== (list ? 0 : 1) || (remove !== null && list))
        return misused('Write "enroll U0DANA", "enroll --list" or "enroll --remove U0DANA".')
      const what = list ? 'list' : remove === null ? 'add' : 'remove'
      return enroll({ ...everywhere(), what, userId: whom[0] ?? '' })
    }
    case 'history':
      return first !== 'at' || rest.length < 2
        ? misused('Write "history at TIME", with a time that is over, like "history at 14:05".')
        : historyAt({ ...onCluster(), time: rest.slice(1).join(' '), timeZone })
    case 'report': {
      const format = reportFormats.find((one) => one === (values.format ?? 'md'))
      return rest.length > 1 || format === undefined
        ? misused('Write "report INCIDENT --format html", with the id of one incident, and md, html or json.')
        : report({ ...everywhere(), named: first?.toLowerCase() ?? null, cluster, format, env, timeZone })
    }
  }
  if (first !== undefined) return misused(`I do not know what to do with "${first}".`)
  switch (command) {
    case 'serve':
      return 'serve'
    case 'sessions':
    case 'blocking':
      return look({ ...onCluster(), what: command })
    case 'waits': {
      const options = new Map(
        (['since', ...sessionNames] as const).flatMap((option) => {
          const value = values[option]
          return value === undefined ? [] : [[option, value] as const]
        }),
      )
      return waits({ ...onCluster(), options, timeZone })
    }
    case 'mcp':
      return (await import('./mcp.ts')).mcp(env)
    case 'advise':
      return advise({ ...onCluster(), since })
    case 'doctor':
      return doctor({ ...everywhere(), env })
    default:
      return misused(`There is no command "${command}".`)
  }
}

const readArgs = (args: readonly string[]) =>
  parseArgs({
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

type Values = ReturnType<typeof readArgs>['values']

async function audit(
  [what, ...rest]: readonly string[],
  { head, from, to }: Values,
  { env, out, err }: Terminal,
): Promise<ExitCode> {
  const misused = (what: string) => misuse(err, what)
  if ((what !== 'verify' && what !== 'export') || rest.length > 0)
    return misused('Write "audit verify" or "audit export".')
  const config = loadConfig({ env })
  if (what === 'verify') {
    const posted = head === undefined ? null : parseHead(head)
    if (head !== undefined && posted === null)
      return misused(
        '--head takes the hexadecimal digits that stand under an action line in the channel: at least the first 16 of a hash.',
      )
    return auditVerify({ config, head: posted, out, err })
  }
  const start = from === undefined ? 0 : parseMoment(from)
  const end = to === undefined ? Number.MAX_SAFE_INTEGER : parseMoment(to)
  if (start === null || end === null)
    return misused('--from and --to take a day or a moment, like 2026-03-01 or 2026-03-01T03:00:00Z.')
  if (start > end) return misused('--from is later than --to.')
  return auditExport({ config, from: start, to: end, out, err })
}

async function host(
  [what, pid = '', ...more]: readonly string[],
  onCluster: () => Parameters<typeof hostSessions>[0] & { readonly now: () => number },
  { err, steady }: Terminal,
): Promise<ExitCode> {
  if (what === 'sessions' && pid === '') return hostSessions(onCluster())
  if ((what !== 'cancel' && what !== 'terminate') || !/^[1-9]\d{0,9}$/.test(pid) || more.length > 0)
    return misuse(err, 'Write "host sessions", "host cancel PID" or "host terminate PID".')
  return hostSignal({ ...onCluster(), action: what, pid: Number(pid), ask: askOnTerminal, steady })
}

/** Says what to write instead, above all that can be written. */
function misuse(err: Out, what: string): 2 {
  err.write(`${what}\n\n${usage}`)
  return 2
}
