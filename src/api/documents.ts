import { z } from '@hono/zod-openapi'
import type { BlockingJson, NotSeenJson, RootJson, SessionJson, SessionsJson } from '../answers/json.ts'
import type { Expected } from '../domain/locks/option.ts'
import { sessionShape } from '../store/sessionShapes.ts'
import { anyText, type Fields, flag, listOf, number, object, orNull } from '../store/shapes.ts'
import { incidentPart, proposalPart } from '../views/documentParts.ts'

/**
 * Documents of the API, version 1: what programs are promised. A field may be added, none may change or go. All texts that
 * come from a server are data of strangers.
 */

const time = z.iso.datetime()
const pids = listOf(number)

/** One page of a list: how many there are in all, and what to send as `after` for the next page. */
export type Page = { readonly total: number; readonly next: string | null }
const page: Fields<Page> = { total: number, next: orNull(anyText) }

const sessionJson = z
  .intersection(
    sessionShape,
    object<Pick<SessionJson, 'blockedBy' | 'tags'>>({ blockedBy: pids, tags: z.record(anyText, anyText) }),
  )
  .openapi('Session')

const expected = object<Expected>({ atOnce: pids, follow: pids, unsure: pids })

const rootJson = object<RootJson>({
  pid: number,
  kind: z.enum(['session', 'preparedTransaction']),
  victims: pids,
  oldestWaitSeconds: orNull(number),
  backendStart: orNull(anyText),
  gid: orNull(anyText),
  recommendation: object<RootJson['recommendation']>({
    action: z.enum(['cancel', 'terminate']).nullable(),
    pid: number,
    backendStart: orNull(anyText),
    reason: anyText,
    otherwise: orNull(anyText),
    expected,
    others: listOf(anyText),
  }),
}).openapi('Root')

const head = {
  cluster: anyText,
  takenAt: time,
  locksTakenAt: orNull(time),
  locksUnread: orNull(anyText),
  seesOthers: flag,
}

const totals = object<NonNullable<SessionsJson['totals']>>({
  active: number,
  idle: number,
  idleInTransaction: number,
  waiting: number,
  used: number,
  max: number,
})

export type SessionsPage = SessionsJson & Page
export const sessionsDocument = object<SessionsPage>({
  ...head,
  ...page,
  totals: orNull(totals),
  sessions: listOf(sessionJson),
}).openapi('Sessions')

/** Jams, worst first, and of those who wait behind the ones on this page so many. */
export type BlockingPage = BlockingJson & Page & { readonly sessionsLeftOut: number }
const blocking: Fields<BlockingPage> = {
  ...head,
  ...page,
  roots: listOf(rootJson),
  cycles: listOf(pids),
  sessions: listOf(sessionJson),
  sessionsLeftOut: number,
}
export const blockingDocument = object<BlockingPage>(blocking).openapi('Blocking')

export type MomentDocument = BlockingPage | NotSeenJson
const none = z.null()
export const momentDocument: z.ZodType<MomentDocument> = z
  .union([
    object<BlockingPage>(blocking),
    object<NotSeenJson>({
      ...{ cluster: anyText, takenAt: none, roots: none, cycles: none, sessions: none },
      notSeen: object<NotSeenJson['notSeen']>({
        at: time,
        why: orNull(anyText),
        before: orNull(time),
        after: orNull(time),
      }),
    }),
  ])
  .openapi('Moment')

export type SessionDocument = {
  readonly cluster: string
  readonly takenAt: string
  readonly session: SessionJson
  /** Sessions that it keeps waiting, directly or not. */
  readonly victims: readonly number[]
  /** The jam that it is a part of; null where it is in none. */
  readonly jam: RootJson | null
  /** The action that could be proposed for it; null: why none. */
  readonly mayPropose: { readonly action: 'cancel' | 'terminate' | null; readonly why: string }
}
export const sessionDocument = object<SessionDocument>({
  cluster: anyText,
  takenAt: time,
  session: sessionJson,
  victims: pids,
  jam: orNull(rootJson),
  mayPropose: object<SessionDocument['mayPropose']>({
    action: z.enum(['cancel', 'terminate']).nullable(),
    why: anyText,
  }),
}).openapi('SessionDetails')

