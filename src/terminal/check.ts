import { parseArgs } from 'node:util'
import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import { type Config, ConfigError } from '../config/config.ts'
import { connectionsLeft, totals } from '../domain/incidents/finding.ts'
import {
  judge,
  type Limit,
  type LimitName,
  type Limits,
  limitNames,
  type Measure,
  type ProbeResult,
  type Status,
  type Trouble,
} from '../domain/lists/probe.ts'
import { type Picture, pictureOf } from '../domain/locks/picture.ts'
import { formatDuration, parseDuration } from '../domain/text/duration.ts'
import { createLog } from '../log.ts'
import { ClusterError, createCluster } from '../postgres/cluster.ts'
import { clean, truncate } from '../views/kit.ts'
import { count, nameOf } from '../views/words.ts'
import type { Out } from './out.ts'

export const checkHelp = `node src/main.ts check: one look at one cluster, for Nagios, Icinga and the like

  --cluster NAME               needed when several are configured
  --blocked-for TIME           critical when somebody has waited for a lock for this long
  --connections-above PERCENT  critical when this part of max_connections is used
  --query-longer-than TIME     critical when a statement has run for this long
  --idle-in-transaction TIME   critical when a session has been idle in a transaction for this long
  --warning NAME=LIMIT         the same as a warning, as often as needed: --warning blocked-for=10s

TIME is like 30s, 5m, 1h30m, PERCENT a whole number; never turns a limit off. What is not given is as configured, with
watch.rules: blocked-for and connections-above as critical limits, query-longer-than and idle-in-transaction as
warnings. A limit that is given holds for every session, whatever the rules say.

It prints one line: the status, what is wrong (worst first), and performance data after |.
Exit code: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (it cannot see, lacks a privilege, or was asked wrongly). That every
connection slot is taken is CRITICAL, though it keeps the check from looking.
`

const exitCodes = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const satisfies Record<Status, number>
export type CheckExitCode = (typeof exitCodes)[Status]

/**
 * The probe in the terminal. Whatever goes wrong is reported as UNKNOWN, in one line, as monitoring expects it.
 * @param args what stands after `check`
 * @param load reads the configuration; may throw ConfigError
 */
export async function check(
  args: readonly string[],
  load: () => Config,
  out: Out,
  now: () => number,
): Promise<CheckExitCode> {
  const say = (status: Status, text: string, measures: readonly Measure[] = []) => {
    out.write(`${checkLine(status, text, measures)}\n`)
    return exitCodes[status]
  }
  try {
    const asked = readOptions(args)
    if ('problem' in asked) return say('UNKNOWN', `${asked.problem} See check --help.`)
    if (asked.help) {
      out.write(checkHelp)
      return 0
    }
    const config = load()
    const picked = pickCluster(watchedIn(config, now), asked.cluster, null)
    if ('problem' in picked) return say('UNKNOWN', picked.problem.replaceAll('`', ''))
    const { cluster, config: own } = picked
    try {
      await cluster.start()
      const picture = pictureOf(await cluster.snapshot())
      if (!picture.snapshot.server.seesOthers) {
        const [missing] = await cluster.missingPrivileges()
        return say(
          'UNKNOWN',
          `${own.name}: ${missing ? `${missing.what} ${missing.fix}` : 'pg_monitor is missing.'}`,
        )
      }
      const verdict = judge(picture, asked.limits, own.watch)
      return say(verdict.status, `${own.name}: ${checkWords(verdict, picture)}`, verdict.measures)
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      return say(error.isServerFull ? 'CRITICAL' : 'UNKNOWN', `${own.name}: ${error.reason}`)
    } finally {
      await cluster.close()
    }
  } catch (error) {
    if (error instanceof ConfigError) {
      const [first = '', ...more] = error.problems
      return say(
        'UNKNOWN',
        `${first}${more.length > 0 ? ` (and ${count(more.length, 'more problem')})` : ''}`,
      )
    }
    // A fault of ours. Its message may hold anything, so only its name is printed.
    return say('UNKNOWN', `pg-marshal failed: ${error instanceof Error ? error.name : 'unknown error'}`)
  }
}

function watchedIn(config: Config, now: () => number): Map<string, WatchedCluster> {
  const log = createLog({ level: 'silent' })
  return new Map(
    config.clusters.map((config) => {
      const cluster = createCluster({ ...config, log, maskText: () => null, now })
      return [config.name, { config, cluster }]
    }),
  )
}

type Asked = { readonly help: boolean; readonly cluster: string | null; readonly limits: Limits }

