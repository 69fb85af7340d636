import { preventionsIn } from '../../domain/advice/reportPreventions.ts'
import type { PastHolder, PastWait, PastWay, Report, Share } from '../../domain/history/report.ts'
import { middle } from '../../domain/history/report.ts'
import { sessionsByPid } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { treeLines } from '../answers/blocking.ts'
import { oneLine } from '../answers/page.ts'
import { shortId } from '../card/card.ts'
import { incidentWords } from '../card/headline.ts'
import { bold, code, type Line, moment } from '../kit.ts'
import { count, lockOf, nameOf, onOneLine, shortNameAndPid } from '../words.ts'
import { type Figure, limitsOf, reportFigures, summaryOf } from './summary.ts'
import { type TimelineEntry, timelineOf } from './timeline.ts'

/** The report in words, for each way to show it. Names in it come from the database: what shows it escapes them. */
export type WrittenReport = {
  readonly title: string
  readonly id: string
  readonly summary: readonly Line[]
  readonly figures: readonly Figure[]
  /** The jam at its worst, a line for each session; empty where none was seen. */
  readonly tree: readonly string[]
  readonly timeline: readonly TimelineEntry[]
  readonly ways: readonly Line[]
  readonly preventions: readonly Line[]
  readonly holders: readonly HolderWords[]
  readonly tables: readonly Table[]
  readonly limits: readonly Line[]
}

export type HolderWords = { readonly line: Line; readonly did: readonly Line[] }

export type Table = {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly (string | Line)[])[]
  /** Rows that are left out. */
  readonly more: number
}

const mostShares = 10
const mostWaits = 30
const longestStatement = 300

/** Writes a report. `holderLine` and the like stand in summary.ts. */
export function writeReport(report: Report): WrittenReport {
  return {
    title: incidentWords(report.incident),
    id: shortId(report.incident.id),
    summary: summaryOf(report),
    figures: reportFigures(report),
    tree: treeOf(report),
    timeline: timelineOf(report),
    ways: report.ways.map(wayLine),
    preventions: preventionLines(report),
    holders: report.holders.slice(0, 10).map(holderWords),
    tables: tablesOf(report),
    limits: limitsOf(report),
  }
}

function treeOf({ worst }: Report): string[] {
  if (!worst) return []
  const { snapshot, forest, trees } = worst
  const picture = { snapshot, forest, forestTakenAt: snapshot.takenAt }
  const texts = new Map(snapshot.sessions.map(({ pid, query }) => [pid, query]))
  const sessions = sessionsByPid(snapshot.sessions)
  return trees.trees.flatMap((tree) => treeLines(tree, sessions, texts, picture))
}

const wayLine = ({ at, waiting, recommendation: { target, text } }: PastWay): Line => [
  'From ',
  moment(at),
  ' on ',
  bold(target ? `${target.action} ${shortNameAndPid(target.session)}` : 'no way from here'),
  ` (${count(waiting, 'session waits', 'sessions wait')}): ${text}`,
]

/** Lists the limits that would have cut it short, and first what its card names, where that is another one. */
function preventionLines(report: Report): Line[] {
  const { prevention } = report.incident
  const limits = preventionsIn(report)
  const isAmong = limits.some(({ statement }) => statement === prevention)
  const all = middle(report.cost)
  const share = all > 0 ? ` of the ${formatDuration(all)} that were waited in all` : ''
  return [
    ...(prevention === undefined || isAmong ? [] : [[code(onOneLine(prevention))]]),
    ...limits.map(({ trouble, statement, pid, at, spared }) => [
      bold(`${onOneLine(trouble)} `),
      code(onOneLine(statement)),
      ` would have stopped ${pid} at `,
      moment(at),
      ` and spared ${formatDuration(spared)}${share} (session time).`,
    ]),
  ]
}

function holderWords(holder: PastHolder): HolderWords {
  const { session, prepared, pid } = holder
  const name = session
    ? nameOf(session)
    : prepared
      ? `Prepared transaction ${onOneLine(prepared.gid)}`
      : `${pid}`
  return {
    line: [
      bold(name),
      ` stood in the way from `,
      moment(holder.from),
      ' to ',
      moment(holder.to),
      `; at most ${count(holder.mostVictims, 'session')} waited behind it.`,
    ],
    did: holder.did.map(
      ({ at, state, query }): Line => [
        moment(at),
        ' ',
        ...(query === null ? [state ?? 'in an unseen state'] : [code(oneLine(query, longestStatement))]),
      ],
    ),
  }
}

function tablesOf({ cost, waits, incident }: Report): Table[] {
  const { applications, users, databases, statements, relations, rolledBack } = cost
  return [
    shares('Statements that waited', 'Statement', statements, true),
    shares('Applications', 'Application', applications),
    shares('Users', 'User', users),
    shares('Databases', 'Database', databases),
    shares('Relations waited for', 'Relation', relations),
    {
      title: 'Ended by an approval',
      head: ['Session', 'Action', 'Work', 'Wrote'],
      rows: rolledBack.map(({ session, action, seconds, wrote }) => [
        nameOf(session),
        action,
        seconds === null
          ? 'not known'
          : `${action === 'terminate' ? 'a transaction' : 'a statement'} of ${formatDuration(seconds)}`,
        wrote ? 'most likely: it had a transaction id' : 'nothing: it had no transaction id',
      ]),
      more: 0,
    },
    {
      title: 'Who waited',
      head: ['PID', 'Who', 'Waited for', 'From', 'Waited', 'Statement'],
      rows: waits.slice(0, mostWaits).map((wait) => waitRow(wait, incident.resolvedAt === null)),
      more: Math.max(0, waits.length - mostWaits),
    },
  ].filter(({ rows }) => rows.length > 0)
}

function shares(title: string, of: string, all: readonly Share[], isStatement = false): Table {
  return {
    title,
    head: [of, 'Sessions', 'Waited (session time)'],
    rows: all
      .slice(0, mostShares)
      .map(({ name, sessions, seconds }): (string | Line)[] => [
        isStatement ? [code(oneLine(name, longestStatement))] : onOneLine(name) || '(no name)',
        String(sessions),
        formatDuration(seconds),
      ]),
    more: Math.max(0, all.length - mostShares),
  }
}

function waitRow(wait: PastWait, isOpen: boolean): (string | Line)[] {
  const { session, from, least, most, overAt } = wait
  const spread = (most - least) / 2
  return [
    String(session.pid),
    [session.applicationName, session.usename, session.datname]
      .filter(Boolean)
      .map((name) => onOneLine(String(name)))
      .join(' · '),
    wait.wait ? lockOf(wait.wait, session) : 'not seen',
    [moment(from)],
    `${formatDuration(middle(wait))}${overAt === null && isOpen ? ' so far' : spread >= 0.5 ? ` ± ${formatDuration(spread)}` : ''}`,
    session.query === null ? '' : [code(oneLine(session.query, longestStatement))],
  ]
}
