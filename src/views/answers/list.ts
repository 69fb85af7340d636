import { filterWords, hasFilters } from '../../domain/lists/filters.ts'
import type { List } from '../../domain/lists/selection.ts'
import { type Session, waitsForLock } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import { bold, code, truncate, type View } from '../kit.ts'
import { count, stateOf, whoOf } from '../words.ts'
import { notices } from './notices.ts'
import {
  type AnswerContext,
  compose,
  footer,
  type Line,
  limitFor,
  lines,
  oneLine,
  type PictureAnswer,
  titled,
} from './page.ts'
import { narrower, whyShown } from './sessions.ts'

const titles = { long: 'Long-running', idle: 'Idle' } as const

type ListAnswer = PictureAnswer & {
  readonly kind: keyof typeof titles
  readonly chosen: List
  /** Statements by pid, where they were fetched. */
  readonly texts: ReadonlyMap<number, string | null>
}

/** `/pg long` and `/pg idle`: those past their threshold, oldest first; without any the oldest few. */
export function listView({ picture, kind, chosen, texts, asked }: ListAnswer): View {
  const { sessions, hidden } = chosen
  const rows = sessions.map((session) => [
    String(session.pid),
    truncate(whoOf(session), 80),
    truncate(stateOf(session), 60),
    truncate(whyShown(session, picture.forest), 120),
    oneLine(texts.get(session.pid) ?? session.query, 100),
  ])
  return compose(titled(`${titles[kind]} sessions on ${asked.cluster}`, asked), [
    lines(
      ...notices(picture, asked),
      ...(picture.snapshot.server.seesOthers ? [headline(kind, chosen, asked)] : []),
    ),
    ...(rows.length > 0
      ? [{ kind: 'table', head: ['PID', 'Who', 'State', 'Why', 'Statement'], rows } as const]
      : []),
    lines(...more(hidden, asked)),
    footer(picture, asked),
  ])
}

function headline(
  kind: keyof typeof titles,
  { sessions, hidden, past }: List,
  { filters, thresholds }: AnswerContext,
): Line {
  const limit = (seconds: number) =>
    filters.olderSeconds === undefined ? limitFor(seconds, thresholds) : formatDuration(filters.olderSeconds)
  const { olderSeconds: _, ...names } = filters
  const among: Line = hasFilters(names) ? [' (', code(filterWords(names)), ')'] : []
  const what =
    kind === 'long'
      ? `${count(past, 'active session')} with a statement or transaction older than ${limit(thresholds.queryLongerThanSeconds)}`
      : filters.olderSeconds === undefined
        ? `${count(past, 'session')} idle in transaction for more than ${limit(thresholds.idleInTransactionLongerThanSeconds)}, or idle for more than ${limit(thresholds.idleLongerThanSeconds)}`
        : `${count(past, 'session')} idle, in a transaction or not, for more than ${limit(0)}`
  const nothing = past === 0 && sessions.length > 0 ? ` The ${kind === 'long' ? 'oldest' : 'longest'}:` : ''
  const waiting = kind === 'long' ? [...sessions, ...hidden].filter(waitsForLock).length : 0
  const wait = past === 0 || waiting === 0 ? '' : `, ${waitingOf(waiting, past)}`
  return [
    bold(past === 0 ? what.replace(/^0/, 'No').replace(/^No (active )?sessions/, 'No $1session') : what),
    ...among,
    `${wait}.${nothing}`,
  ]
}

const waitingOf = (waiting: number, all: number): string =>
  all === 1 ? 'which waits for a lock' : `${waiting === all ? 'all' : waiting} of them waiting for a lock`

/** Counts the sessions without a row, and offers a filter that shows most of them. */
function more(hidden: readonly Session[], asked: AnswerContext): Line[] {
  if (hidden.length === 0) return []
  const apps = Map.groupBy(hidden, ({ applicationName }) => applicationName)
  const [most] = [...apps].sort(([, a], [, b]) => b.length - a.length)
  const example: Line =
    most?.[0] && asked.filters.app === undefined && apps.size > 1
      ? [` (${most[1].length} of them: `, code(filterWords({ app: most[0] })), ')']
      : []
  return [[`${hidden.length} more: narrow it with ${list(narrower(asked))}`, ...example, '.']]
}
