import { filterWords, hasFilters, noFilters } from '../../domain/lists/filters.ts'
import type { Group, GroupKind, JamRow, Selection } from '../../domain/lists/selection.ts'
import type { Forest } from '../../domain/locks/blocking.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import { isClient, type Session, waitsForLock } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { capital, list } from '../../domain/text/sentence.ts'
import { bold, code, truncate, type View } from '../kit.ts'
import {
  count,
  holderOf,
  lockOf,
  loggingInWords,
  partyWords,
  saturationWords,
  stateOf,
  waitEventOf,
  waitedFor,
  whoOf,
} from '../words.ts'
import { askAgain, notices } from './notices.ts'
import { type Advice, optionLines } from './options.ts'
import {
  type AnswerContext,
  commandTo,
  compose,
  footer,
  type Line,
  limitFor,
  lines,
  oneLine,
  type PictureAnswer,
  thresholdWords,
  titled,
} from './page.ts'

/** The sessions whose statements the view shows. */
export const sessionsShown = ({ jams, groups }: Selection): Session[] => [
  ...jams.flatMap((jam) => (jam.kind === 'root' ? (jam.session ?? []) : jam.sessions.slice(0, 1))),
  ...groups.flatMap(({ sessions }) => sessions),
]

type SessionsAnswer = PictureAnswer & {
  readonly selection: Selection
  /** Statements by pid, where they were fetched. */
  readonly texts: ReadonlyMap<number, string | null>
  /** The least costly way to end each of the worst jams. */
  readonly advice: readonly Advice[]
}

/** Shows who blocks whom, then what takes long, then totals. */
export function sessionsView({ picture, selection, texts, advice, asked }: SessionsAnswer): View {
  const { jams, groups } = selection
  const rows = [
    ...jams.map((jam) => jamRow(jam, picture, texts)),
    ...groups.flatMap((group) =>
      group.sessions.map((session) => sessionRow(group.kind, session, picture.forest, texts)),
    ),
  ]
  return compose(titled(`Sessions on ${asked.cluster}`, asked), [
    lines(...notices(picture, asked), ...summary(picture, selection, asked)),
    ...(rows.length > 0
      ? [{ kind: 'table', head: ['What', 'PID', 'Who', 'State', 'Why', 'Statement'], rows } as const]
      : []),
    lines(...optionLines(advice, asked, { mostJams: 5, mostOthers: 0 }), ...more(selection, asked)),
    footer(picture, asked),
  ])
}

const groupWords: Record<GroupKind, (n: number, asked: AnswerContext) => string> = {
  suspect: (n) => `${count(n, 'session')} idle in a transaction may be behind it`,
  waiting: (n, asked) =>
    `${count(n, 'session waits', 'sessions wait')} for a lock, and who holds it was not to be seen in that moment: ${askAgain(asked)}`,
  longQuery: (n, { thresholds }) =>
    `${count(n, 'statement runs', 'statements run')} for longer than ${limitFor(thresholds.queryLongerThanSeconds, thresholds)}`,
  idleInTransaction: (n, { thresholds }) =>
    `${count(n, 'session is', 'sessions are')} idle in transaction for longer than ${limitFor(thresholds.idleInTransactionLongerThanSeconds, thresholds)}`,
  idle: (n, { thresholds }) =>
    `${count(n, 'session is', 'sessions are')} idle for longer than ${limitFor(thresholds.idleLongerThanSeconds, thresholds)}`,
  other: (n, { filters }) =>
    hasFilters(filters)
      ? `${count(n, 'other session matches', 'other sessions match')}`
      : 'the oldest that do something are shown',
}

function summary(picture: Picture, selection: Selection, asked: AnswerContext): Line[] {
  const { snapshot, forest } = picture
  const filtered: Line[] =
    hasFilters(asked.filters) && snapshot.server.seesOthers
      ? [
          [
            `${selection.matching} of ${count(selection.clients, 'session')} match `,
            code(filterWords(asked.filters)),
            '.',
            ...(selection.otherJams > 0
              ? [
                  ` ${count(selection.otherJams, 'root does', 'roots do')} not, see `,
                  commandTo(asked, 'blocking'),
                  '.',
                ]
              : []),
          ],
        ]
      : []
  const jams = selection.jams.length + selection.moreJams
  const longest = Math.max(
    0,
    ...selection.jams.map((jam) =>
      jam.kind === 'root' ? (jam.root.oldestWaitSeconds ?? 0) : cycleWait(jam, forest),
    ),
  )
  const trouble: Line[] = [
    ...(jams > 0
      ? [
          [
            bold(
              `${jamWords(selection, jams, asked)}${hasFilters(asked.filters) ? '' : loggingInWords(picture)}, the longest for ${formatDuration(longest)}.`,
            ),
          ],
        ]
      : []),
    ...selection.groups
      .filter(({ kind }) => kind !== 'other' && kind !== 'suspect')
      .map(
        ({ kind, sessions, more: hidden }): Line => [
          `${capital(groupWords[kind](sessions.length + hidden, asked))}.`,
        ],
      ),
    ...saturationLines(selection),
  ]
  return [...filtered, ...(trouble.length > 0 ? trouble : calm(snapshot.sessions, selection, picture, asked))]
}

