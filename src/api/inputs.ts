import { z } from '@hono/zod-openapi'
import { stateFilters } from '../domain/lists/filters.ts'
import { clean, onOneLine } from '../domain/text/clean.ts'
import { parseDuration } from '../domain/text/duration.ts'

/** Inputs of programs: the same schemas parse them, over HTTP and MCP, and describe them. */

/** Most entries of one page. */
export const longestPage = 200

const duration = (most: number, words: string) =>
  z.string().transform((text, context) => {
    const read = parseDuration(text)
    if ('ms' in read && read.ms <= most) return read.ms
    context.addIssue({ code: 'custom', message: 'ms' in read ? `Write at most ${words}.` : read.problem })
    return z.NEVER
  })

const hour = 3_600_000
const part = z.string().min(1).max(63).optional()

/** A whole number, or its digits as a path or a query has them: nothing else that JavaScript takes for a number. */
const whole = (most: number) =>
  z.preprocess(
    (given) => (typeof given === 'string' && /^\d{1,10}$/.test(given) ? Number(given) : given),
    z.number().int().min(1).max(most),
  )

const clusterHint = 'Write the name of a cluster, as the list of clusters has it.'
const cluster = z
  .string()
  .regex(/^[\w.-]{1,32}$/, { error: clusterHint })
  .openapi({ example: 'orders' })
  .describe('Name of a cluster, as the list of clusters has it')

const pid = whole(2_147_483_647).describe('Process id of the session')

const limit = whole(longestPage).optional().describe('Entries of a page, 100 if absent')
const next = '`next` of the page before; the first page if absent'
const page = {
  limit,
  after: z
    .string()
    .regex(/^\d{1,10}$/, { error: 'Write what `next` of the page before says.' })
    .optional()
    .describe(next),
}

const clustersInput = z.object({
  name: part.describe('Part of the names of clusters'),
  limit,
  after: z.string().max(64).optional().describe(next),
})

const sessionsInput = z.object({
  cluster,
  db: part.describe('Part of the name of the database'),
  user: part.describe('Part of the name of the user'),
  app: part.describe('Part of application_name'),
  state: z.enum(stateFilters).optional(),
  older: duration(365 * 24 * hour, '365d')
    .optional()
    .openapi({ type: 'string' })
    .describe('Only what has been so for longer, like 90s or 10m'),
  ...page,
})

const blockingInput = z.object({ cluster, ...page })
const sessionInput = z.object({ cluster, pid })
const healthInput = z.object({ cluster })

const historyInput = z.object({
  cluster,
  since: duration(31 * 24 * hour, '31d')
    .optional()
    .openapi({ type: 'string' })
    .describe('How far back, like 12h; 24h if absent'),
  ...page,
})

const atInput = z.object({
  cluster,
  time: z
    .string()
    .min(1)
    .max(64)
    .openapi({ example: '2026-11-28T03:12:00Z' })
    .describe('A moment of the past: ISO 8601, `03:12` (UTC), or `20m ago`'),
  ...page,
})

/** Words for people, on one line and without what cannot be seen: nothing is left of what is that alone. */
const words = (most: number) =>
  z
    .string()
    .overwrite((text) => onOneLine(clean(text)).trim())
    .min(1)
    .max(most)

export const proposeInput = z.strictObject({
  cluster,
  pid,
  action: z.enum(['cancel', 'terminate']).describe('cancel ends a statement, terminate the session'),
  reason: words(300).describe('Why, for the people who decide'),
  onBehalfOf: words(80).optional().describe('For whom you ask; shown as what you say, and nothing more'),
  backendStart: z
    .string()
    // What the operating system showed has up to about 100 characters.
    .max(128)
    .optional()
    .describe('backendStart of the session that you saw: another session under the pid is then refused'),
})

/** Name of one call: the same call again leads to the same proposal. */
export const idempotencyKey = z.string().min(1).max(200).optional()

const proposalInput = z.object({
  id: z
    .string()
    .regex(/^[\w-]{1,64}$/, { error: 'Write the id of a proposal.' })
    .describe('Id of the proposal'),
  wait: duration(60_000, '60s')
    .optional()
    .openapi({ type: 'string' })
    .describe('Answer when it has ended, or after so long, like 30s'),
})

/** Inputs by the name of the operation. */
export const inputs = {
  clusters: clustersInput,
  sessions: sessionsInput,
  blocking: blockingInput,
  session: sessionInput,
  health: healthInput,
  history: historyInput,
  at: atInput,
  propose: proposeInput,
  proposal: proposalInput,
}

export type Inputs = { readonly [N in keyof typeof inputs]: z.output<(typeof inputs)[N]> }
