import type { Button } from '@slack/types'
import { totals } from '../../domain/incidents/finding.ts'
import { type Filters, filterWords, quoted } from '../../domain/lists/filters.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import type { Thresholds } from '../../domain/session/policy.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { chartRows } from '../chart.ts'
import {
  type Block,
  bold,
  bullets,
  buttonRow,
  type ChartBlock,
  code,
  escapeText,
  header,
  type Leaf,
  type Line,
  moment,
  plainWords,
  preformatted,
  richText,
  section,
  table,
  text,
  truncate,
  unbroken,
  type View,
} from '../kit.ts'
import { count } from '../words.ts'

/** Facts that every answer needs besides the picture. */
export type AnswerContext = {
  readonly cluster: string
  /** With several clusters every command that is offered names this one. */
  readonly several: boolean
  readonly now: number
  readonly filters: Filters
  readonly thresholds: Thresholds
  /** Privileges that the role lacks; filled only when the sessions of others cannot be seen. */
  readonly missing: readonly { readonly what: string; readonly fix: string }[]
  /** Moment of the past that is shown; absent: now. */
  readonly past?: ShownMoment
}

/** Moment of the past that an answer is about: nothing in it can be acted on. */
export type ShownMoment = {
  /** Its time, for a title. */
  readonly when: string
  /** Its time as ISO 8601, for a command. */
  readonly iso: string
  /** Said first: how it was seen. */
  readonly notes: readonly Line[]
}

/** Titles an answer, with its time where that is not now. */
export const titled = (title: string, { past }: AnswerContext): string =>
  past ? `${title} at ${past.when}` : title

/** Parts that every answer about a picture has. */
export type PictureAnswer = { readonly picture: Picture; readonly asked: AnswerContext }

export type { Line } from '../kit.ts'

/** A piece of an answer. From the pieces come both the blocks and the same in plain words. */
export type Piece =
  | { readonly kind: 'lines'; readonly lines: readonly Line[] }
  | { readonly kind: 'bullets'; readonly lines: readonly Line[] }
  | {
      readonly kind: 'table'
      readonly head: readonly string[]
      readonly rows: readonly (readonly string[])[]
    }
  | { readonly kind: 'chart'; readonly chart: ChartBlock }
  | { readonly kind: 'preformatted'; readonly value: string }
  | { readonly kind: 'buttons'; readonly buttons: readonly Button[] }

/** `chat.update` takes no longer text: https://docs.slack.dev/reference/methods/chat.update */
const longestText = 3900

export const lines = (...of: readonly Line[]): Piece => ({ kind: 'lines', lines: of })

export function compose(title: string, pieces: readonly Piece[]): View {
  const flat = pieces.map(flatten)
  return {
    text: wholeLines([oneLine(escapeText(title), 200), ...flat.flatMap(wordsOf)], longestText),
    blocks: [header(oneLine(title, 150)), ...flat.flatMap(blocksOf)],
  }
}

/** A name may contain a line break: it must not begin a line of its own. */
function flatten(piece: Piece): Piece {
  const inLine = (value: string) => value.replaceAll('\n', ' ')
  const part = (of: Leaf | string): Leaf | string =>
    typeof of === 'string' ? inLine(of) : of.type === 'text' ? { ...of, text: inLine(of.text) } : of
  switch (piece.kind) {
    case 'lines':
    case 'bullets':
      return { ...piece, lines: piece.lines.map((line) => line.map(part)) }
    case 'table':
      return { ...piece, rows: piece.rows.map((row) => row.map(inLine)) }
    case 'chart':
    case 'preformatted':
    case 'buttons':
      return piece
  }
}

/** Heads of columns with statements. */
const copied = ['Statement', 'Name']

function blocksOf(piece: Piece): Block[] {
  switch (piece.kind) {
    case 'lines':
      return piece.lines.length === 0
        ? []
        : [
            richText(
              section(...piece.lines.flatMap((line, index) => (index > 0 ? [text('\n'), ...line] : line))),
            ),
          ]
    case 'bullets':
      return piece.lines.length === 0 ? [] : [richText(bullets(...piece.lines))]
    case 'table':
      // What is copied stays as it is; everything else keeps its numbers and units together.
      return [
        table([
          piece.head,
          ...piece.rows.map((row) =>
            row.map((cell, column) => (copied.includes(piece.head[column] ?? '') ? cell : unbroken(cell))),
          ),
        ]),
      ]
    case 'chart':
      return [piece.chart]
    case 'preformatted':
      return [richText(preformatted(piece.value))]
    case 'buttons':
      return buttonRow(...piece.buttons)
  }
}

