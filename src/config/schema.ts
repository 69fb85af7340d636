import { z } from 'zod'
import type { People } from '../domain/session/policy.ts'
import { readDatabaseUrl } from '../domain/text/databaseUrl.ts'
import { api } from './api.ts'
import { shortName } from './names.ts'
import {
  configSection,
  day,
  duration,
  required,
  second,
  sessionMatch,
  size,
  threshold,
  transactions,
} from './parts.ts'
import { rules } from './rules.ts'
import { storeUrl } from './storeUrl.ts'
import { sweeps } from './sweeps.ts'
import { tags } from './tags.ts'
import { webhooks } from './webhooks.ts'

/** The file as people write it: every key optional but what has no default, durations as milliseconds. */

/** One of a few words. */
const word = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  z.enum(words, { error: `Write ${words.join(' or ')}.` })

/** Digits in quotes count as well: that is how `${PORT}` comes. */
function number(min: number, max: number, sentence: string) {
  return z.unknown().transform((value, context) => {
    const count = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
    if (typeof count === 'number' && Number.isInteger(count) && count >= min && count <= max) return count
    context.addIssue({ code: 'custom', message: sentence })
    return z.NEVER
  })
}

const flag = z.unknown().transform((value, context) => {
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  context.addIssue({ code: 'custom', message: 'Write true or false.' })
  return z.NEVER
})

const channelHint =
  'Write the channel id (C…, G… or D…): in Slack open the channel, click its name, and copy the id at the bottom.'

const channel = z.string(required(channelHint)).regex(/^[CGD][A-Z0-9]+$/, {
  error: ({ input }) =>
    String(input).startsWith('#')
      ? `A channel name can change, so it is not taken. ${channelHint}`
      : channelHint,
})

const personHint =
  'Write a user id (U… or W…: profile, ⋮, "Copy member ID") or a user-group id (S…: the end of the group’s address).'

const person = z.string({ error: personHint }).regex(/^[UWS][A-Z0-9]+$/, {
  error: ({ input }) => {
    const text = String(input)
    if (text === 'everyone') return 'Write the word everyone alone (not in a list), or name people.'
    return /^[@<]/.test(text) ? `A name can change, so it is not taken. ${personHint}` : personHint
  },
})

const nonEmptyList = (what: string) =>
  z
    .array(person, required(what))
    .min(1, { error: `An empty list lets nobody in. ${what}` })
    .transform((ids): readonly string[] => [...new Set(ids)])

const named = nonEmptyList('Write everyone, or a list of user and user-group ids like [U0DANA, S0DBAONCALL].')

const people = z.unknown().transform((value, context): People => {
  if (value === 'everyone') return value
  const ids = named.safeParse(value)
  if (ids.success) return ids.data
  for (const { message, path } of ids.error.issues)
    context.addIssue({ code: 'custom', message, path: [...path] })
  return z.NEVER
})

const approversHint = 'Name the approvers: a list of user and user-group ids like [U0DANA, S0DBAONCALL].'

const approvers = z.unknown().transform((value, context) => {
  const everyone = value === 'everyone' || (Array.isArray(value) && value.includes('everyone'))
  if (everyone) {
    context.addIssue({ code: 'custom', message: `Approvers are never everyone. ${approversHint}` })
    return z.NEVER
  }
  return value
})

const access = configSection({
  viewers: people.optional(),
  requesters: people.optional(),
  approvers: approvers.pipe(nonEmptyList(approversHint)).optional(),
})

const atLeastOne = number(1, 20, 'Write how many different people must approve: a whole number from 1 to 20.')

const breakGlassHint = 'Name the people who may act alone in an emergency: a list of user ids like [U0DANA].'

const breakGlassPerson = z
  .string()
  .regex(/^[UW]/, { error: `Only people can break the glass, no groups. ${breakGlassHint}` })

const approvals = configSection({
  people: configSection({ cancel: atLeastOne.optional(), terminate: atLeastOne.optional() }).optional(),
  requesterMayApprove: flag.optional(),
  secondFactor: configSection({ cancel: flag.optional(), terminate: flag.optional() }).optional(),
  breakGlass: configSection({ who: nonEmptyList(breakGlassHint).pipe(z.array(breakGlassPerson)) }).optional(),
  expireAfter: duration(second, 7 * day, 'from 1s to 7d').optional(),
})

/** People who are called; nobody, where a cluster takes back what holds for all. */
const called = z
  .array(person, required('Name whom to call: a list of user and user-group ids like [U0DANA, S0DBAONCALL].'))
  .transform((ids): readonly string[] => [...new Set(ids)])

const callDelay = duration(100, 7 * day, 'from 100ms to 7d')

const notify = configSection({
  mention: called.optional(),
  from: word('critical', 'warning').optional(),
  remindAfter: callDelay.optional(),
  escalate: z
    .array(configSection({ after: callDelay, mention: called }), {
      error: 'Write a list of steps like - { after: 10m, mention: [U0LEAD] }.',
    })
    .optional(),
  webhooks: webhooks.optional(),
})

const percentage = number(1, 100, 'Write a percentage as a whole number from 1 to 100, without a sign.')

