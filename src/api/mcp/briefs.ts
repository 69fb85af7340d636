import { z } from 'zod'
import type { RootJson, SessionJson } from '../../answers/json.ts'
import { incidentPart, proposalPart } from '../../views/documentParts.ts'
import { clean, truncate } from '../../views/kit.ts'
import { onOneLine } from '../../views/words.ts'
import {
  type AskedDocument,
  askedDocument,
  type BlockingPage,
  type ClustersPage,
  type Documents,
  type HealthDocument,
  type HistoryPage,
  type MomentDocument,
  type SessionDocument,
  type SessionsPage,
} from '../documents.ts'
import type { OperationName } from '../operations.ts'

/**
 * Short forms of the documents of the API, for the window of a model: the first of long lists with a count of all, and
 * texts cut. What is left out, HTTP has.
 */

const longestText = 300
const longestReason = 800
const longestName = 63
/** First of the pids of a list. */
const mostPids = 20
/** First of what stands beside the entries of a page. */
const mostParts = 5
const mostFindings = 20

/** Puts a text of a stranger on one line, and cuts it. */
const short = (text: string, most = longestText): string => truncate(onOneLine(clean(text)), most)
const shortOrNull = (text: string | null, most?: number): string | null =>
  text === null ? null : short(text, most)
const firstOf = (pids: readonly number[]): number[] => pids.slice(0, mostPids)

const text = z.string()
const pid = z.int()
const pids = z.array(pid)
const count = z.int().min(0)
const seconds = z.number().nullable()
const page = {
  total: count,
  next: text.nullable().describe('send it as `after` for the next page; null on the last one'),
}
const head = {
  cluster: text,
  takenAt: text,
  seesOthers: z.boolean().describe('false: the sessions of others are hidden, and calm means nothing'),
}

const sessionBrief = z.object({
  pid,
  backendStart: text.describe('send it with `propose`'),
  user: text.nullable(),
  database: text.nullable(),
  application: text,
  state: text.nullable(),
  waitsFor: text.nullable().describe('wait event; Lock/… is a lock'),
  blockedBy: pids,
  transactionSeconds: seconds,
  stateSeconds: seconds,
  statement: text.nullable().describe('without its constants'),
  tags: z.record(text, text).describe('what its application says of itself'),
})

const briefSession = (session: SessionJson): z.infer<typeof sessionBrief> => ({
  pid: session.pid,
  backendStart: session.backendStart,
  user: shortOrNull(session.usename, longestName),
  database: shortOrNull(session.datname, longestName),
  application: short(session.applicationName, longestName),
  state: session.state,
  waitsFor: session.waitEventType && `${session.waitEventType}/${session.waitEvent ?? '?'}`,
  blockedBy: firstOf(session.blockedBy),
  transactionSeconds: session.xactSeconds,
  stateSeconds: session.stateSeconds,
  statement: shortOrNull(session.query),
  tags: session.tags,
})

const rootBrief = z.object({
  pid: pid.describe('0 for a prepared transaction'),
  kind: z.enum(['session', 'preparedTransaction']),
  gid: text.nullable(),
  waiting: count.describe('sessions that wait behind it'),
  victims: pids.describe('the first of them'),
  oldestWaitSeconds: seconds,
  recommendation: z.object({
    action: z.enum(['cancel', 'terminate']).nullable().describe('null: nothing can be done from here'),
    pid: pid.describe('session to end; not always the root'),
    backendStart: text.nullable(),
    reason: text,
    frees: z.object({ atOnce: count, follow: count, unsure: count }),
    others: z.array(text).describe('other ways out, best first'),
  }),
})

const briefRoot = ({
  recommendation: { expected, others, ...best },
  ...root
}: RootJson): z.infer<typeof rootBrief> => ({
  pid: root.pid,
  kind: root.kind,
  gid: shortOrNull(root.gid),
  waiting: root.victims.length,
  victims: firstOf(root.victims),
  oldestWaitSeconds: root.oldestWaitSeconds,
  recommendation: {
    action: best.action,
    pid: best.pid,
    backendStart: best.backendStart,
    reason: short(best.reason, longestReason),
    frees: {
      atOnce: expected.atOnce.length,
      follow: expected.follow.length,
      unsure: expected.unsure.length,
    },
    others: others.slice(0, mostParts).map((one) => short(one)),
  },
})

const incidentBrief = incidentPart
  .pick({
    id: true,
    kind: true,
    severity: true,
    summary: true,
    victims: true,
    beganAt: true,
    resolvedAt: true,
  })
  .extend({ pid: pid.nullable() })

const briefIncident = (incident: z.infer<typeof incidentPart>): z.infer<typeof incidentBrief> => ({
  id: incident.id,
  kind: incident.kind,
  severity: incident.severity,
  summary: short(incident.summary),
  victims: incident.victims,
  beganAt: incident.beganAt,
  resolvedAt: incident.resolvedAt,
  pid: incident.session?.pid ?? null,
})

const clustersBrief = z.object({
  ...page,
  clusters: z.array(
    z.object({
      name: text,
      seen: z.boolean().describe('false: nothing is seen of it, which is not calm'),
      why: text.nullable(),
      open: count.describe('open incidents'),
      incidents: z.array(incidentBrief).describe('the worst of them'),
    }),
  ),
})

const briefClusters = ({ clusters, ...rest }: ClustersPage): z.infer<typeof clustersBrief> => ({
  ...rest,
  clusters: clusters.map(({ name, seen, why, incidents, incidentsLeftOut }) => ({
    ...{ name, seen, why: shortOrNull(why), open: incidents.length + incidentsLeftOut },
    incidents: incidents.slice(0, mostParts).map(briefIncident),
  })),
})

