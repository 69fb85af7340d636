import { type Finding, findingKey } from '../../domain/incidents/finding.ts'
import { kindNames } from '../../domain/incidents/severity.ts'
import type { Health, ServerLog } from '../../domain/session/health.ts'
import { has } from '../../domain/session/versions.ts'
import { sqlLiteral } from '../../domain/text/literal.ts'
import { sentenceOf } from '../card/findings.ts'
import { nextStep, reported } from '../card/healthFindings.ts'
import { poolWaitsNext } from '../card/poolWaits.ts'
import { bold, code, link, type View } from '../kit.ts'
import { count, holderOf } from '../words.ts'
import type { OpenCard } from './actions.ts'
import { withinLimits } from './healthWithin.ts'
import { notices } from './notices.ts'
import {
  type AnswerContext,
  asOf,
  commandTo,
  compose,
  footer,
  type Line,
  lines,
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
  cards,
  unread,
  asked,
}: PictureAnswer & {
  readonly found: readonly Finding[]
  /** The open cards of these, by the keys of their findings. */
  readonly cards: ReadonlyMap<string, OpenCard>
  readonly unread: string | null
}): View {
  const { snapshot } = picture
  const { health } = snapshot
  const lost = lostLines(health)
  const needed = found.length + lost.length
  const troubles = [
    ...[...Map.groupBy(found, ({ kind }) => kind).values()].flatMap((alike) =>
      troubleLines(alike, cards, asked),
    ),
    ...lost.slice(0, mostOfKind),
  ]
  const well = withinLimits(picture, found, asked)
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
    case 'poolWaits':
      return poolWaitsNext(finding)
    // It is no part of a picture.
    case 'unreachable':
      return [commandTo(asked, 'health'), '.']
    default:
      return nextStep(finding)
  }
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