const problem = object<Problem>({
  kind: anyText,
  severity: z.enum(['critical', 'warning', 'notice']),
  summary: anyText,
})
export type Problem = {
  readonly kind: string
  readonly severity: 'critical' | 'warning' | 'notice'
  readonly summary: string
}

export type HealthDocument = {
  readonly cluster: string
  readonly takenAt: string
  /** Time of the health check that this is from; null where none was made yet. */
  readonly checkedAt: string | null
  /** Reason why no health check could be made now; null where one was. */
  readonly unread: string | null
  readonly seesOthers: boolean
  readonly findings: readonly Problem[]
  /** From 0 to 100: how far the worst database is on its way to wraparound; null where it was not checked. */
  readonly wraparoundPercent: number | null
}
export const healthDocument = object<HealthDocument>({
  cluster: anyText,
  takenAt: time,
  checkedAt: orNull(time),
  unread: orNull(anyText),
  seesOthers: flag,
  findings: listOf(problem),
  wraparoundPercent: orNull(number),
}).openapi('Health')

type Incident = z.infer<typeof incidentPart>

export type ClusterState = {
  readonly name: string
  /** False while nothing is seen of it, which is not calm. */
  readonly seen: boolean
  readonly why: string | null
  /** Open incidents, worst first, and of all that are open so many are not here. */
  readonly incidents: readonly Incident[]
  readonly incidentsLeftOut: number
}
export type ClustersPage = Page & { readonly clusters: readonly ClusterState[] }
export const clustersDocument = object<ClustersPage>({
  ...page,
  clusters: listOf(
    object<ClusterState>({
      name: anyText,
      seen: flag,
      why: orNull(anyText),
      incidents: listOf(incidentPart),
      incidentsLeftOut: number,
    }).openapi('Cluster'),
  ),
}).openapi('Clusters')

/** Place of a card in Slack. `ts` and `permalink` are null until it stands there. */
export type CardPlace = {
  readonly channel: string
  readonly ts: string | null
  readonly permalink: string | null
}
const card = object<CardPlace>({
  channel: anyText,
  ts: orNull(anyText),
  permalink: orNull(anyText),
}).openapi('Card')

export type AskedDocument = z.infer<typeof proposalPart> & {
  readonly cluster: string
  readonly card: CardPlace
  /** Person who denied it, or alone approved it, and why; null for all others. */
  readonly decision: { readonly by: string; readonly reason: string | null } | null
  /** Number of people who have to approve it. */
  readonly needed: number
  /** The proposal that took its place by itself, as terminate for a cancel that had no effect. */
  readonly followedBy: string | null
}
export const askedDocument = proposalPart
  .extend({
    cluster: anyText,
    card,
    decision: orNull(
      object<NonNullable<AskedDocument['decision']>>({ by: anyText, reason: orNull(anyText) }),
    ),
    needed: number,
    followedBy: orNull(anyText),
  })
  .openapi('Proposal')

export type Happening = {
  readonly at: string
  readonly cluster: string
  readonly permalink: string | null
  /** Null for a request that is about no incident. */
  readonly incident: Incident | null
  readonly proposals: readonly z.infer<typeof proposalPart>[]
}
export type HistoryPage = Page & { readonly entries: readonly Happening[] }
export const historyDocument = object<HistoryPage>({
  ...page,
  entries: listOf(
    object<Happening>({
      at: time,
      cluster: anyText,
      permalink: orNull(anyText),
      incident: incidentPart.nullable(),
      proposals: listOf(proposalPart),
    }),
  ),
}).openapi('History')

/** Answers by the name of the operation. */
export const documents = {
  clusters: clustersDocument,
  sessions: sessionsDocument,
  blocking: blockingDocument,
  session: sessionDocument,
  health: healthDocument,
  history: historyDocument,
  at: momentDocument,
  propose: askedDocument,
  proposal: askedDocument,
}

export type Documents = { readonly [N in keyof typeof documents]: z.output<(typeof documents)[N]> }
