import { filterWords, hasFilters } from '../../domain/lists/filters.ts'
import { type Folded, type StatementCost, type Top, textKeyOf } from '../../domain/lists/statements.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import type { Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { bold, clean, code, moment, truncate, type View } from '../kit.ts'
import { count, stateOf, waitEventOf, whoOf } from '../words.ts'
import { notices } from './notices.ts'
import {
  type AnswerContext,
  commandTo,
  compose,
  footer,
  type Line,
  lines,
  oneLine,
  type PictureAnswer,
  type Piece,
} from './page.ts'
import { cpuWords, diskWords, type ShownProcess } from './processes.ts'

/** Result of pg_stat_statements. `texts` is keyed by `textKeyOf`, and null when the texts could not be read. */
export type StatementsSeen =
  | {
      readonly kind: 'read'
      readonly top: Top
      readonly folded: Folded
      /** Since when waits were looked for, where that was later than what was counted began, milliseconds since the epoch; null: it was not. */
      readonly waitsSince: number | null
      /** Name of the replica that looks for waits, where this one does not; null where it does. */
      readonly waitsKnownTo: string | null
      readonly texts: ReadonlyMap<string, { readonly shown: string | null }> | null
      readonly isRecording: boolean
    }
  | { readonly kind: 'missing'; readonly missing: { readonly what: string; readonly fix: string } }
  | { readonly kind: 'unread'; readonly reason: string }

/** Statements that run now. `texts` and `processes` are keyed by pid, processes where they can be seen; `more` counts those without a line. */
export type Running = {
  readonly shown: readonly Session[]
  readonly more: number
  readonly texts: ReadonlyMap<number, string | null>
  readonly processes: ReadonlyMap<number, ShownProcess>
}

/** Shows the statements that ran most, and those that run now. */
export function topView({
  picture,
  seen,
  running,
  asked,
}: PictureAnswer & { readonly seen: StatementsSeen; readonly running: Running }): View {
  return compose(`What runs most on ${asked.cluster}`, [
    lines(...notices(picture, asked)),
    ...statementPieces(seen, asked),
    lines([bold(runningTitle(picture, running, asked))]),
    { kind: 'bullets', lines: running.shown.map((session) => runningLine(session, running)) },
    lines(
      ...(running.more > 0
        ? [[`${running.more} more: `, commandTo(asked, 'sessions', { ...asked.filters, state: 'active' })]]
        : []),
    ),
    footer(picture, asked),
  ])
}

function statementPieces(seen: StatementsSeen, asked: AnswerContext): Piece[] {
  switch (seen.kind) {
    case 'missing':
      return [
        lines(
          [bold('What ran before is not known. '), seen.missing.what],
          ...seen.missing.fix.split('\n').map((command): Line => [code(command)]),
        ),
      ]
    case 'unread':
      return [lines([bold('pg_stat_statements was not read: '), seen.reason])]
    case 'read':
      return read(seen, asked)
  }
}

function read(
  { top, folded, waitsSince, waitsKnownTo, texts, isRecording }: StatementsSeen & { kind: 'read' },
  asked: AnswerContext,
): Piece[] {
  const { shown, small, leftOut } = folded
  const rows = shown.map((statement) => row(statement, texts))
  const beginsLater = top.since === 'lastLook' || shown.some(({ waitedMs }) => waitedMs > 0)
  return [
    lines(...headlines(top, asked)),
    ...(rows.length > 0
      ? [
          {
            kind: 'table',
            head: ['Work', 'Share', 'Waited', 'Calls', 'Mean', 'Who', 'Statement'],
            rows,
          } as const,
        ]
      : []),
    lines(
      ...(small.count > 0
        ? [
            [
              `${number(small.count)} more with less: ${milliseconds(small.workMs)}${ofAll(small.workMs, top)} together.`,
            ],
          ]
        : []),
      ...(leftOut.count > 0
        ? [
            [
              `Left out, ${count(leftOut.count, 'statement')} of mine and of drivers that read catalogs or set up sessions: ${milliseconds(leftOut.workMs)}${ofAll(leftOut.workMs, top)}. With them: `,
              commandTo(asked, top.since === 'reset' ? 'top total all' : 'top all', asked.filters),
            ],
          ]
        : []),
      ...(beginsLater && waitsSince !== null
        ? [['How long one waited is known since I watch, ', moment(waitsSince), '.']]
        : []),
      ...(rows.length > 0 && waitsKnownTo !== null
        ? [
            [
              `${truncate(clean(waitsKnownTo), 63)} watches ${asked.cluster}, and I do not know how long one waited: waits count as work here.`,
            ],
          ]
        : []),
      ...(texts === null ? [['Their texts could not be read.']] : []),
      ...(top.evictions > 0
        ? [
            [
              `The least used were thrown out ${count(top.evictions, 'time')} meanwhile, so rare statements are missing: raise `,
              code('pg_stat_statements.max'),
              '.',
            ],
          ]
        : []),
      ...(isRecording
        ? []
        : [
            [
              bold('Nothing is counted at the moment: '),
              code('compute_query_id'),
              ' must not be off, nor ',
              code('pg_stat_statements.track'),
              ' none.',
            ],
          ]),
      ...(top.since === 'lastLook'
        ? [['Since the last reset: ', commandTo(asked, 'top total', asked.filters)]]
        : []),
    ),
  ]
}

