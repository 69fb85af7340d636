import { eachOf } from '../../domain/approvals/bulk.ts'
import type { Proposal } from '../../domain/approvals/proposal.ts'
import {
  type Gap,
  longestWait,
  middle,
  mostWaiting,
  type PastHolder,
  type Report,
} from '../../domain/history/report.ts'
import { isIdleInTransaction } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { listSome } from '../../domain/text/sentence.ts'
import { membersWords } from '../card/bulk.ts'
import { outcomeSentence } from '../card/outcome.ts'
import { bold, code, type Line, moment, user } from '../kit.ts'
import { count, lockOf, nameOf, onOneLine, targetOf } from '../words.ts'

/** One of the numbers that are read first. */
export type Figure = { readonly label: string; readonly value: string; readonly note: string }

/** Picks the five numbers that say how bad it was. */
export function reportFigures(report: Report): Figure[] {
  const { from, to, cost, incident, everyMs, course } = report
  const longest = longestWait(report)
  const most = mostWaiting(report)
  const over = incident.resolvedAt !== null
  const seen = course.some(({ waiting }) => waiting !== null)
  const unseen = 'not seen'
  const spread = (cost.most - cost.least) / 2
  return [
    {
      label: over ? 'Lasted' : 'Lasts so far',
      value: formatDuration((to - from) / 1000),
      note: seen ? (over ? 'first wait to end' : 'since the first wait') : 'by the journal',
    },
    {
      label: 'Waiting at worst',
      value: most === null ? unseen : String(most),
      note: most === null ? '' : `of ${count(cost.sessions, 'session')} hit`,
    },
    {
      label: 'Waited in all',
      value: seen ? formatDuration(middle(cost)) : unseen,
      note: seen && spread >= 0.5 ? `session time, ± ${formatDuration(spread)}` : 'session time',
    },
    {
      label: 'Longest wait',
      value: longest ? formatDuration(middle(longest)) : seen ? 'none' : unseen,
      note: longest ? `PID ${longest.session.pid}` : '',
    },
    {
      label: 'First wait to card',
      value: formatDuration(Math.max(0, incident.openedAt - from) / 1000),
      note: everyMs === null ? 'no looks recorded' : `a look every ${formatDuration(everyMs / 1000)}`,
    },
  ]
}

/** Tells it in a few sentences: who waited for what, who held it, what ended it. */
export function summaryOf(report: Report): Line[] {
  const { from, to, incident, cost, holders, waits } = report
  const over = incident.resolvedAt !== null
  const applications = cost.applications.filter(({ name }) => name !== '').map(({ name }) => onOneLine(name))
  const [first] = waits.filter(({ wait }) => wait !== null)
  const time: Line = over
    ? [
        'On ',
        moment(from, '{date_long}'),
        ' from ',
        moment(from),
        ' to ',
        moment(to),
        ` (${formatDuration((to - from) / 1000)}) `,
      ]
    : ['Since ', moment(from, '{date_long}'), ' ', moment(from), ` (${formatDuration((to - from) / 1000)}) `]
  const waited: Line =
    waits.length === 0
      ? [
          ...time,
          report.course.some(({ waiting }) => waiting !== null)
            ? 'nobody was seen to wait for it.'
            : 'nothing was seen of it.',
        ]
      : [
          ...time,
          bold(`${count(cost.sessions, 'session')} ${over ? 'waited' : 'waited or wait'}`),
          applications.length > 0 ? ` (${listSome(applications, 3)})` : '',
          first?.wait ? `, the longest for ${lockOf(first.wait, first.session)}.` : '.',
        ]
  return [
    waited.filter((part) => part !== ''),
    ...holders
      .toSorted((a, b) => b.mostVictims - a.mostVictims)
      .slice(0, 2)
      .map(holderLine),
    ...(holders.length > 2 ? [[`${count(holders.length - 2, 'other')} stood in the way as well.`]] : []),
    endLine(report),
  ]
}

