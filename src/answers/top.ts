import type { WatchedCluster } from '../commands/cluster.ts'
import type { TopQuestion } from '../commands/lookCommand.ts'
import { type Filters, namesMatch } from '../domain/lists/filters.ts'
import { runningIn } from '../domain/lists/selection.ts'
import {
  baselineAmong,
  foldStatements,
  looksToKeep,
  type StatementCost,
  type StatementReading,
  type Top,
  textKeyOf,
  topOf,
} from '../domain/lists/statements.ts'
import { noteWaits, noWaits, type StatementWaits, waitedSince } from '../domain/lists/statementWaits.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { processesOf } from '../host/measure.ts'
import { attempt, type Cluster, unreadable } from '../postgres/cluster.ts'
import type { AnswerContext } from '../views/answers/page.ts'
import { type StatementsSeen, topView } from '../views/answers/top.ts'
import type { View } from '../views/kit.ts'
import type { WatcherOf } from './clusters.ts'
import { shortStatement, textsOf } from './statements.ts'

/** Rows of the table: with cells as long as they may be it keeps within what Slack takes. */
const mostStatements = 15
/** Statements whose texts are read, because some of them may be left out. */
const mostRead = 100
const mostRunning = 8
/** Work of one look into the catalogs that takes no longer; milliseconds. A slow one is worth a row, whoever sends it. */
const briefMs = 100

export type TopAnswers = {
  answer(
    question: TopQuestion,
    watched: Pick<WatchedCluster, 'cluster' | 'config'>,
    picture: Picture,
    asked: AnswerContext,
  ): Promise<View>
  /** Notes who waits at a look, so that waiting does not count as work. */
  saw(snapshot: Snapshot): void
  /** Forgets who waited on a cluster that is not watched here any more: from now on it is not known. */
  left(cluster: string): void
}

/**
 * Remembers the last looks at each cluster, so that a later one shows what ran since, and for how long statements waited.
 * @param deps names who watches a cluster, and so knows how long one waited; if absent, one process watches all
 */
export function createTop({ watcherOf = () => null }: { readonly watcherOf?: WatcherOf } = {}): TopAnswers {
  const looksAt = new Map<string, readonly StatementReading[]>()
  const waitsAt = new Map<string, StatementWaits>()

  return {
    saw({ cluster, sessions, takenAt }) {
      waitsAt.set(cluster, noteWaits(waitsAt.get(cluster) ?? noWaits, sessions, takenAt))
    },
    left: (cluster) => void waitsAt.delete(cluster),
    async answer(question, { cluster, config }, picture, asked) {
      const running = runningIn(picture, asked.filters)
      const shown = running.slice(0, mostRunning)
      const [texts, processes, seen] = await Promise.all([
        textsOf(cluster, shown),
        processesOf(config, shown),
        see(cluster, question, asked.filters),
      ])
      return topView({
        picture,
        seen,
        running: { shown, more: running.length - shown.length, texts, processes },
        asked,
      })
    },
  }

  async function see(
    cluster: Cluster,
    { sinceReset, all }: TopQuestion,
    filters: Filters,
  ): Promise<StatementsSeen> {
    const read = await attempt(() => cluster.statementStats.read(), unreadable)
    if ('unread' in read) return { kind: 'unread', reason: read.unread }
    if (read.kind === 'missing') return read
    const { reading, isRecording, role } = read
    const looks = looksAt.get(cluster.name) ?? []
    looksAt.set(cluster.name, looksToKeep(looks, reading))
    const baseline = sinceReset ? null : baselineAmong(looks, reading)
    const waits = waitsAt.get(cluster.name) ?? noWaits
    const countedFrom = 1000 * (baseline?.readAt ?? reading.resetAt)
    const waitedMs = waitedSince(waits, countedFrom)
    const top: Top = topOf(reading, baseline, (statement) => namesMatch(statement, filters), waitedMs)
    const texts = await attempt(
      () => cluster.statementStats.texts(top.statements.slice(0, mostRead), shortStatement),
      () => null,
    )
    const isOwn = (one: StatementCost) =>
      one.usename === role ||
      (texts?.get(textKeyOf(one))?.isHousekeeping === true && one.workMs / one.calls < briefMs)
    return {
      kind: 'read',
      top,
      folded: foldStatements(top.statements, (one) => !all && isOwn(one), mostStatements),
      waitsSince: waits.since !== null && waits.since > countedFrom ? waits.since : null,
      waitsKnownTo: waits.since === null ? watcherOf(cluster.name) : null,
      texts,
      isRecording,
    }
  }
}
