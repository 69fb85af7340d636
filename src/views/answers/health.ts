import {
  connectionsUsed,
  type Finding,
  type FindingKind,
  findingKey,
  longestTransactionSeconds,
  subjectOf,
} from '../../domain/incidents/finding.ts'
import { kindNames } from '../../domain/incidents/severity.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import { jamsIn, waitingIn } from '../../domain/locks/tree.ts'
import { type Health, type ServerLog, wraparoundRatio } from '../../domain/session/health.ts'
import { isClient, isIdleInTransaction, type Session, waitsForLock } from '../../domain/session/session.ts'
import { has } from '../../domain/session/versions.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { sqlLiteral } from '../../domain/text/literal.ts'
import { list } from '../../domain/text/sentence.ts'
import { formatCount, formatSize } from '../../domain/text/size.ts'
import { sentenceOf } from '../card/findings.ts'
import { holderName, nextStep, percent, reported } from '../card/healthFindings.ts'
import { bold, code, link, type View } from '../kit.ts'
import { count, holderOf, nameOf, stateOf } from '../words.ts'
import type { OpenCard } from './actions.ts'
import {
  type AnswerContext,
  asOf,
  commandTo,
  compose,
  footer,
  type Line,
  limitFor,
  limitOf,
  lines,
  notices,
  type PictureAnswer,
} from './page.ts'

/** Largest number of one kind that is shown; the command behind them shows all. */
const mostOfKind = 3

/**
 * `/pg health`: each cause that trouble has, with its numbers and limits. What is past a limit comes first, with what to
 * do next.
 * @param unread why the health check could not be made now; null where it was
 */
export function healthView({
  picture,
  found,
  cards = new Map(),
  unread,
  asked,
}: PictureAnswer & {
  readonly found: readonly Finding[]
  /** The open cards of these, by the keys of their findings. */
  readonly cards?: ReadonlyMap<string, OpenCard>
  readonly unread: string | null
}): View {
  const { snapshot } = picture
  const { health } = snapshot
  const kinds = Map.groupBy(found, ({ kind }) => kind)
  const lost = lostLines(health)
  const needed = found.length + lost.length
  const troubles = [
    ...[...kinds.values()].flatMap((alike) => troubleLines(alike, cards, asked)),
    ...lost.slice(0, mostOfKind),
  ]
  const isFine = (...of: FindingKind[]) => of.every((kind) => !kinds.has(kind))
  // The session that holds vacuum back may be listed already, for something worse.
  const [holder] = health?.vacuumHolders ?? []
  const isVacuumTold =
    (holder?.age ?? 0) >= asked.thresholds.vacuumHeldBackBy &&
    found.some((finding) => subjectOf(finding)?.pid === holder?.pid)
  const well: Line[] = [
    ...(isFine('blocking', 'lockCycle', 'lockStorm') ? [locksLine(picture, asked)] : []),
    ...(isFine('longQuery') ? [longLine(picture, found, asked)] : []),
    ...(isFine('idleInTransaction', 'idle') ? [idleLine(picture, found, asked)] : []),
    ...(isFine('connections') ? [connectionsLine(picture, asked)] : []),
    ...(health
      ? healthLines(
          health,
          (kind) => isFine(kind) && !(kind === 'vacuumHeldBack' && isVacuumTold),
          snapshot.sessions,
          asked,
        )
      : []),
  ]
  const sees = snapshot.server.seesOthers
  const blind = snapshot.locks.kind === 'jammed' || health === null
  return compose(`Health of ${asked.cluster}`, [
    lines(
      ...notices(picture, asked),
      ...(needed > 0
        ? [[bold(`${count(needed, 'thing needs', 'things need')} somebody.`)]]
        : sees
          ? [[bold(blind ? 'What can be seen is well.' : 'All is well.')]]
          : []),
      ...(unread
        ? [
            [
              `${health ? 'The health check could not be repeated' : 'Deadlocks, prepared transactions, vacuum, wraparound and slots cannot be shown'}: ${unread}`,
            ],
          ]
        : []),
    ),
    { kind: 'bullets', lines: troubles },
    ...(sees && troubles.length > 0 && well.length > 0 ? [lines([bold('Within its limits:')])] : []),
    ...(sees ? [{ kind: 'bullets', lines: well } as const] : []),
    lines(
      ...(health
        ? [...logLine(health.serverLog, snapshot.server.versionNum), healthCheckLine(health, asked)]
        : []),
    ),
    footer(picture, asked),
  ])
}

