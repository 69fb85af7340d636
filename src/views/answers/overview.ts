import type { Proposal } from '../../domain/approvals/proposal.ts'
import { totals } from '../../domain/incidents/finding.ts'
import type { Severity } from '../../domain/incidents/severity.ts'
import { isClient } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { bold, code, deadline, truncate, type View } from '../kit.ts'
import { count, severitySigns, shortNameAndPid } from '../words.ts'
import { cardLine, type OpenCard } from './actions.ts'
import type { ClusterStatus } from './clusters.ts'
import { compose, type Line, lines } from './page.ts'
import { processCounts } from './processes.ts'

/** A cluster with what is open on it. */
export type ClusterOverview = {
  readonly status: ClusterStatus
  readonly incidents: number
  /** Null while nothing is open. */
  readonly worst: Severity | null
}

type Overview = {
  readonly clusters: readonly ClusterOverview[]
  /** Worst first, a few. */
  readonly incidents: readonly OpenCard[]
  readonly moreIncidents: number
  readonly pending: readonly { readonly proposal: Proposal; readonly card: OpenCard }[]
  readonly morePending: number
  /** False where nothing is remembered, so that nobody knows. */
  readonly remembers: boolean
  readonly now: number
}

const mostClusters = 20

/** `/pg`: every cluster with its state, what is wrong, and what waits for somebody. */
export function overviewView({
  clusters,
  incidents,
  moreIncidents,
  pending,
  morePending,
  remembers,
  now,
}: Overview): View {
  const shown = clusters.slice(0, mostClusters)
  const open = incidents.length + moreIncidents
  const waiting = pending.length + morePending
  const calm = remembers
    ? open === 0
      ? 'Nothing is wrong that I watch for'
      : count(open, 'open incident')
    : ''
  const asked = waiting === 0 ? '' : `${count(waiting, 'request waits', 'requests wait')} for an approval`
  const headline = [calm, asked].filter(Boolean).join('; ')
  return compose('pg-marshal: overview', [
    lines(...(headline === '' ? [] : [[bold(`${headline}.`)]])),
    { kind: 'bullets', lines: shown.map((cluster) => clusterLine(cluster, now)) },
    lines(
      ...(clusters.length > shown.length
        ? [[`${clusters.length - shown.length} more clusters: `, code('/pg clusters')]]
        : []),
    ),
    {
      kind: 'bullets',
      lines: incidents.map(
        (card): Line => [
          ...cardLine(card),
          ...(card.beganAt === null ? [] : [` · for ${formatDuration((now - card.beganAt) / 1000)}`]),
        ],
      ),
    },
    lines(...(moreIncidents > 0 ? [[`${count(moreIncidents, 'more incident')}.`]] : [])),
    {
      kind: 'bullets',
      lines: pending.map(
        ({ proposal, card }): Line => [
          ...pendingWords(proposal),
          deadline(proposal.expiresAt),
          ...(incidents.some(({ cardId }) => cardId === card.cardId) ? ['.'] : ['. ', ...cardLine(card)]),
        ],
      ),
    },
    lines(...(morePending > 0 ? [[`${count(morePending, 'more request')}.`]] : []), [
      code('/pg help'),
      ' shows all that can be typed.',
    ]),
  ])
}

const pendingWords = ({ action, key, session }: Proposal): Line => [
  bold('Waits for approval: '),
  `${action} ${shortNameAndPid(session)} on ${key.cluster}, until `,
]

function clusterLine({ status, incidents, worst }: ClusterOverview, now: number): Line {
  const name = truncate(status.name, 63)
  if ('reason' in status)
    return [
      ...['⚠️ ', bold(name), ` cannot be seen: ${truncate(status.reason.replace(/\.$/, ''), 140)}.`],
      ...(status.onHost ? [` From the operating system: ${processCounts(status.onHost)}.`] : []),
    ]
  const { snapshot } = status
  const { waiting, used, max } = totals(snapshot)
  if (!snapshot.server.seesOthers)
    return ['⚠️ ', bold(name), ': its sessions are not to be seen, because pg_monitor is missing.']
  const age = (now - snapshot.takenAt) / 1000
  const facts = [
    ...(incidents > 0 ? [count(incidents, 'open incident')] : []),
    count(snapshot.sessions.filter(isClient).length, 'session'),
    `${waiting} waiting for a lock${snapshot.locks.kind === 'jammed' ? ' (lock storm)' : ''}`,
    `${used} of ${max} connections`,
    age < 1 ? 'seen now' : `seen ${formatDuration(age)} ago`,
  ]
  return [
    `${worst === null ? (waiting > 0 ? '🟠' : '🟢') : severitySigns[worst]} `,
    bold(name),
    `: ${facts.join(' · ')}.`,
  ]
}