/** Said only where it was seen. */
function calm(
  all: readonly Session[],
  selection: Selection,
  { snapshot }: Picture,
  asked: AnswerContext,
): Line[] {
  if (!snapshot.server.seesOthers || snapshot.locks.kind === 'jammed') return []
  const others = selection.groups.find(({ kind }) => kind === 'other')
  const shown = others && !hasFilters(asked.filters) ? ' The oldest that do something:' : ''
  const past = `nothing is past its threshold (${thresholdWords(asked.thresholds)})`
  if (!hasFilters(asked.filters))
    return [
      [bold(all.some(waitsForLock) ? `${capital(past)}.` : `Nobody waits for a lock, and ${past}.`), shown],
    ]
  if (selection.matching === 0) return known(all.filter(isClient), asked)
  return [[`Among them nobody blocks others or waits, and ${past}.`]]
}

/** Connections are running out: how many are used, and who holds most of them. */
const saturationLines = ({ saturation }: Selection): Line[] =>
  saturation
    ? [
        [
          bold(`${saturationWords(saturation)} `),
          'Most by ',
          saturation.holders
            .slice(0, 3)
            .map((holder) => truncate(`${holderOf(holder)} (${holder.count})`, 120))
            .join('; '),
          '.',
        ],
      ]
    : []

/** Lists the names that exist when no session has the name that was asked for. */
function known(sessions: readonly Session[], { filters }: AnswerContext): Line[] {
  const names = (what: string, of: (session: Session) => string | null): Line[] => {
    const counted = Map.groupBy(sessions, of)
    const most = [...counted].filter(([name]) => name).sort(([, a], [, b]) => b.length - a.length)
    return most.length === 0
      ? []
      : [
          [
            `${what}: `,
            most
              .slice(0, 5)
              .map(([name, { length }]) => `${oneLine(name, 40)} (${length})`)
              .join(', '),
            '.',
          ],
        ]
  }
  return [
    ...(filters.db === undefined ? [] : names('Databases in use', ({ datname }) => datname)),
    ...(filters.user === undefined ? [] : names('Users', ({ usename }) => usename)),
    ...(filters.app === undefined ? [] : names('Applications', ({ applicationName }) => applicationName)),
  ]
}

function jamWords(selection: Selection, jams: number, { filters }: AnswerContext): string {
  const noun = jamNoun(selection)
  if (hasFilters(filters)) return `${count(jams, noun)} with matching sessions: others wait`
  const waiting = count(selection.waiting, 'session waits', 'sessions wait')
  return selection.jams.every((jam) => jam.kind === 'cycle' && jam.victims.length === jam.pids.length)
    ? `${count(selection.waiting, 'session')} wait for each other`
    : `${waiting} behind ${count(jams, noun)}`
}

/** Sessions that wait for each other have no root. */
const jamNoun = ({ jams }: Selection): string => (jams.some(({ kind }) => kind === 'cycle') ? 'jam' : 'root')

const cycleWait = ({ pids }: { readonly pids: readonly number[] }, forest: Forest): number =>
  Math.max(0, ...pids.map((pid) => forest.waits.get(pid)?.seconds ?? 0))

const whatWords: Record<GroupKind, string> = {
  suspect: 'suspect',
  waiting: 'waits',
  longQuery: 'long statement',
  idleInTransaction: 'idle in transaction',
  idle: 'long idle',
  other: '',
}

/** Cells are cut so that twenty rows keep within what Slack takes of a table: 10,000 characters. */
const cells = (
  ...[what, pid, who, state, why, statement]: [string, string, string, string, string, string]
) => [
  truncate(what, 24),
  pid,
  truncate(who, 80),
  truncate(state, 60),
  truncate(why, 120),
  truncate(statement, 80),
]