function headlines(top: Top, { filters }: AnswerContext): Line[] {
  const period =
    top.since === 'lastLook'
      ? `in the last ${formatDuration(top.seconds)}, since the last look`
      : `since the statistics were reset ${formatDuration(top.seconds)} ago`
  if (top.ran === 0) return [[bold(`No statement ended ${period}.`)]]
  const share = ofAll(top.matchingMs, top)
  return [
    [
      bold(
        `${number(top.ran)} ${top.ran === 1 ? 'statement' : 'different statements'} worked for ${milliseconds(top.workMs)} ${period}.`,
      ),
    ],
    ...(hasFilters(filters)
      ? [
          [
            `${number(top.matching)} of them ${top.matching === 1 ? 'matches' : 'match'} `,
            code(filterWords(filters)),
            `: ${milliseconds(top.matchingMs)}${share}.`,
          ],
        ]
      : []),
  ]
}

const ofAll = (ms: number, { workMs }: Top): string => (workMs > 0 ? ` (${shareText(ms / workMs)})` : '')

/** Cells are cut so that fifteen rows keep within what Slack takes of a table: 10,000 characters. */
function row(
  statement: StatementCost,
  texts: ReadonlyMap<string, { readonly shown: string | null }> | null,
): string[] {
  const { workMs, waitedMs, share, calls, usename, datname, toplevel, queryId } = statement
  const who = [usename ?? 'role gone', datname ?? 'database gone'].map((name) => truncate(clean(name), 30))
  const text = queryId === null ? 'not to be seen' : (texts?.get(textKeyOf(statement))?.shown ?? null)
  return [
    milliseconds(workMs),
    shareText(share),
    waitedMs > 0 ? milliseconds(waitedMs) : '',
    number(calls),
    milliseconds(workMs / calls),
    who.join(' · '),
    `${toplevel ? '' : 'in a function: '}${oneLine(text, 160)}`,
  ]
}

function runningTitle({ snapshot }: Picture, { shown, more }: Running, { filters }: AnswerContext): string {
  if (!snapshot.server.seesOthers) return 'What runs now is not to be seen.'
  const matching = hasFilters(filters) ? ' that matches' : ''
  if (shown.length === 0) return `Nothing${matching} runs now.`
  return `${count(shown.length + more, 'statement runs', 'statements run')} now, longest first:`
}

function runningLine(session: Session, { texts, processes }: Running): Line {
  const process = processes.get(session.pid)
  const parts = [
    stateOf(session).replace(/^active for /, ''),
    truncate(whoOf(session), 80),
    waitEventOf(session),
    ...(process ? [cpuWords(process.backend, process.share), diskWords(process.backend)] : []),
    oneLine(texts.get(session.pid) ?? session.query, 140),
  ]
  return [bold(String(session.pid)), ` · ${parts.filter(Boolean).join(' · ')}`]
}

/** `0.04 ms`, `3.2 ms`, `340 ms`, and as an age from a second on. */
const milliseconds = (ms: number): string =>
  ms >= 1000
    ? ms < 10_000
      ? `${(ms / 1000).toFixed(1)} s`
      : formatDuration(ms / 1000)
    : `${ms >= 100 ? Math.round(ms) : Number(ms.toPrecision(2))} ms`

const shareText = (share: number): string =>
  share > 0 && share < 0.01 ? '< 1 %' : `${Math.round(share * 100)} %`

/** `1,234,567` */
const number = (n: number): string => n.toLocaleString('en-US')
