import type { Forest } from '../../domain/locks/blocking.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import { replayWait } from '../../domain/locks/replay.ts'
import type { Fit } from '../../domain/session/allowedAction.ts'
import { meaningOf } from '../../domain/session/heldUp.ts'
import { type RewriteProgress, rewriteOf } from '../../domain/session/rewrite.ts'
import { hasFailed, type Session, sessionsByPid, waitsForLock } from '../../domain/session/session.ts'
import type { LockGroup, Server } from '../../domain/session/snapshot.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { capital, list, listSome } from '../../domain/text/sentence.ts'
import { percent } from '../card/healthFindings.ts'
import { bold, clean, truncate, type View } from '../kit.ts'
import { allTags } from '../tags.ts'
import {
  count,
  explained,
  lockOf,
  nameOf,
  onOneLine,
  stateOf,
  targetOf,
  waitEventOf,
  waitedFor,
} from '../words.ts'
import { notices } from './notices.ts'
import { type Advice, optionLines } from './options.ts'
import {
  type AnswerContext,
  asOf,
  commandTo,
  compose,
  type Line,
  lines,
  type PictureAnswer,
  type Piece,
} from './page.ts'
import { poolerLines } from './pooler.ts'
import { machineLine, type ShownProcess } from './processes.ts'

/** Length of a statement that fits into one message. */
export const longestStatement = 5000

/** Every lock of the session, or why they were not read. */
export type OwnLocks = { readonly groups: readonly LockGroup[] } | { readonly unread: string }

type SessionAnswer = PictureAnswer & {
  readonly session: Session
  /** Its process; null where the server runs on another machine, or it may not be seen. */
  readonly process: ShownProcess | null
  readonly locks: OwnLocks
  /** Its wait in the words of the server; null where it does not wait, or nothing is said. */
  readonly wait: string | null
  /** Its progress, where it rewrites a table; null where it does not, or the server does not say. */
  readonly progress: RewriteProgress | null
  /** Action that fits the session itself. */
  readonly fit: Fit
  /** The least costly way to end the session's jam; null when it is in none. */
  readonly advice: Advice | null
}

/** Everything about one session; what a person decides by stands first. */
export function sessionView(answer: SessionAnswer): View {
  const { picture, session, process, locks, wait, progress, fit, advice, asked } = answer
  const { forest, snapshot } = picture
  return compose(`Session ${session.pid} on ${asked.cluster}`, [
    lines(...notices(picture, asked), [
      bold(`${capital(stateOf(session))}. `),
      truncate(nameOf(session), 250),
    ]),
    {
      kind: 'bullets',
      lines: [
        ...blocking(session, wait, picture, asked),
        ...replay(session, picture),
        ...(isSeen(session)
          ? [
              ...work(session, snapshot.server),
              ...rewrite(session, progress),
              ...(process ? [machineLine(process)] : []),
              ...client(session),
              ...origin(session),
              ...poolerLines(session, snapshot),
            ]
          : [[bold('Not to be seen: '), 'its state, its ages, its client and its statement.']]),
      ],
    },
    ...(isSeen(session) ? statement(session) : []),
    { kind: 'bullets', lines: lockLines(session, locks, forest) },
    lines(
      ...jamsWayOut(session, advice, asked),
      offer(session, fit, asked),
      asOf(snapshot.takenAt, asked.now),
    ),
  ])
}

/** A session that is not there (any more). */
export const noSessionView = ({ picture, pid, asked }: PictureAnswer & { readonly pid: number }): View =>
  compose(`Session ${pid} on ${asked.cluster}`, [
    lines(
      ...notices(picture, asked),
      [
        `There is no session ${pid} on ${asked.cluster} (any more). `,
        commandTo(asked, 'sessions'),
        ' shows those that are there.',
      ],
      asOf(picture.snapshot.takenAt, asked.now),
    ),
  ])

/** Returns false when the role may not see the session. Then the server hides even its kind of process. */
const isSeen = (session: Session): boolean => session.backendType !== ''