function troubleLines(
  alike: readonly Finding[],
  cards: ReadonlyMap<string, OpenCard>,
  asked: AnswerContext,
): Line[] {
  const shown = alike.slice(0, mostOfKind).map((finding, index): Line => {
    const isLast = index === Math.min(alike.length, mostOfKind) - 1
    return [
      bold(`${kindNames[finding.kind]}: `),
      `${sentenceOf(finding)} `,
      ...onCard(cards.get(findingKey(finding))),
      ...(isLast || isSlow(finding) ? ['Next: ', ...next(finding, asked)] : []),
    ]
  })
  const logs = alike.flatMap((finding) =>
    finding.kind === 'deadlocks' ? finding.reports.slice(-mostOfKind).map(reported) : [],
  )
  const more = alike.length - shown.length
  const [first] = alike
  return [
    ...shown,
    ...(more > 0 && first ? [[bold(`${kindNames[first.kind]}: `), `${more} more.`]] : []),
    ...logs,
  ]
}

/** Names the card that tells of it already. */
const onCard = (card: OpenCard | undefined): Line =>
  card ? ['It has ', card.link === null ? 'a card' : link(card.link, 'a card'), '. '] : []

const isSlow = ({ kind }: Finding): boolean =>
  !['blocking', 'longQuery', 'idleInTransaction', 'idle', 'connections', 'lockStorm', 'lockCycle'].includes(
    kind,
  )

function next(finding: Finding, asked: AnswerContext): Line {
  switch (finding.kind) {
    case 'blocking':
    case 'lockCycle':
    case 'lockStorm':
      return [commandTo(asked, 'blocking'), ' shows who stands in the way and what ends it.']
    case 'longQuery':
      return [commandTo(asked, 'long'), '.']
    case 'idleInTransaction':
    case 'idle':
      return [commandTo(asked, 'idle'), '.']
    case 'connections': {
      const most = finding.holders.slice(0, 3).map((holder) => `${holderOf(holder)} (${holder.count})`)
      return [`most are of ${most.join('; ')}. `, commandTo(asked, 'idle'), ' shows those that do nothing.']
    }
    // It is no part of a picture.
    case 'unreachable':
      return [commandTo(asked, 'health'), '.']
    default:
      return nextStep(finding)
  }
}

function locksLine({ snapshot, forest }: Picture, { thresholds }: AnswerContext): Line {
  const waiting = waitingIn(jamsIn(forest))
  const limit = limitFor(thresholds.blockedForSeconds, thresholds)
  const what =
    snapshot.locks.kind === 'jammed'
      ? 'not known now.'
      : waiting === 0
        ? 'nobody waits.'
        : `${count(waiting, 'session waits', 'sessions wait')}, nobody for more than ${limit}.`
  return [bold('Locks: '), what]
}

/** Long queries of sessions that wait, or are listed already, are no trouble of their own, but they are there. */
function longLine({ snapshot }: Picture, found: readonly Finding[], { thresholds }: AnswerContext): Line {
  const seconds = thresholds.queryLongerThanSeconds
  const others = snapshot.sessions.filter(
    (session) =>
      isClient(session) &&
      session.state === 'active' &&
      (session.querySeconds ?? 0) >= seconds &&
      (waitsForLock(session) || isNamed(session, found)),
  ).length
  const past =
    others === 0
      ? `none for more than ${limitFor(seconds, thresholds)}`
      : `${others} for more than ${limitFor(seconds, thresholds)}, ${others === 1 ? 'which waits for a lock or is' : 'all of which wait for a lock or are'} named above`
  return [
    bold('Long-running queries: '),
    `${past}; the oldest transaction is open for ${formatDuration(longestTransactionSeconds(snapshot))}.`,
  ]
}

function idleLine({ snapshot }: Picture, found: readonly Finding[], { thresholds }: AnswerContext): Line {
  const seconds = thresholds.idleInTransactionLongerThanSeconds
  const idle = snapshot.sessions
    .filter((session) => isClient(session) && isIdleInTransaction(session))
    .toSorted((a, b) => (b.stateSeconds ?? 0) - (a.stateSeconds ?? 0))
  const named = idle.filter(
    (session) => (session.stateSeconds ?? 0) >= seconds && isNamed(session, found),
  ).length
  const [longest] = idle.filter((session) => !isNamed(session, found))
  return [
    bold('Idle holders: '),
    `${named === 0 ? 'nobody' : 'nobody else'} idle in transaction for more than ${limitFor(seconds, thresholds)}`,
    longest ? ` (${nameOf(longest)}, ${stateOf(longest)}).` : '.',
  ]
}

/** Decides whether a session is listed already, for something worse. */
const isNamed = ({ pid }: Session, found: readonly Finding[]): boolean =>
  found.some((finding) => subjectOf(finding)?.pid === pid)

function connectionsLine({ snapshot }: Picture, { thresholds }: AnswerContext): Line {
  const used = connectionsUsed(snapshot)
  const max = snapshot.server.maxConnections
  return [
    bold('Connections: '),
    `${used} of ${max} (${percent(used / Math.max(1, max))}), limit ${thresholds.connectionsAbovePercent} %.`,
  ]
}