const sessionsBrief = z.object({
  ...head,
  ...page,
  totals: z
    .object({
      active: count,
      idle: count,
      idleInTransaction: count,
      waiting: count,
      used: count,
      max: count,
    })
    .nullable(),
  sessions: z.array(sessionBrief),
})

const briefSessions = ({
  sessions,
  cluster,
  takenAt,
  seesOthers,
  totals,
  total,
  next,
}: SessionsPage): z.infer<typeof sessionsBrief> => ({
  ...{ cluster, takenAt, seesOthers, totals, total, next },
  sessions: sessions.map(briefSession),
})

const blocking = {
  ...head,
  ...page,
  locksUnread: text.nullable().describe('why the locks could not be read; null when they could'),
  roots: z.array(rootBrief).describe('who blocks and waits for nobody, worst first'),
  cycles: z.array(pids),
  sessions: z.array(sessionBrief).describe('those who block or wait'),
  sessionsLeftOut: count,
}
const blockingBrief = z.object(blocking)

const briefBlocking = (document: BlockingPage): z.infer<typeof blockingBrief> => ({
  cluster: document.cluster,
  takenAt: document.takenAt,
  seesOthers: document.seesOthers,
  total: document.total,
  next: document.next,
  locksUnread: shortOrNull(document.locksUnread),
  roots: document.roots.map(briefRoot),
  cycles: document.cycles.slice(0, mostParts).map(firstOf),
  sessions: document.sessions.map(briefSession),
  sessionsLeftOut: document.sessionsLeftOut,
})

const notSeen = z.object({
  at: text,
  why: text.nullable(),
  before: text.nullable(),
  after: text.nullable(),
})

const momentBrief = z.object({
  cluster: text,
  blocking: blockingBrief.nullable().describe('null where nothing was seen then, which is not calm'),
  notSeen: notSeen.nullable(),
})

const briefMoment = (document: MomentDocument): z.infer<typeof momentBrief> =>
  'notSeen' in document
    ? { cluster: document.cluster, blocking: null, notSeen: document.notSeen }
    : { cluster: document.cluster, blocking: briefBlocking(document), notSeen: null }

const sessionDetailsBrief = z.object({
  cluster: text,
  takenAt: text,
  session: sessionBrief,
  waiting: count.describe('sessions that it keeps waiting'),
  victims: pids.describe('the first of them'),
  jam: rootBrief.nullable().describe('the jam that it is a part of'),
  mayPropose: z.object({ action: z.enum(['cancel', 'terminate']).nullable(), why: text }),
})

const briefSessionDetails = ({
  cluster,
  takenAt,
  session,
  victims,
  jam,
  mayPropose,
}: SessionDocument): z.infer<typeof sessionDetailsBrief> => ({
  ...{ cluster, takenAt },
  session: briefSession(session),
  waiting: victims.length,
  victims: firstOf(victims),
  jam: jam && briefRoot(jam),
  mayPropose: { action: mayPropose.action, why: short(mayPropose.why, longestReason) },
})

const healthBrief = z.object({
  ...head,
  checkedAt: text.nullable(),
  unread: text.nullable().describe('why no health check could be made now'),
  found: count,
  findings: z
    .array(z.object({ kind: text, severity: z.enum(['critical', 'warning', 'notice']), summary: text }))
    .describe('the worst of what was found'),
  wraparoundPercent: z.number().nullable(),
})

const briefHealth = ({ findings, ...document }: HealthDocument): z.infer<typeof healthBrief> => ({
  ...document,
  unread: shortOrNull(document.unread),
  found: findings.length,
  findings: findings.slice(0, mostFindings).map(({ kind, severity, summary }) => ({
    ...{ kind, severity, summary: short(summary) },
  })),
})

const partBrief = proposalPart.omit({ session: true }).extend({ pid })

const briefPart = <P extends z.infer<typeof proposalPart>>({ session, ...part }: P) => ({
  ...part,
  pid: session.pid,
  summary: short(part.summary),
  reason: short(part.reason, longestReason),
  requestedBy: part.requestedBy.slice(0, mostParts),
  outcome: part.outcome && { kind: part.outcome.kind, sentence: short(part.outcome.sentence, longestReason) },
})

const historyBrief = z.object({
  ...page,
  entries: z.array(
    z.object({
      at: text,
      permalink: text.nullable(),
      incident: incidentBrief.nullable(),
      proposals: z.array(partBrief),
    }),
  ),
})

const briefHistory = ({ total, next, entries }: HistoryPage): z.infer<typeof historyBrief> => ({
  ...{ total, next },
  entries: entries.map(({ at, permalink, incident, proposals }) => ({
    ...{ at, permalink, incident: incident && briefIncident(incident) },
    proposals: proposals.slice(0, mostParts).map(briefPart),
  })),
})

const askedBrief = askedDocument.omit({ session: true }).extend({ pid })

const briefAsked = (document: AskedDocument): z.infer<typeof askedBrief> => briefPart(document)

/** Short forms by the name of the operation: what they look like, and how a document becomes one. */
export const briefs: {
  readonly [N in OperationName]: {
    readonly schema: z.ZodObject
    readonly of: (document: Documents[N]) => Record<string, unknown>
  }
} = {
  clusters: { schema: clustersBrief, of: briefClusters },
  sessions: { schema: sessionsBrief, of: briefSessions },
  blocking: { schema: blockingBrief, of: briefBlocking },
  session: { schema: sessionDetailsBrief, of: briefSessionDetails },
  health: { schema: healthBrief, of: briefHealth },
  history: { schema: historyBrief, of: briefHistory },
  at: { schema: momentBrief, of: briefMoment },
  propose: { schema: askedBrief, of: briefAsked },
  proposal: { schema: askedBrief, of: briefAsked },
}
