import { type Finding, totals } from '../domain/incidents/finding.ts'
import { type Recommendation, recommendationsFor } from '../domain/incidents/recommend.ts'
import type { Root } from '../domain/locks/blocking.ts'
import type { Expected } from '../domain/locks/option.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { fittingAction } from '../domain/session/allowedAction.ts'
import type { Protected } from '../domain/session/policy.ts'
import { isClient, type Session } from '../domain/session/session.ts'
import type { Tags } from '../domain/text/tags.ts'
import type { KnownMoment } from './moment.ts'

/** A session with the catalog's fields, who blocks it (what pg_blocking_pids says), and what its application says of itself. */
export type SessionJson = Session & { readonly blockedBy: readonly number[]; readonly tags: Tags }

export type RootJson = Pick<Root, 'pid' | 'kind' | 'victims' | 'oldestWaitSeconds'> & {
  /** Null for a prepared transaction, whose pid is 0. */
  readonly backendStart: string | null
  /** Null for a session. */
  readonly gid: string | null
  /** The best way out; `action` null: why nothing can be done from here. */
  readonly recommendation: {
    readonly action: 'cancel' | 'terminate' | null
    /** Pid of the session to end; not always the root. */
    readonly pid: number
    readonly backendStart: string | null
    /** Sentences: what to do, what it costs and who then proceeds; or why no action helps. */
    readonly reason: string
    /** Reason against the other action. */
    readonly otherwise: string | null
    /**
     * Sessions that it frees. Every victim that is not the target stands in exactly one list; all in `unsure` when
     * `action` is null.
     */
    readonly expected: Expected
    /** The other ways out, best first. */
    readonly others: readonly string[]
  }
}

type Head = {
  readonly cluster: string
  /** ISO 8601, by our clock. */
  readonly takenAt: string
  /** Time when the locks were read; null when they could not be. Older than `takenAt` in a lock storm. */
  readonly locksTakenAt: string | null
  /** Reason why the locks could not be read just now; null when they could. */
  readonly locksUnread: string | null
  /** False without pg_monitor: then calm means nothing. */
  readonly seesOthers: boolean
}

export type BlockingJson = Head & {
  readonly roots: readonly RootJson[]
  readonly cycles: readonly (readonly number[])[]
  /** Everybody who blocks or waits. */
  readonly sessions: readonly SessionJson[]
}

export type SessionsJson = Head & {
  /** Null where others' sessions cannot be seen: there is nothing to count. */
  readonly totals: ReturnType<typeof totals> | null
  /** Every client session, and server processes that block or wait. */
  readonly sessions: readonly SessionJson[]
}

/** Builds the output of `blocking --json`. `sessions` may be given with their statements. */
export function blockingJson(
  picture: Picture,
  protectedSessions: readonly Protected[],
  sessions: readonly Session[] = picture.snapshot.sessions,
): BlockingJson {
  const { forest } = picture
  const involved = involvedIn(picture)
  const recommendationFor = recommendationsFor(picture, { protectedSessions, sessions })
  return {
    ...headOf(picture),
    roots: forest.roots.map((root) => rootJson(root, picture, protectedSessions, recommendationFor)),
    cycles: forest.cycles,
    sessions: sessions.filter(({ pid }) => involved.has(pid)).map((session) => sessionJson(session, picture)),
  }
}

/** Builds the output of `sessions --json`. `sessions` may be given with their statements. */
export function sessionsJson(
  picture: Picture,
  sessions: readonly Session[] = picture.snapshot.sessions,
): SessionsJson {
  const involved = involvedIn(picture)
  return {
    ...headOf(picture),
    totals: picture.snapshot.server.seesOthers ? totals(picture.snapshot) : null,
    sessions: sessions
      .filter((session) => isClient(session) || involved.has(session.pid))
      .map((session) => sessionJson(session, picture)),
  }
}

function headOf({ snapshot, forestTakenAt }: Picture): Head {
  return {
    cluster: snapshot.cluster,
    takenAt: new Date(snapshot.takenAt).toISOString(),
    locksTakenAt: forestTakenAt === null ? null : new Date(forestTakenAt).toISOString(),
    locksUnread: snapshot.locks.kind === 'jammed' ? snapshot.locks.why : null,
    seesOthers: snapshot.server.seesOthers,
  }
}

const involvedIn = ({ forest }: Picture): Set<number> =>
  new Set([
    ...forest.roots.flatMap(({ pid, victims }) => [pid, ...victims]),
    ...forest.waits.keys(),
    ...forest.cycles.flat(),
  ])

/** Adds to a session who blocks it. */
export const sessionJson = (session: Session, { forest }: Picture): SessionJson => ({
  ...session,
  blockedBy: forest.blockedBy(session.pid),
  tags: session.tags ?? {},
})

function rootJson(
  root: Root,
  { snapshot }: Picture,
  protectedSessions: readonly Protected[],
  recommendationFor: (finding: Finding) => Recommendation | null,
): RootJson {
  const { pid, kind, victims, oldestWaitSeconds, prepared } = root
  const session = kind === 'session' ? (snapshot.sessions.find((one) => one.pid === pid) ?? null) : null
  const recommendation = recommendationFor({ kind: 'blocking', root, session })
  const target = recommendation?.target ?? null
  const fit = target && fittingAction(target.session, snapshot.server, protectedSessions)
  return {
    pid,
    backendStart: session?.backendStart ?? null,
    kind,
    gid: prepared?.gid ?? null,
    victims,
    oldestWaitSeconds,
    recommendation: {
      action: target?.action ?? null,
      pid: target?.session.pid ?? pid,
      backendStart: target?.session.backendStart ?? null,
      reason: recommendation?.text ?? 'It is gone since.',
      otherwise: fit && fit.action === target.action ? fit.otherwise : null,
      expected: target?.expected ?? { atOnce: [], follow: [], unsure: victims },
      others: recommendation?.others.map(({ text }) => text) ?? [],
    },
  }
}

/** Answer about a moment of the past at which nothing was seen: the fields of `blocking`, none of which can be taken for calm. */
export type NotSeenJson = { readonly [K in 'takenAt' | 'roots' | 'cycles' | 'sessions']: null } & {
  readonly cluster: string
  /** Reason why nothing was seen, where one was recorded; the nearest looks that saw something. ISO 8601. */
  readonly notSeen: {
    readonly at: string
    readonly why: string | null
    readonly before: string | null
    readonly after: string | null
  }
}

export const notSeenJson = (
  cluster: string,
  { at, why, before, after }: Pick<KnownMoment, 'at' | 'why' | 'before' | 'after'>,
): NotSeenJson => ({
  ...{ cluster, takenAt: null, roots: null, cycles: null, sessions: null },
  notSeen: { at: iso(at), why, before: orNever(before), after: orNever(after) },
})

const iso = (at: number): string => new Date(at).toISOString()
const orNever = (at: number | null): string | null => (at === null ? null : iso(at))