/** Reads the options. Never throws. */
export function readOptions(args: readonly string[]): Asked | { readonly problem: string } {
  const problem = (sentence: string) => ({ problem: sentence })
  let values: { [name: string]: unknown }
  try {
    const text = { type: 'string' } as const
    const limits = Object.fromEntries(limitNames.map((name) => [name, text]))
    const options = {
      cluster: text,
      ...limits,
      warning: { type: 'string', multiple: true } as const,
      help: { type: 'boolean', short: 'h' } as const,
    }
    values = parseArgs({ args: [...args], options }).values
  } catch (error) {
    return problem(error instanceof Error ? misuseOf(error) : 'Bad options.')
  }
  const read: Record<'critical' | 'warning', Partial<Record<LimitName, Limit>>> = {
    critical: {},
    warning: {},
  }
  for (const name of limitNames) {
    const given = values[name]
    if (typeof given !== 'string') continue
    const limit = readLimit(name, given)
    if (typeof limit === 'string') return problem(`--${name}: ${limit}`)
    read.critical[name] = limit
  }
  for (const given of Array.isArray(values.warning) ? values.warning : []) {
    const [, word, text] = /^([^=]*)=(.*)$/.exec(String(given)) ?? []
    const name = limitNames.find((known) => known === word)
    if (!name || text === undefined)
      return problem(`--warning takes NAME=LIMIT with one of ${limitNames.join(', ')}.`)
    const limit = readLimit(name, text)
    if (typeof limit === 'string') return problem(`--warning ${name}: ${limit}`)
    read.warning[name] = limit
  }
  const cluster = typeof values.cluster === 'string' ? values.cluster : null
  return { help: values.help === true, cluster, limits: read }
}

/** @returns seconds or percent; or what to write instead */
function readLimit(name: LimitName, text: string): number | string {
  if (text === 'never') return Number.POSITIVE_INFINITY
  if (name === 'connections-above') {
    const percent = /^\d{1,3}$/.test(text) ? Number(text) : 0
    return percent >= 1 && percent <= 100
      ? percent
      : 'Write a whole number of percent from 1 to 100, or never.'
  }
  const parsed = parseDuration(text)
  return 'ms' in parsed ? parsed.ms / 1000 : parsed.problem
}

/** Lists what is wrong, worst first, or says that nothing is. */
export function checkWords({ status, troubles }: ProbeResult, picture: Picture): string {
  if (status !== 'OK') return troubles.map((trouble) => troubleWords(trouble, picture)).join('; ')
  const { waiting, used, max, active } = totals(picture.snapshot)
  return `${count(active, 'active session')}, ${waiting} waiting for a lock, ${used} of ${max} connections used`
}

function troubleWords({ what, count: n, worst }: Trouble, picture: Picture): string {
  const who = worst.session ? nameOf(worst.session) : 'somebody'
  const longest = n > 1 ? `${n}, the longest ` : ''
  const since = `for ${formatDuration(worst.value)}`
  switch (what) {
    case 'locks':
      return `${count(n, 'session waits', 'sessions wait')} for locks, and who blocks them cannot be read`
    case 'blocked-for':
      return `${count(n, 'session waits', 'sessions wait')} for a lock, ${n > 1 ? 'the longest ' : ''}${since}${behind(worst.session?.pid, picture)}`
    case 'connections-above': {
      const { used, max } = totals(picture.snapshot)
      const left = connectionsLeft(picture.snapshot) > 0 ? '' : ', no more for ordinary roles'
      return `${used} of ${max} connections used (${Math.floor((used * 100) / max)} %${left})`
    }
    case 'query-longer-than':
      return `long statement: ${longest}${who} ${since}`
    case 'idle-in-transaction':
      return `idle in transaction: ${longest}${who} ${since}`
  }
}

/** Says which session the longest waiter waits for in the end. */
function behind(pid: number | undefined, { snapshot, forest }: Picture): string {
  const root = forest.roots.find(({ victims }) => pid !== undefined && victims.includes(pid))
  if (!root) return ''
  if (root.prepared) return ` behind the prepared transaction ${root.prepared.gid}`
  const session = snapshot.sessions.find((one) => one.pid === root.pid)
  return ` behind ${session ? nameOf(session) : root.pid}`
}

/** `PG_MARSHAL OK - orders: … |waiting=0;;;0 …`: names come from the database, and `|` begins the performance data. */
export function checkLine(status: Status, text: string, measures: readonly Measure[]): string {
  const words = truncate(clean(text).replaceAll(/\s+/g, ' ').replaceAll('|', '/').trim(), 1000)
  const data = measures.map(measureOf).join(' ')
  return `PG_MARSHAL ${status} - ${words}${data && ` |${data}`}`
}

/** `label=value[unit];warning;critical;min;max` */
function measureOf({ label, value, unit, warning, critical, max }: Measure): string {
  const number = (of: number | null) =>
    of === null || !Number.isFinite(of) ? '' : String(Math.round(of * 1000) / 1000)
  const shown = value === null ? 'U' : `${number(value)}${unit}`
  return [`${label}=${shown}`, number(warning), number(critical), '0', number(max)]
    .join(';')
    .replace(/;$/, '')
}

/**
 * Explains what `parseArgs` of Node refuses, in one sentence: the first says which option it was, the rest is advice
 * for another case.
 */
export const misuseOf = (error: Error): string => `${error.message.split('. ')[0]?.replace(/\.$/, '')}.`
