/**
 * Costs of statements, as pg_stat_statements counts them, and between two looks.
 * https://www.postgresql.org/docs/current/pgstatstatements.html
 */

/** One row of pg_stat_statements. Oids are numbers; a database or role that is gone has no name. */
export type StatementStats = {
  readonly userid: number
  readonly dbid: number
  readonly usename: string | null
  readonly datname: string | null
  /** False for one that ran inside a function (`pg_stat_statements.track = all`): its time is in the outer one's too. */
  readonly toplevel: boolean
  /** A 64-bit number as text; null where our role may not see whose it is. */
  readonly queryId: string | null
  readonly calls: number
  /** From the beginning to the end of its executions, waits and all. */
  readonly totalMs: number
  /** The longest of them. */
  readonly longestMs: number
}

/** All statements at one moment. Times are epoch seconds by the server's clock. */
export type StatementReading = {
  readonly readAt: number
  /** Since when everything is counted. */
  readonly resetAt: number
  /**
   * Number of times that the least used were thrown out since then, because there were more than
   * `pg_stat_statements.max`.
   */
  readonly evictions: number
  readonly statements: readonly StatementStats[]
}

/** Cost of one statement in the period that is shown. */
export type StatementCost = StatementStats & {
  /** Part of its time in which it was seen waiting for locks and the like. */
  readonly waitedMs: number
  /** The rest of its time. */
  readonly workMs: number
  /** Share of the work of all statements of the server in that period; 0 to 1. */
  readonly share: number
}

export type Top = {
  readonly since: 'reset' | 'lastLook'
  /** Seconds: how long the period is. */
  readonly seconds: number
  /** Most work first. */
  readonly statements: readonly StatementCost[]
  /** Number of statements that ran in the period, shown or not, and of those that match. */
  readonly ran: number
  readonly matching: number
  /** Work of all top-level statements in the period, and of those that match. */
  readonly workMs: number
  readonly matchingMs: number
  /** In the period. */
  readonly evictions: number
}

/** A difference over less than this says little. */
const shortestSeconds = 10
/** After this nobody remembers when the last look was. */
const longestSeconds = 3600

/**
 * The look to compare with: the newest that is not too fresh, nor so old that it means nothing, nor from before a reset.
 * @param looks newest last
 */
export const baselineAmong = (
  looks: readonly StatementReading[],
  now: StatementReading,
): StatementReading | null =>
  looks.findLast(({ readAt, resetAt, evictions }) => {
    const age = now.readAt - readAt
    return (
      age >= shortestSeconds &&
      age <= longestSeconds &&
      resetAt === now.resetAt &&
      // A server that came back from a backup of itself counts less than before.
      evictions <= now.evictions
    )
  }) ?? null

/**
 * The looks to keep for the next time: two, so that one who asks again at once, or somebody else in the channel, still
 * has one to compare with.
 */
export const looksToKeep = (
  looks: readonly StatementReading[],
  now: StatementReading,
): readonly StatementReading[] => {
  const last = looks.at(-1)
  const isFresh =
    last !== undefined && now.readAt - last.readAt < shortestSeconds && last.resetAt === now.resetAt
  return isFresh ? looks : [...looks, now].slice(-2)
}

/**
 * Chooses the statements that worked most, since the reset or since the baseline. A statement with a lower count than in
 * the baseline was thrown out or reset meanwhile, and one that is not in the baseline is new. Both count in full. That
 * may be a little less than what really ran, never more.
 * @param isMeant which statements are asked for; shares are of all
 * @param waitedMs finds for how long one was seen waiting in that time
 */
export function topOf(
  now: StatementReading,
  baseline: StatementReading | null,
  isMeant: (statement: StatementStats) => boolean,
  waitedMs: (statement: StatementStats) => number,
): Top {
  const before = new Map(baseline ? merged(baseline.statements) : [])
  const ran = [...merged(now.statements)].flatMap(([key, statement]) => {
    const known = before.get(key)
    const isSame = known && known.calls <= statement.calls && known.totalMs <= statement.totalMs
    const calls = statement.calls - (isSame ? known.calls : 0)
    const totalMs = statement.totalMs - (isSame ? known.totalMs : 0)
    if (calls <= 0) return []
    const waited = waitedMs({ ...statement, calls, totalMs })
    return [{ ...statement, calls, totalMs, waitedMs: waited, workMs: totalMs - waited }]
  })
  const workOf = (statements: readonly Omit<StatementCost, 'share'>[]) =>
    statements.reduce((sum, { toplevel, workMs }) => sum + (toplevel ? workMs : 0), 0)
  const workMs = workOf(ran)
  const matching = ran.filter(isMeant)
  return {
    since: baseline ? 'lastLook' : 'reset',
    seconds: Math.max(0, now.readAt - (baseline?.readAt ?? now.resetAt)),
    statements: matching
      .sort((a, b) => b.workMs - a.workMs || b.calls - a.calls)
      .map((statement) => ({ ...statement, share: workMs > 0 ? statement.workMs / workMs : 0 })),
    ran: ran.length,
    matching: matching.length,
    workMs,
    matchingMs: workOf(matching),
    evictions: now.evictions - (baseline?.evictions ?? 0),
  }
}

/** Statements that are shown, and the sums of those that are not. */
export type Folded = {
  readonly shown: readonly StatementCost[]
  /** Each less than one percent of all work, or more than an answer shows. */
  readonly small: { readonly count: number; readonly workMs: number }
  /** Left out by what they are. */
  readonly leftOut: { readonly count: number; readonly workMs: number }
}

/** A statement with a smaller share is shown only where there would be hardly any otherwise. */
const smallShare = 0.01
const fewest = 3

/** Folds what is small into one sum, and what is left out into another. */
export function foldStatements(
  statements: readonly StatementCost[],
  isLeftOut: (statement: StatementCost) => boolean,
  most: number,
): Folded {
  const kept = statements.filter((one) => !isLeftOut(one))
  const shown = kept.slice(0, most).filter(({ share }, index) => share >= smallShare || index < fewest)
  return {
    shown,
    small: sumOf(kept.slice(shown.length)),
    leftOut: sumOf(statements.filter(isLeftOut)),
  }
}

const sumOf = (statements: readonly StatementCost[]) => ({
  count: statements.length,
  workMs: statements.reduce((sum, { toplevel, workMs }) => sum + (toplevel ? workMs : 0), 0),
})

/** Merges statements that nothing distinguishes (no query id) into one. */
function merged(statements: readonly StatementStats[]): Map<string, StatementStats> {
  const byKey = new Map<string, StatementStats>()
  for (const statement of statements) {
    const key = statementKeyOf(statement)
    const known = byKey.get(key)
    byKey.set(
      key,
      known
        ? {
            ...known,
            calls: known.calls + statement.calls,
            totalMs: known.totalMs + statement.totalMs,
            longestMs: Math.max(known.longestMs, statement.longestMs),
          }
        : statement,
    )
  }
  return byKey
}

const statementKeyOf = ({ userid, dbid, queryId, toplevel }: StatementStats): string =>
  [userid, dbid, queryId, toplevel].join()

/** Under which a text is found: a statement reads the same inside of a function and outside. */
export const textKeyOf = ({
  userid,
  dbid,
  queryId,
}: Pick<StatementStats, 'userid' | 'dbid' | 'queryId'>): string => [userid, dbid, queryId].join()