const limits = {
  every: duration(100, 3600 * second, 'from 100ms to 1h').optional(),
  blockedFor: threshold.optional(),
  queryLongerThan: threshold.optional(),
  idleInTransactionLongerThan: threshold.optional(),
  idleLongerThan: threshold.optional(),
  connectionsAbove: percentage.optional(),
  poolWaitsFor: threshold.optional(),
  preparedLongerThan: threshold.optional(),
  vacuumHeldBackBy: transactions.optional(),
  wraparoundAbove: percentage.optional(),
  slotRetains: size.optional(),
  cardsPerMinute: number(
    1,
    60,
    'Write how many cards a minute may bring: a whole number from 1 to 60.',
  ).optional(),
  rules: rules.optional(),
}

const heartbeatHint = `Write an http or https address, best as \${NAME} from the environment.`

/** One for the whole bot: it is asked for when every cluster was read. */
const heartbeatUrl = z.string({ error: heartbeatHint }).refine(isWebAddress, { error: heartbeatHint })

function isWebAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null
  return url !== null && /^https?:$/.test(url.protocol)
}

const watch = configSection({ ...limits, heartbeatUrl: heartbeatUrl.optional() })
const clusterWatch = configSection(limits)

/** Milliseconds; null: nothing is recorded. YAML reads `off` as false. */
const keep = z.unknown().transform((value, context) => {
  if (value === 'off' || value === false) return null
  const parsed = duration(3600 * second, 365 * day, 'from 1h to 365d, or off').safeParse(value)
  if (parsed.success) return parsed.data
  for (const { message } of parsed.error.issues) context.addIssue({ code: 'custom', message })
  return z.NEVER
})

const urlHint = `Write postgres://user:password@host:5432/database, best as \${NAME} from the environment.`

const databaseUrl = z.string(required(urlHint)).superRefine((text, context) => {
  const problem = databaseUrlProblem(text)
  if (problem) context.addIssue({ code: 'custom', message: problem })
})

function databaseUrlProblem(text: string): string | null {
  if (!/^postgres(ql)?:\/\//.test(text)) return `This is not the address of a PostgreSQL server. ${urlHint}`
  const url = URL.canParse(text) ? new URL(text) : null
  const encode = 'In the password write %23 for #, %2F for /, %3F for ?, %40 for @ and %25 for %.'
  if (url?.hash !== '' || /%(?![0-9A-Fa-f]{2})/.test(text))
    return `This address cannot be read. ${encode} Only one host is supported.`
  if (url.hostname.includes(','))
    return 'Only one host is supported: name each server as a cluster of its own.'
  const read = readDatabaseUrl(text)
  return 'problem' in read ? read.problem : null
}

const consoleHint = `Write postgres://user:password@host:6432/pgbouncer, best as \${NAME} from the environment.`

/** Its admin console is a database of that name: what is asked there, a server would not understand. */
const consoleUrl = databaseUrl.refine(
  (text) => !URL.canParse(text) || new URL(text).pathname === '/pgbouncer',
  { error: `The admin console of PgBouncer is its database pgbouncer. ${consoleHint}` },
)

const passwordFileHint = 'Write the path of a file that holds the password alone.'

const passwordFile = z.string({ error: passwordFileHint }).min(1, { error: passwordFileHint })

const cluster = configSection({
  name: shortName('cluster', 'orders', 'orders-eu'),
  template: z.string({ error: 'Write the name of one of the templates.' }).optional(),
  url: databaseUrl,
  passwordFile: passwordFile.optional(),
  pgbouncer: consoleUrl.optional(),
  pgbouncerPasswordFile: passwordFile.optional(),
  host: word('local').optional(),
  channel: channel.optional(),
  access: access.optional(),
  approvals: approvals.optional(),
  watch: clusterWatch.optional(),
  notify: notify.optional(),
  protected: z
    .array(sessionMatch, { error: 'Write a list of rules like - applicationName: pg_dump.' })
    .optional(),
})

const clustersHint = 'Name at least one cluster with its name and url.'
const templatesHint =
  'Write names with keys of a cluster, like eu: { url: postgres://marshal@{name}.example.com/postgres }.'

export const fileSchema = configSection({
  slack: configSection({ mode: word('socket', 'http').optional(), channel }).prefault(
    {} as { channel: string },
  ),
  http: configSection({
    host: z.string({ error: 'Write the address to listen on, like 127.0.0.1 or 0.0.0.0.' }).min(1).optional(),
    port: number(0, 65535, 'Write a port from 0 to 65535 (0 takes a free one).').optional(),
    api: api.optional(),
  }).optional(),
  access: access.optional(),
  approvals: approvals.optional(),
  clusters: z.array(cluster, required(clustersHint)).min(1, { error: clustersHint }),
  clustersFrom: z.string({ error: 'Write the path of a directory of YAML files with clusters.' }).optional(),
  templates: z
    .record(z.string(), z.record(z.string(), z.unknown(), { error: templatesHint }), { error: templatesHint })
    .optional(),
  watch: watch.optional(),
  notify: notify.optional(),
  store: configSection({ url: storeUrl.optional() }).optional(),
  history: configSection({ keep: keep.optional(), most: size.optional() }).optional(),
  queryText: word('masked', 'full', 'hidden').optional(),
  tags: tags.optional(),
  sweeps: sweeps.optional(),
})

export type File = z.output<typeof fileSchema>
