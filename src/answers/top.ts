import type { TopQuestion } from '../commands/command.ts'
import { type Filters, namesMatch } from '../domain/lists/filters.ts'
import { runningIn } from '../domain/lists/selection.ts'
import {
  baselineAmong,
  looksToKeep,
  type StatementReading,
  type Top,
  topOf,
} from '../domain/lists/statements.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { attempt, type Cluster, unreadable } from '../postgres/cluster.ts'
import type { AnswerContext } from '../views/answers/page.ts'
import { type StatementsSeen, topView } from '../views/answers/top.ts'
import type { View } from '../views/kit.ts'
import { shortStatement, textsOf } from './statements.ts'

/** Rows of the table: with cells as long as they may be it keeps within what Slack takes. */
const mostStatements = 15
const mostRunning = 8

/** Remembers the last looks at each cluster, so that a later one shows what ran since. */
export function createTop() {
  const looksAt = new Map<string, readonly StatementReading[]>()

  return async (
    { sinceReset }: TopQuestion,
    cluster: Cluster,
    picture: Picture,
    asked: AnswerContext,
  ): Promise<View> => {
    const running = runningIn(picture, asked.filters)
    const shown = running.slice(0, mostRunning)
    const [texts, seen] = await Promise.all([
      textsOf(cluster, shown),
      see(cluster, sinceReset, asked.filters),
    ])
    return topView({ picture, seen, running: { shown, more: running.length - shown.length, texts }, asked })
  }

  async function see(cluster: Cluster, sinceReset: boolean, filters: Filters): Promise<StatementsSeen> {
    const read = await attempt(() => cluster.statementStats.read(), unreadable)
    if ('unread' in read) return { kind: 'unread', reason: read.unread }
    if (read.kind === 'missing') return read
    const { reading, isRecording } = read
    const looks = looksAt.get(cluster.name) ?? []
    looksAt.set(cluster.name, looksToKeep(looks, reading))
    const baseline = sinceReset ? null : baselineAmong(looks, reading)
    const top: Top = topOf(reading, baseline, (statement) => namesMatch(statement, filters), mostStatements)
    const texts = await attempt(
      () => cluster.statementStats.texts(top.statements, shortStatement),
      () => null,
    )
    return { kind: 'read', top, texts, isRecording }
  }
}
