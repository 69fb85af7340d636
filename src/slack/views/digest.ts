import { type Incident, kindNames, severityOf, victimsOf } from '../../domain/incident.ts'
import { compose, type Line, lines, type Piece } from './answer.ts'
import { sentenceOf, shortId } from './card.ts'
import { bold, code, context, plainText, type View } from './text.ts'
import { count } from './words.ts'

export const showAllAction = 'pg_show_all'

const shownAtFirst = 8
const mostShown = 60

/** One card for many incidents that came at once: the worst first. */
export function digestView(cluster: string, cardId: string, incidents: readonly Incident[]): View {
  const open = worstFirst(incidents)
  const over = incidents.length - open.length
  if (open.length === 0)
    return compose(`Resolved: ${count(incidents.length, 'incident')} on ${cluster}`, [
      lines([`All ${incidents.length} of them are over.`]),
    ])
  const view = compose(`${count(open.length, 'more incident')} on ${cluster}`, [
    ...listed(open.slice(0, shownAtFirst)),
    lines(
      ...(open.length > shownAtFirst ? [[`${open.length - shownAtFirst} more: press Show all.`]] : []),
      ...(over > 0 ? [[`${count(over, 'incident')} of this list ${over === 1 ? 'is' : 'are'} over.`]] : []),
      ['Too many came at once for a card each. ', code('/pg session PID'), ' tells all about one.'],
    ),
  ])
  const showAll = { type: 'button', action_id: showAllAction, text: plainText('Show all', 75), value: cardId }
  return {
    ...view,
    blocks: [
      ...view.blocks,
      ...(open.length > shownAtFirst ? [{ type: 'actions', elements: [showAll] }] : []),
      context(`Digest ${shortId(cardId)} · /pg history ${shortId(cardId)} tells all of it`),
    ],
  }
}

/** The whole digest, for one who pressed "Show all". */
export function wholeDigestView(cluster: string, incidents: readonly Incident[]): View {
  const open = worstFirst(incidents)
  return compose(`All ${count(open.length, 'incident')} of the digest on ${cluster}`, [
    ...listed(open.slice(0, mostShown)),
    lines(
      ...(open.length > mostShown
        ? [[`${open.length - mostShown} more: /pg sessions, /pg long, /pg idle.`]]
        : []),
    ),
  ])
}

const listed = (incidents: readonly Incident[]): Piece[] => [
  {
    kind: 'bullets',
    lines: incidents.map(({ finding }): Line => [bold(`${kindNames[finding.kind]}: `), sentenceOf(finding)]),
  },
]

const severities = { critical: 0, warning: 1, notice: 2 } as const

const worstFirst = (incidents: readonly Incident[]): Incident[] =>
  incidents
    .filter(({ resolvedAt }) => resolvedAt === null)
    .sort(
      (a, b) =>
        severities[severityOf(a.finding)] - severities[severityOf(b.finding)] ||
        victimsOf(b.finding) - victimsOf(a.finding) ||
        a.openedAt - b.openedAt,
    )