function jamRow(jam: JamRow, { forest }: Picture, texts: ReadonlyMap<number, string | null>): string[] {
  if (jam.kind === 'cycle')
    return cells(
      'wait for each other',
      truncate(jam.pids.join(', '), 40),
      jam.sessions[0] ? whoOf(jam.sessions[0]) : '',
      '',
      `deadlock or re-ordered queue, for ${formatDuration(cycleWait(jam, forest))}`,
      statementOf(jam.sessions[0], texts),
    )
  const { root, session } = jam
  const longest = root.oldestWaitSeconds === null ? '' : ` for ${formatDuration(root.oldestWaitSeconds)}`
  const why = `${count(root.victims.length, 'waits', 'wait')}${longest}: ${lockOf(root.wait)}`
  const what = `blocks ${root.victims.length}`
  if (root.kind === 'session')
    return session
      ? cells(what, String(root.pid), whoOf(session), stateOf(session), why, statementOf(session, texts))
      : cells(what, String(root.pid), '', 'gone since', why, '')
  const { prepared } = root
  return prepared
    ? cells(
        what,
        'none',
        `${prepared.owner} · ${prepared.database}`,
        `prepared transaction for ${formatDuration(prepared.preparedSeconds)}`,
        why,
        `gid ${oneLine(prepared.gid, 70)}`,
      )
    : cells(what, 'none', '', 'prepared transaction', why, '')
}

function sessionRow(
  kind: GroupKind,
  session: Session,
  forest: Forest,
  texts: ReadonlyMap<number, string | null>,
): string[] {
  return cells(
    whatWords[kind],
    String(session.pid),
    whoOf(session),
    stateOf(session),
    whyShown(session, forest),
    statementOf(session, texts),
  )
}

/** Explains the age of a session: the lock or event that it waits for, and its older open transaction. */
export function whyShown(session: Session, forest: Forest): string {
  const wait = forest.waits.get(session.pid)
  const blockers = wait ? forest.blockedBy(session.pid) : []
  const named = blockers.slice(0, 3).map(partyWords)
  const by = named.length > 0 ? `, behind ${named.join(', ')}${blockers.length > 3 ? ' …' : ''}` : ''
  const victims = forest.roots.find(({ pid, kind }) => pid === session.pid && kind === 'session')?.victims
    .length
  const since = (session.state === 'active' ? session.querySeconds : session.stateSeconds) ?? 0
  const open = session.xactSeconds
  const parts = [
    victims ? `blocks ${victims}` : '',
    wait
      ? `waits${wait.seconds === null ? '' : ` ${waitedFor(wait)}`} for ${lockOf(wait)}${by}`
      : session.state === 'active'
        ? waitEventOf(session)
        : '',
    open !== null && open > since + 1 ? `transaction open for ${formatDuration(open)}` : '',
    session.backendXid !== null && session.state !== 'active' ? 'has written or locked rows' : '',
  ]
  return parts.filter(Boolean).join(', ')
}

const statementOf = (session: Session | undefined, texts: ReadonlyMap<number, string | null>): string =>
  session ? oneLine(texts.get(session.pid) ?? session.query, 80) : ''

/** Counts the sessions without a row, and names the command that shows them. */
function more(selection: Selection, asked: AnswerContext): Line[] {
  const { moreJams, groups } = selection
  const jams: Line[] =
    moreJams > 0
      ? [[`${count(moreJams, `more ${jamNoun(selection)}`)}: `, commandTo(asked, 'blocking', asked.filters)]]
      : []
  return [
    ...jams,
    ...groups
      .filter((group) => group.more > 0)
      .map((group): Line => {
        const [words, ...advice] = whereIs(group, asked)
        return [`${group.more} more ${words}: `, ...advice]
      }),
  ]
}

function whereIs({ kind, sessions }: Group, asked: AnswerContext): [string, ...Line] {
  const filters = { ...noFilters, ...asked.filters }
  switch (kind) {
    case 'longQuery':
      return ['long statements', commandTo(asked, 'long', filters)]
    case 'idleInTransaction':
    case 'suspect':
      return ['idle in transaction', commandTo(asked, 'idle', { ...filters, state: 'idle in transaction' })]
    case 'idle':
      return ['idle', commandTo(asked, 'idle', { ...filters, state: 'idle' })]
    case 'waiting':
      return ['waiting', commandTo(asked, 'sessions', { ...filters, state: 'waiting' })]
    case 'other':
      return [
        `after ${sessions.length === 0 ? 'these' : 'those shown'}`,
        `narrow it with ${list(narrower(asked))}.`,
      ]
  }
}

/** The filters that were not used yet. */
export const narrower = ({ filters }: AnswerContext): string[] =>
  [
    filters.db === undefined ? '--db' : '',
    filters.user === undefined ? '--user' : '',
    filters.app === undefined ? '--app' : '',
    filters.state === undefined ? '--state' : '',
    '--older',
  ].filter(Boolean)