function healthLines(
  health: Health,
  isFine: (kind: FindingKind) => boolean,
  sessions: readonly Session[],
  { thresholds }: AnswerContext,
): Line[] {
  const { prepared, vacuumHolders, databases, slots } = health
  const [oldest] = prepared
  const [holder] = vacuumHolders
  const worst = databases.toSorted((a, b) => wraparoundRatio(b) - wraparoundRatio(a))[0]
  const [largest] = slots
  const deadlocks = databases.reduce((sum, database) => sum + database.deadlocks, 0)
  const some = databases.filter((database) => database.deadlocks > 0)
  return [
    ...(isFine('deadlocks')
      ? [
          [
            bold('Deadlocks: '),
            deadlocks === 0
              ? 'none since the statistics began.'
              : `none lately; ${formatCount(deadlocks)} since the statistics began (${list(some.slice(0, 3).map(({ name, deadlocks }) => `${formatCount(deadlocks)} in ${name}`))}${some.length > 3 ? ', …' : ''}).`,
          ],
        ]
      : []),
    ...(isFine('preparedTransaction')
      ? [
          [
            bold('Prepared transactions: '),
            oldest
              ? `${prepared.length}, the oldest for ${formatDuration(oldest.preparedSeconds)}, limit ${limitOf(thresholds.preparedLongerThanSeconds)}.`
              : 'none.',
          ],
        ]
      : []),
    ...(isFine('vacuumHeldBack')
      ? [
          [
            bold('Vacuum: '),
            holder
              ? `held back by ${formatCount(holder.age)} transactions, by ${who(holder, sessions)}; limit ${limitCount(thresholds.vacuumHeldBackBy)}.`
              : 'held back by nobody.',
          ],
        ]
      : []),
    ...(isFine('wraparound') && worst
      ? [
          [
            bold('Wraparound: '),
            `${percent(wraparoundRatio(worst))} of the way in database ${worst.name} (${formatCount(worst.xidAge)} transactions; autovacuum freezes from ${formatCount(health.freezeMaxAge)} on), limit ${thresholds.wraparoundAbovePercent} %.`,
          ],
        ]
      : []),
    ...(isFine('replicationSlot')
      ? [
          [
            bold('Replication slots: '),
            largest
              ? `${slots.length}, ${sqlLiteral(largest.name)} keeps most WAL, ${formatSize(largest.retainedBytes)}; limit ${Number.isFinite(thresholds.slotRetainsBytes) ? formatSize(thresholds.slotRetainsBytes) : 'never'}.`
              : 'none.',
          ],
        ]
      : []),
  ]
}

/** Lists replication slots that the server gave up. They hold nothing back, and nobody can use them. */
const lostLines = (health: Health | null): Line[] =>
  (health?.slots ?? [])
    .filter(({ walStatus }) => walStatus === 'lost')
    .map(({ name, invalidationReason }) => [
      bold('Lost replication slot: '),
      `The server gave ${sqlLiteral(name)} up${invalidationReason ? ` (${invalidationReason})` : ''}. Next: set its consumer up again, then `,
      code(`SELECT pg_drop_replication_slot(${sqlLiteral(name)});`),
    ])

const who = (holder: Health['vacuumHolders'][number], sessions: readonly Session[]): string => {
  const session = sessions.find(
    ({ pid, backendStart }) => pid === holder.pid && backendStart === holder.backendStart,
  )
  const name = holderName(holder, session ?? null)
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}`
}

const limitCount = (transactions: number): string =>
  Number.isFinite(transactions) ? formatCount(transactions) : 'never'

/** Explains how to let the bot read the server's own log of deadlocks. */
function logLine(serverLog: ServerLog, versionNum: number): Line[] {
  const format = has(versionNum, 'jsonlog') ? 'jsonlog' : 'csvlog'
  switch (serverLog) {
    case 'readable':
      return []
    case 'notGranted':
      return [
        [
          'The server’s log shows who was in a deadlock. To let the bot read it (and every file of the server): ',
          code('GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint) TO …;'),
        ],
      ]
    case 'noFormat':
      return [
        [
          'The server’s log shows who was in a deadlock. The bot reads it where ',
          code(`log_destination`),
          ` has `,
          code(format),
          ' and it may (docs/setup.md).',
        ],
      ]
    case 'notCollected':
      return [
        [
          'The server’s log shows who was in a deadlock: look where the server writes it (',
          code('logging_collector'),
          ' is off, so the bot cannot read it).',
        ],
      ]
  }
}

const healthCheckLine = ({ takenAt }: Health, { now }: AnswerContext): Line => [
  'Deadlocks, prepared transactions, vacuum, wraparound and slots: as of ',
  ...asOf(takenAt, now).slice(1),
]