/** Says who was in the way, what it held and since when. */
export function holderLine({
  session,
  prepared,
  pid,
  transactionAt,
  to,
  held,
  mostVictims,
}: PastHolder): Line {
  const what = heldWords(held)
  const holds: Line = [
    ` kept ${count(mostVictims, 'session')} waiting`,
    what === '' ? '' : `: it held ${what}`,
  ]
  const begun: Line = transactionAt === null ? [] : ['; its transaction began at ', moment(transactionAt)]
  if (prepared)
    return [bold(`Prepared transaction ${onOneLine(prepared.gid)}`), ...holds, ...begun, '.'].filter(isSaid)
  if (!session)
    return [bold(`Session ${pid}`), ' (gone before it could be read)', ...holds, '.'].filter(isSaid)
  const idle = isIdleInTransaction(session) || session.state === 'idle'
  const since: Line =
    idle && session.stateSeconds !== null
      ? [`; ${session.state} since `, moment(to - session.stateSeconds * 1000)]
      : session.state === 'active' && session.querySeconds !== null
        ? ['; in one statement since ', moment(to - session.querySeconds * 1000)]
        : []
  return [bold(nameOf(session)), ...holds, ...begun, ...since, '.'].filter(isSaid)
}

const isSaid = (part: Line[number]): boolean => part !== ''

/** Names what was held: `RowExclusiveLock on public.stock`. */
export const heldWords = (held: PastHolder['held']): string =>
  listSome(
    [
      ...new Set(
        held.map(({ target, relationName, modes }) =>
          target.locktype === 'relation' && modes[0] !== undefined
            ? `${modes[0]} on ${onOneLine(relationName ?? targetOf(target))}`
            : target.locktype === 'transactionid' && relationName !== null
              ? `a row of ${onOneLine(relationName)}`
              : targetOf(target),
        ),
      ),
    ],
    3,
  )

/** Says how it ended. */
function endLine({ incident, proposals }: Report): Line {
  const done = proposals.filter(({ state }) => state === 'done')
  const hasEnded = (one: Proposal) => eachOf(one).some(({ outcome }) => outcome?.kind === 'effective')
  const last = done.findLast(hasEnded) ?? done.at(-1)
  const ended = incident.resolution === null ? [] : [`${incident.resolution}`]
  if (!last) return ended.length > 0 ? ended : ['It is not over.']
  return [
    ...whoApproved(last),
    ` ${last.action} of ${last.bulk ? membersWords(last.bulk) : last.key.pid}: ${outcomeSentence(last)}`,
    ...(incident.resolvedAt === null ? [' It is not over.'] : []),
  ]
}

function whoApproved({ approvals, brokeGlass }: Proposal): Line {
  const people = brokeGlass ? [brokeGlass.userId] : approvals.map(({ userId }) => userId)
  const names = people.flatMap((id, index): Line => [index === 0 ? '' : ' and ', user(id)])
  return [...names.filter(isSaid), brokeGlass ? ' acted alone:' : ' approved:']
}

/** Says what no look speaks for. */
export const gapLine = ({ from, to, sight, why }: Gap): Line => [
  bold(sight === 'partly' ? 'Partly seen ' : 'Not seen '),
  'from ',
  moment(from),
  ' to ',
  moment(to),
  ` (${formatDuration((to - from) / 1000)})`,
  why === null ? ': no look is recorded.' : `: ${why.replace(/\.$/, '')}.`,
  ...(sight === 'partly' ? [' All who waited for a lock are counted, behind whomever.'] : []),
]

/** Says what else the record cannot say. */
export function limitsOf({ began, everyMs, cutAt, gaps }: Report): Line[] {
  return [
    ...(everyMs === null
      ? [
          [
            'No look of that time is recorded, so the journal alone speaks. ',
            code('history.keep'),
            ' says for how long looks are kept.',
          ],
        ]
      : []),
    ...(began.firstSeenAt !== null && began.maybeEarlier
      ? [
          [
            'The look that shows the first wait follows a time that nobody saw: others may have waited before.',
          ],
        ]
      : []),
    ...gaps.map(gapLine),
    ...(cutAt === null ? [] : [['It lasted on; this report tells of it until ', moment(cutAt), '.']]),
    ...(everyMs === null
      ? []
      : [
          [
            `A wait that began and ended between two looks (${formatDuration(everyMs / 1000)}) is not counted. When a wait began, the server says; when it ended, the looks do.`,
          ],
        ]),
  ]
}
