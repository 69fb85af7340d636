import { type Finding, subjectOf } from '../../domain/incidents/finding.ts'
import { mostFollowed } from '../../domain/incidents/follow.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import { findingName, kindNames, worstFirst } from '../../domain/incidents/severity.ts'
import { sessionKeyOf } from '../../domain/session/session.ts'
import { listSome } from '../../domain/text/sentence.ts'
import { compose, type Line, lines, type Piece } from '../answers/page.ts'
import { proposeButton, showAllAction } from '../buttons.ts'
import { bold, button, buttonRow, code, context, truncate, type View } from '../kit.ts'
import { count, onOneLine, shortNameAndPid } from '../words.ts'
import { resolution, shortId } from './card.ts'
import { sentenceOf } from './findings.ts'

const shownAtFirst = 8
const mostShown = 60
/** Slack takes 10,000 characters in a message, and names may be long. */
const mostCharacters = 8000
/** Largest number of names in one line. */
const mostNamed = 12

/**
 * One card for many incidents that came at once: the worst first, each with the command that shows all about it and the button
 * that proposes what helps, then
 * those that have a card of their own by now, and those that are over.
 * @param incidents all that it ever listed
 */
export function digestView(ofCluster: string, cardId: string, incidents: readonly Incident[]): View {
  const cluster = whereOf(ofCluster, incidents)
  const moved = incidents.filter((incident) => incident.cardId !== cardId)
  const open = openOnes(incidents, cardId)
  const over = incidents.filter((incident) => incident.cardId === cardId && incident.resolvedAt !== null)
  const others = [
    ...(moved.length > 0 ? [[bold('On cards of their own: '), `${named(moved)}.`]] : []),
    ...(over.length > 0 ? [[bold('Over: '), `${named(over)}.`]] : []),
  ]
  const reference = context(`Digest ${shortId(cardId)} · /pg history ${shortId(cardId)} shows all of it`)
  if (open.length === 0) {
    const title =
      moved.length === 0
        ? `Resolved: ${count(incidents.length, 'incident')} on ${cluster}`
        : `Nothing more in this list on ${cluster}`
    const more = over.length - shownAtFirst
    const view = compose(title, [
      ...ended(over.toSorted(worstFirst).slice(0, shownAtFirst)),
      lines(...(more > 0 ? [[`${more} more are over too.`]] : []), ...(moved.length > 0 ? others : [])),
    ])
    return { ...view, blocks: [...view.blocks, reference] }
  }
  const view = compose(`${count(open.length, 'more incident')} on ${cluster}`, [
    ...open.slice(0, shownAtFirst).flatMap((incident) => [...listed([incident]), ...wayOut(incident)]),
    lines(
      ...(open.length > shownAtFirst ? [[`${open.length - shownAtFirst} more: press Show all.`]] : []),
      ...(open.length < mostFollowed / 2
        ? []
        : [
            [
              `Of each kind ${mostFollowed} are followed at a time: /pg blocking, /pg long and /pg idle show all.`,
            ],
          ]),
      ...others,
      [
        'Too many came at once for a card each; the worst of them get one as others end. A button asks for an approval now, ',
        code('/pg snooze INCIDENT 30m'),
        ' keeps one of them from getting a card.',
      ],
    ),
  ])
  return {
    ...view,
    blocks: [
      ...view.blocks,
      ...(open.length > shownAtFirst ? buttonRow(button(showAllAction, 'Show all', cardId)) : []),
      reference,
    ],
  }
}

/** Names the cluster, or counts them where a digest is about several that cannot be seen. */
function whereOf(cluster: string, incidents: readonly Incident[]): string {
  const clusters = new Set(incidents.map((one) => one.cluster))
  return clusters.size > 1 ? `${clusters.size} clusters` : cluster
}

/** The whole digest, for one who pressed "Show all". */
export function wholeDigestView(cluster: string, cardId: string, incidents: readonly Incident[]): View {
  const open = openOnes(incidents, cardId)
  let left = mostCharacters
  const shown = open.slice(0, mostShown).filter(({ finding }) => {
    left -= sentenceOf(finding).length + 70
    return left >= 0
  })
  return compose(`All ${count(open.length, 'incident')} of the digest on ${whereOf(cluster, incidents)}`, [
    ...listed(shown),
    lines(
      ...(open.length > shown.length
        ? [[`${open.length - shown.length} more: /pg sessions, /pg long, /pg idle.`]]
        : []),
    ),
  ])
}

const openOnes = (incidents: readonly Incident[], cardId: string): Incident[] =>
  incidents.filter((incident) => incident.cardId === cardId && incident.resolvedAt === null).sort(worstFirst)

const listed = (incidents: readonly Incident[]): Piece[] => [
  {
    kind: 'bullets',
    lines: incidents.map(
      ({ id, finding, cluster }): Line => [
        bold(
          finding.kind === 'unreachable'
            ? `${truncate(onOneLine(cluster), 63)}: `
            : `${kindNames[finding.kind]}: `,
        ),
        `${sentenceOf(finding)} `,
        code(commandFor(finding)),
        ` · incident ${shortId(id)}`,
      ],
    ),
  },
]

/** Proposes what helps against it, as its own card would. */
function wayOut({ cluster, recommendation }: Incident): Piece[] {
  const target = recommendation?.target
  if (!target) return []
  const { action, session } = target
  return [
    {
      kind: 'buttons',
      buttons: [proposeButton(action, sessionKeyOf(cluster, session), shortNameAndPid(session))],
    },
  ]
}

/** Says how each incident ended, as its own card would say it. */
const ended = (incidents: readonly Incident[]): Piece[] =>
  incidents.length === 0
    ? []
    : [
        {
          kind: 'bullets',
          lines: incidents.map(
            (incident): Line => [
              bold(
                `${incident.finding.kind === 'unreachable' ? incident.cluster : findingName(incident.finding)}: `,
              ),
              resolution(incident),
            ],
          ),
        },
      ]

/** Names the command that shows all about the finding. */
function commandFor(finding: Finding): string {
  const session = subjectOf(finding)
  if (session) return `/pg session ${session.pid}`
  switch (finding.kind) {
    case 'blocking':
    case 'lockCycle':
      return '/pg blocking'
    case 'unreachable':
      return '/pg clusters'
    case 'connections':
    case 'lockStorm':
      return '/pg sessions'
    default:
      return '/pg health'
  }
}

function named(incidents: readonly Incident[]): string {
  const names = incidents.map(
    ({ finding, cluster }) =>
      subjectOf(finding)?.pid ??
      (finding.kind === 'unreachable' ? cluster : kindNames[finding.kind].toLowerCase()),
  )
  return listSome(names, mostNamed)
}