function blocking(
  session: Session,
  words: string | null,
  { forest, snapshot }: Picture,
  asked: AnswerContext,
): Line[] {
  const pid = session.leaderPid ?? session.pid
  const sessions = sessionsByPid(snapshot.sessions)
  const root = forest.roots.find((one) => one.kind === 'session' && one.pid === pid)
  const behind = root ? [] : forest.behind(pid)
  const wait = forest.waits.get(session.pid)
  const blockers = forest.blockedBy(session.pid)
  const cycle = forest.cycles.find((pids) => pids.includes(pid))
  return [
    ...(root
      ? [
          [
            bold(`Blocks ${count(root.victims.length, 'session')}`),
            root.oldestWaitSeconds === null
              ? ''
              : `, the longest for ${formatDuration(root.oldestWaitSeconds)}`,
            `, for ${lockOf(root.wait)}: ${listSome(root.victims, 10)} (`,
            commandTo(asked, 'blocking'),
            ').',
          ],
        ]
      : []),
    ...(behind.length > 0
      ? [
          [
            bold(`${count(behind.length, 'session waits', 'sessions wait')} behind it`),
            `: ${listSome(behind, 10)}.`,
          ],
        ]
      : []),
    ...(wait
      ? [
          [
            bold('Waits'),
            `${wait.seconds === null ? '' : ` for ${waitedFor(wait)}`}: ${lockOf(wait, session)} (${wait.mode}).`,
          ],
        ]
      : []),
    ...blockers.slice(0, 5).map((blocker): Line => {
      const one = sessions.get(blocker)
      const who =
        blocker === 0 ? preparedWords(forest, session.pid) : one ? nameOf(one) : `${blocker} (gone since)`
      return [bold('Blocked by '), truncate(who, 200), one ? `, ${stateOf(one)}.` : '.']
    }),
    ...(blockers.length > 5
      ? [[`Blocked by ${blockers.length - 5} more: `, commandTo(asked, 'blocking')]]
      : []),
    ...(cycle ? [[bold('In a circle: '), `${listSome(cycle, 10)} wait for each other.`]] : []),
    // Of a lock the line above says more than the name of the event.
    ...(waitEventOf(session) !== '' && (!wait || words !== null)
      ? [[bold('Wait event: '), `${waitEventOf(session)}${waitWords(session)}${explained(words)}.`]]
      : []),
  ]
}

/** Says what the session waits for. */
function waitWords(session: Session): string {
  if (session.waitEvent === 'ClientRead')
    return ` (its client is to send ${session.state === 'active' ? 'data' : 'the next statement'})`
  const meaning = meaningOf(session)
  return meaning ? ` (it waits for ${meaning.waitsFor})` : ''
}

function preparedWords(forest: Forest, pid: number): string {
  const gids = forest.roots.flatMap(({ prepared, victims }) =>
    prepared && victims.includes(pid) ? prepared.gid : [],
  )
  return gids.length === 0 ? 'a prepared transaction' : `the prepared transaction ${list(gids.slice(0, 3))}`
}

/** Warns that a standby falls behind because of this session. */
function replay(session: Session, picture: Picture): Line[] {
  const waits = replayWait(picture)
  if (!waits?.holders.some(({ pid }) => pid === session.pid)) return []
  return [
    [
      bold(waits.sure ? 'Holds back replay: ' : 'Likely holds back replay: '),
      `the startup process (${waits.pid}) waits for it to end.`,
    ],
  ]
}

function work(session: Session, { inRecovery }: Server): Line[] {
  const { xactSeconds, stateSeconds, querySeconds, backendXid, backendXmin } = session
  const ages = [
    xactSeconds === null
      ? hasFailed(session)
        ? 'its transaction has failed, and waits for ROLLBACK'
        : 'no transaction is open'
      : `transaction open for ${formatDuration(xactSeconds)}`,
    stateSeconds === null ? '' : `in this state for ${formatDuration(stateSeconds)}`,
    querySeconds === null
      ? ''
      : `${session.state === 'active' ? 'statement' : 'last statement'} began ${formatDuration(querySeconds)} ago`,
  ].filter(Boolean)
  const written =
    backendXid === null
      ? xactSeconds === null
        ? ''
        : inRecovery
          ? 'a standby writes nothing'
          : 'has written nothing (no transaction id)'
      : waitsForLock(session)
        ? `has a transaction id (${backendXid}), as a request for a lock takes one before it has written`
        : `has written or locked rows (transaction id ${backendXid})`
  // What a standby's sessions still see, vacuum on the primary respects with hot_standby_feedback only.
  const horizon =
    backendXmin === null
      ? ''
      : inRecovery
        ? `its snapshot reaches back to xmin ${backendXmin}`
        : `holds vacuum back to xmin ${backendXmin}`
  const marks = [written, horizon].filter(Boolean).join('; ')
  return [
    [bold('Ages: '), `${ages.join('; ')}.`],
    ...(marks === '' ? [] : [[bold('Transaction: '), `${marks}.`]]),
  ]
}

