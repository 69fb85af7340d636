import { z } from 'zod'
import { preventionsIn } from '../../domain/advice/reportPreventions.ts'
import type { PastWait, Report, Share } from '../../domain/history/report.ts'
import type { Session } from '../../domain/session/session.ts'
import { incidentWords } from '../card/headline.ts'
import { plainWords } from '../kit.ts'
import { lockOf, targetOf } from '../words.ts'
import type { WrittenReport } from './sections.ts'

/**
 * The report as JSON, version 1 (docs/report.schema.json). What it has is promised to those who read it: a field may be added,
 * none may change or go.
 */

const text = z.string()
const time = z.iso.datetime()
const count = z.int().min(0)
const seconds = z.number().min(0)

const session = z.object({
  pid: z.int(),
  backendStart: text.describe("pg_stat_activity's own text, with microseconds"),
  applicationName: text,
  user: text.nullable(),
  database: text.nullable(),
  clientAddr: text.nullable(),
  state: text.nullable(),
  statement: text.nullable().describe('without its constants; null where it is not known'),
})

const share = z.object({
  name: text,
  sessions: count,
  seconds: seconds.describe('session-seconds waited, in the middle of what is possible'),
})

export const reportSchema = z.object({
  version: z.literal(1),
  incident: z.object({
    id: text,
    cluster: text,
    kind: text.describe('blocking, longQuery, …'),
    title: text,
    openedAt: time.describe('when the bot first saw it as an incident'),
    resolvedAt: time.nullable(),
    resolution: text.nullable(),
    acknowledgedBy: text.nullable().describe('a Slack user id'),
    prevention: text.nullable().describe('what its card says would have prevented it: a statement'),
  }),
  from: time.describe('the first wait; without one, the begin of the trouble'),
  to: time.describe('the end of the incident, or when the report was written'),
  cutAt: time.nullable().describe('the report stops here, and the incident lasted on'),
  everySeconds: seconds.nullable().describe('from one look to the next; null: no look is recorded'),
  began: z.object({
    firstWaitAt: time.nullable().describe("by the server's own begin of the wait"),
    firstSeenAt: time.nullable().describe('the first look that shows it'),
    maybeEarlier: z.boolean().describe('nobody looked right before'),
  }),
  holders: z
    .array(
      z.object({
        session: session.nullable().describe('null for a prepared transaction'),
        pid: z.int().describe('0 for a prepared transaction'),
        gid: text.nullable(),
        transactionAt: time.nullable(),
        from: time.describe('first look at which others waited behind it'),
        to: time,
        mostVictims: count,
        held: z.array(z.object({ on: text, relation: text.nullable(), modes: z.array(text) })),
        did: z.array(z.object({ at: time, state: text.nullable(), statement: text.nullable() })),
      }),
    )
    .describe('who held what the others waited for'),
  worst: z
    .object({ takenAt: time, waiting: count, tree: z.array(text) })
    .nullable()
    .describe('the look with the most waiting sessions, and who blocked whom in it'),
  waiting: z
    .array(
      z.object({
        from: time,
        to: time,
        sight: z.enum(['seen', 'partly', 'notSeen']),
        sessions: count.nullable().describe('null: nobody looked. It is not zero.'),
      }),
    )
    .describe('waiting sessions over time, without gaps'),
  waits: z
    .array(
      z.object({
        session,
        lock: text.nullable().describe('what it waited for, in words; null where the locks were not read'),
        mode: text.nullable(),
        relation: text.nullable(),
        from: time,
        lastSeenAt: time.describe('the last look that shows it waiting'),
        overAt: time.nullable().describe('it surely did not wait any more; null: nobody saw that'),
        leastSeconds: seconds,
        mostSeconds: seconds,
      }),
    )
    .describe('each statement of a session that waited, the longest first'),
  cost: z.object({
    leastSeconds: seconds.describe('session-seconds waited'),
    mostSeconds: seconds,
    sessions: count,
    users: z.array(share),
    applications: z.array(share),
    databases: z.array(share),
    statements: z.array(share),
    relations: z.array(share),
    rolledBack: z.array(
      z.object({
        session,
        action: z.enum(['cancel', 'terminate']),
        seconds: seconds.nullable().describe('age of the transaction, or of the statement for a cancel'),
        wrote: z.boolean().describe('it had a transaction id'),
      }),
    ),
  }),
  timeline: z.array(
    z.object({
      at: time,
      kind: z.enum(['holder', 'wait', 'gap', 'card', 'change', 'people', 'action', 'end']),
      text,
    }),
  ),
  ways: z
    .array(
      z.object({
        at: time,
        waiting: count,
        action: z.enum(['cancel', 'terminate']).nullable().describe('null: nothing could be done from here'),
        pid: z.int().nullable(),
        backendStart: text.nullable(),
        reason: text,
      }),
    )
    .describe('the gentlest way out, where it became another one'),
  preventions: z
    .array(
      z.object({
        setting: text,
        value: text,
        role: text.nullable(),
        database: text.nullable(),
        statement: text.describe('as /pg advise writes it'),
        pid: z.int().describe('the session that it would have stopped first'),
        at: time.describe('when it would have stopped that'),
        sparedSeconds: seconds.describe('session-seconds that were waited after that, behind whom it stops'),
      }),
    )
    .describe('time limits that would have cut it short'),
  notSeen: z.array(
    z.object({ from: time, to: time, sight: z.enum(['partly', 'notSeen']), why: text.nullable() }),
  ),
  limits: z.array(text).describe('what the record cannot say'),
})