function wordsOf(piece: Piece): string[] {
  switch (piece.kind) {
    case 'lines':
      return piece.lines.map(plainWords)
    case 'bullets':
      return piece.lines.map((line) => `- ${plainWords(line)}`)
    case 'table':
      return piece.rows.map((row) => row.map(escapeText).filter(Boolean).join(' | '))
    case 'chart':
      return [[piece.chart.title], ...chartRows(piece.chart)].map((row) => row.map(escapeText).join(' | '))
    case 'preformatted':
      return piece.value.split('\n').map((line) => escapeText(truncate(line, 600)))
    // Words are read, not pressed.
    case 'buttons':
      return []
  }
}

/**
 * Whole lines, as many as have room, how many are left out, and the last one, which says how old it all is. Escaped
 * text must not be cut inside of a line.
 */
function wholeLines(all: readonly string[], max: number): string {
  const fitting = all.map((line) => (line.length > max / 2 ? '…' : line))
  const last = fitting.at(-1) ?? ''
  const kept: string[] = []
  let length = last.length + 40
  for (const line of fitting.slice(0, -1)) {
    length += line.length + 1
    if (length > max)
      return [...kept, `… ${count(all.length - 1 - kept.length, 'more line')}`, last].join('\n')
    kept.push(line)
  }
  return fitting.join('\n')
}

/** A command to type, as `/pg long --db orders`; of the past, the same about its moment. */
export function commandTo(
  asked: Pick<AnswerContext, 'cluster' | 'several' | 'past'>,
  words: string,
  filters: Filters = {},
): Leaf {
  const parts = [
    asked.past ? `/pg at ${asked.past.iso}` : '/pg',
    words,
    filterWords(filters),
    asked.several ? `--cluster ${quoted(asked.cluster)}` : '',
  ]
  return code(parts.filter(Boolean).join(' '))
}

/** A sentence of ours in which what to type stands in backticks. */
export const codeParts = (sentence: string): Line =>
  sentence.split('`').flatMap((part, index) => (part === '' ? [] : [index % 2 === 1 ? code(part) : part]))

/** Says when the data was read, and how old it is now. */
export const asOf = (takenAt: number, now: number): Line => [
  'As of ',
  moment(takenAt),
  now - takenAt < 1000 ? ', just read.' : `, ${formatDuration((now - takenAt) / 1000)} old.`,
]

/** Counts the sessions by what they do, and the connections. */
function totalsWords({ snapshot }: Picture): string {
  const { active, idle, idleInTransaction, waiting, used, max } = totals(snapshot)
  // A role that may not see a session does not see either whether it is a client's.
  if (!snapshot.server.seesOthers) return 'How many sessions and connections there are is not to be seen'
  const connections = `${used} of ${max} connections used (${Math.round((used * 100) / Math.max(1, max))} %)`
  return [
    `${active} active`,
    `${idle} idle`,
    `${idleInTransaction} idle in transaction`,
    `${waiting} waiting for a lock`,
    connections,
  ].join(' · ')
}

export const footer = (picture: Picture, { past, now }: AnswerContext): Piece => {
  const { takenAt } = picture.snapshot
  const then: Line = ['As it was at ', moment(takenAt, '{date_short_pretty} {time_secs}'), '.']
  return lines([`${totalsWords(picture)}. `, ...(past ? then : asOf(takenAt, now))])
}

/** A threshold: `1 h`, `never`. */
export const limitOf = (seconds: number): string =>
  Number.isFinite(seconds) ? formatDuration(seconds) : 'never'

/** Names the threshold: `1 h`. Where rules differ, it says that it is not the same for all. */
export const limitFor = (seconds: number, { rules }: Thresholds): string => {
  const limit = Number.isFinite(seconds) ? formatDuration(seconds) : 'any limit'
  return rules.length > 0 ? `${limit} (or its rule’s limit)` : limit
}

/** `statement 1 h, idle in transaction 5 min, idle 30 min` */
export const thresholdWords = (thresholds: Thresholds): string =>
  [
    `statement ${limitOf(thresholds.queryLongerThanSeconds)}`,
    `idle in transaction ${limitOf(thresholds.idleInTransactionLongerThanSeconds)}`,
    `idle ${limitOf(thresholds.idleLongerThanSeconds)}`,
    ...(thresholds.rules.length > 0 ? ['or what its rule says'] : []),
  ].join(', ')

/** A statement in one line. */
export const oneLine = (query: string | null, max: number): string =>
  truncate(
    (query ?? '')
      .slice(0, 4 * max)
      .replaceAll(/\s+/g, ' ')
      .trim(),
    max,
  )

/** One helpful sentence; what to type stands in backticks. */
export const problemView = (sentence: string): View => compose('pg-marshal', [lines(codeParts(sentence))])

/** A cluster that cannot be asked: never to be mistaken for "all clear". */
export const failureView = (cluster: string, reason: string): View =>
  compose(`Cannot see ${cluster}`, [
    lines(
      [bold(`Cannot see ${cluster}: `), `${reason.replace(/\.$/, '')}.`],
      ['This says nothing about how it is doing. pg-marshal keeps trying.'],
    ),
  ])