/** Says how far a rewrite of a table is, and whom it keeps out. */
function rewrite(session: Session, progress: RewriteProgress | null): Line[] {
  const found = rewriteOf(session)
  if (found === null) return []
  const parts = [
    ...(progress ? [onOneLine(progress.phase)] : []),
    ...(progress?.share == null ? [] : [`${percent(progress.share)} of the table read`]),
    found.isConcurrent
      ? 'others read and write meanwhile, until its last step takes the AccessExclusiveLock'
      : 'nobody else reads or writes the table meanwhile',
  ]
  return [[bold('Rewrites a table: '), `${parts.join('; ')}.`]]
}

const client = (session: Session): Line[] => [
  [
    bold('Client: '),
    `${session.clientAddr ?? (session.backendType === 'client backend' ? 'local socket' : 'none')}, connected for ${formatDuration(session.backendSeconds)} (backend_start ${session.backendStart}).`,
  ],
  [
    bold('Process: '),
    `${session.backendType}${session.leaderPid === null ? '' : `, leader ${session.leaderPid}`}${session.isSuperuser ? ', superuser' : ''}.`,
  ],
]

function origin(session: Session): Line[] {
  const tags = allTags(session)
  return tags.length > 0 ? [[bold('Comes from: '), ...tags, '.']] : []
}

function statement(session: Session): Piece[] {
  const title = session.state === 'active' ? 'Statement' : 'Last statement'
  if (session.query === null || session.query.trim() === '')
    return [lines([bold(`${title}: `), session.query === null ? 'not to be seen.' : 'none.'])]
  const whole = clean(session.query)
  const cut = truncate(whole, longestStatement)
  return [
    lines([bold(`${title}:`)]),
    { kind: 'preformatted', value: cut },
    ...(cut === whole ? [] : [lines([`… ${whole.length - cut.length + 1} more characters.`])]),
  ]
}

/** Strong enough to be in somebody's way, weakest first: see "Table-Level Lock Modes" in the manual. */
const strong = [
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
]

/** Waits first, then what may be in others' way; everybody's everyday locks are only counted. */
function lockLines(session: Session, locks: OwnLocks, forest: Forest): Line[] {
  if ('unread' in locks) return [[bold('Its locks '), `were not read: ${locks.unread}`]]
  const contended = new Set([...forest.waits.values()].map(({ target }) => JSON.stringify(target)))
  const weight = (group: LockGroup) =>
    (group.granted ? 0 : 100) +
    (contended.has(JSON.stringify(group.target)) ? 50 : 0) +
    strong.indexOf(group.mode) +
    1
  // Every transaction holds its own virtual transaction id and its own transaction id.
  const matter = locks.groups
    .filter((group) => !group.granted || contended.has(JSON.stringify(group.target)) || isNotOwnId(group))
    .filter(
      (group) =>
        weight(group) > 0 || group.target.locktype === 'advisory' || group.mode === 'RowExclusiveLock',
    )
    .sort((a, b) => weight(b) - weight(a))
  const shown = matter.slice(0, 10)
  const rest = locks.groups.length - shown.length
  return [
    ...shown.map(
      (group): Line => [
        bold(group.granted ? 'Holds ' : 'Waits for '),
        `${group.mode} on ${targetOf(group.target)}${contended.has(JSON.stringify(group.target)) && group.granted ? ', others wait for it' : ''}.`,
      ],
    ),
    ...(rest > 0
      ? [
          [
            `${shown.length > 0 ? 'And ' : ''}${count(rest, `${shown.length > 0 ? 'other ' : ''}lock`)} that ${rest === 1 ? 'is' : 'are'} seldom in the way.`,
          ],
        ]
      : []),
    ...(locks.groups.length === 0 && session.state !== null ? [['It holds no locks.']] : []),
  ]
}

const isNotOwnId = ({ target, mode }: LockGroup): boolean =>
  !((target.locktype === 'virtualxid' || target.locktype === 'transactionid') && mode === 'ExclusiveLock')

/** Shows the way out of the jam when another session must end, or a prepared transaction that only a person can end. */
const jamsWayOut = (session: Session, advice: Advice | null, asked: AnswerContext): Line[] =>
  advice && (advice.best ? advice.best.pid !== session.pid : advice.byHand !== null)
    ? optionLines([advice], asked, { mostJams: 1, mostOthers: 0 })
    : []

/** Says what can be done, in one line with the command to type. */
function offer(session: Session, fit: Fit, asked: AnswerContext): Line {
  if (fit.action === null) return [bold('Nothing to do from here: '), fit.why]
  return [
    bold('What could be done: '),
    commandTo(asked, `${fit.action} ${session.pid} reason`),
    `: ${fit.why} ${fit.otherwise}`,
  ]
}