export type ReportDocument = z.output<typeof reportSchema>

/** Builds the document of a report. Names and statements stand in it as they are: whoever shows them escapes them. */
export function reportDocument(report: Report, written: WrittenReport): ReportDocument {
  const { incident, began, holders, worst, course, waits, cost, ways, gaps } = report
  return {
    version: 1,
    incident: {
      ...{ id: incident.id, cluster: incident.cluster, kind: incident.finding.kind },
      title: incidentWords(incident),
      openedAt: iso(incident.openedAt),
      resolvedAt: isoOrNull(incident.resolvedAt),
      resolution: incident.resolution,
      acknowledgedBy: incident.acknowledgedBy,
      prevention: incident.prevention ?? null,
    },
    from: iso(report.from),
    to: iso(report.to),
    cutAt: isoOrNull(report.cutAt),
    everySeconds: report.everyMs === null ? null : report.everyMs / 1000,
    began: {
      firstWaitAt: isoOrNull(began.firstWaitAt),
      firstSeenAt: isoOrNull(began.firstSeenAt),
      maybeEarlier: began.maybeEarlier,
    },
    holders: holders.map(({ session, prepared, pid, transactionAt, from, to, mostVictims, held, did }) => ({
      ...{ session: session && sessionIn(session), pid, gid: prepared?.gid ?? null },
      ...{ transactionAt: isoOrNull(transactionAt), from: iso(from), to: iso(to), mostVictims },
      held: held.map(({ target, relationName, modes }) => ({
        ...{ on: targetOf(target), relation: relationName, modes: [...modes] },
      })),
      did: did.map(({ at, state, query }) => ({ at: iso(at), state, statement: query })),
    })),
    worst: worst && { takenAt: iso(worst.takenAt), waiting: worst.waiting, tree: [...written.tree] },
    waiting: course.map(({ from, to, sight, waiting }) => ({
      ...{ from: iso(from), to: iso(to), sight, sessions: waiting },
    })),
    waits: waits.map(waitIn),
    cost: {
      ...{ leastSeconds: cost.least, mostSeconds: cost.most, sessions: cost.sessions },
      ...{ users: sharesIn(cost.users), applications: sharesIn(cost.applications) },
      ...{ databases: sharesIn(cost.databases), statements: sharesIn(cost.statements) },
      relations: sharesIn(cost.relations),
      rolledBack: cost.rolledBack.map(({ session, action, seconds, wrote }) => ({
        ...{ session: sessionIn(session), action, seconds, wrote },
      })),
    },
    timeline: written.timeline.map(({ at, kind, line }) => ({ at: iso(at), kind, text: plain(line) })),
    ways: ways.map(({ at, waiting, recommendation: { target, text } }) => ({
      ...{ at: iso(at), waiting, action: target?.action ?? null, pid: target?.session.pid ?? null },
      ...{ backendStart: target?.session.backendStart ?? null, reason: text },
    })),
    preventions: preventionsIn(report).map(({ setting, value, scope, statement, pid, at, spared }) => ({
      ...{ setting, value, role: scope?.role ?? null, database: scope?.database ?? null, statement },
      ...{ pid, at: iso(at), sparedSeconds: spared },
    })),
    notSeen: gaps.map(({ from, to, sight, why }) => ({ from: iso(from), to: iso(to), sight, why })),
    limits: written.limits.map(plain),
  }
}

const iso = (at: number): string => new Date(at).toISOString()
const isoOrNull = (at: number | null): string | null => (at === null ? null : iso(at))

/** Words for JSON: the fallback text is escaped for Slack. */
const plain = (line: Parameters<typeof plainWords>[0]): string =>
  plainWords(line).replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

const sharesIn = (shares: readonly Share[]): Share[] => [...shares]

const sessionIn = ({ query, usename, datname, ...one }: Session) => ({
  ...{ pid: one.pid, backendStart: one.backendStart, applicationName: one.applicationName },
  ...{ user: usename, database: datname, clientAddr: one.clientAddr, state: one.state, statement: query },
})

const waitIn = ({ session, wait, from, lastSeenAt, overAt, least, most }: PastWait) => ({
  session: sessionIn(session),
  lock: wait && lockOf(wait, session),
  mode: wait?.mode ?? null,
  relation: wait?.relationName ?? null,
  ...{ from: iso(from), lastSeenAt: iso(lastSeenAt), overAt: isoOrNull(overAt) },
  ...{ leastSeconds: least, mostSeconds: most },
})
