import type { HomeView } from '@slack/types'
import type { OpenProposal, Proposal } from '../domain/approvals/proposal.ts'
import { type Severity, severities } from '../domain/incidents/severity.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import { detailsButton, refreshHomeAction } from './buttons.ts'
import { summaryLines } from './card/brief.ts'
import { decisions, target } from './card/card.ts'
import type { CardState } from './card/cardState.ts'
import { headlineOf } from './card/headline.ts'
import {
  type Block,
  bold,
  bullets,
  button,
  buttonRow,
  code,
  header,
  type Line,
  link,
  moment,
  richText,
  section,
  text,
  truncate,
  user,
  type View,
} from './kit.ts'
import { count, quietUntil, severitySigns, silenceWords } from './words.ts'

/** All that one person's App Home shows. Lists are cut already; the numbers count all. */
export type HomeState = {
  readonly clusters: readonly HomeCluster[]
  /** Worst first. */
  readonly incidents: readonly { readonly headline: string; readonly link: string | null }[]
  readonly openIncidents: number
  /** Proposals that this person may approve now: the worst first, then the first to expire. */
  readonly pending: readonly {
    readonly proposal: OpenProposal
    readonly card: CardState
    readonly link: string | null
  }[]
  readonly waitingForMe: number
  readonly waitingForOthers: number
  /** `headline`: of the incident that it is about; null where it is about more. */
  readonly silences: readonly { readonly silence: Silence; readonly headline: string | null }[]
  readonly moreSilences: number
  readonly decided: readonly {
    readonly proposal: Proposal
    readonly headline: string
    readonly link: string | null
  }[]
}

export type HomeCluster = {
  readonly name: string
  /** Reason why it is not seen at the moment; null when it is. */
  readonly unseen: string | null
  readonly incidents: number
  /** Null while nothing is open. */
  readonly worst: Severity | null
}

/** More clusters than these are counted, those in trouble last. */
const mostClusters = 20
/** Words of a request above its buttons: those about the session that they end come last. */
const mostWords = 50
const targetWords = 16
/** An answer that is longer is not shown on a Home. */
const mostOfNotice = 8

/** Draws a Home: first what was just answered, then what waits for this person, then everything else. */
export function homeBlocks(home: HomeState, notice: View | null): Block[] {
  return [
    header(headline(home)),
    ...noticeBlocks(notice),
    ...pendingBlocks(home),
    ...part(
      'Open incidents',
      home.incidents.map(linked),
      more(home.openIncidents, home.incidents, 'incident'),
    ),
    ...part('Clusters', ...clusterLines(home.clusters)),
    ...part(
      'Silent',
      home.silences.map(silenceLine),
      home.moreSilences > 0 ? [`${count(home.moreSilences, 'more silence')}.`] : null,
    ),
    ...part('Done lately', home.decided.map(decidedLine), null),
  ]
}

/** Draws the Home of somebody who may see nothing: one sentence. */
export const noHomeBlocks = (reason: string): Block[] => [
  richText(section(`Nothing is shown to you here: ${reason.replace(/\.$/, '')}.`)),
]

/** Ends a Home: as of when it is, and the way to a newer one. */
export const homeView = (blocks: readonly Block[], now: number): HomeView => ({
  type: 'home',
  callback_id: 'pg_home',
  blocks: [
    ...blocks,
    ...buttonRow(button(refreshHomeAction, 'Refresh', 'home')),
    richText(
      section(
        'As of ',
        moment(now),
        '. It follows by itself for 15 min after you open it. ',
        code('/pg help'),
        ' shows all that can be typed.',
      ),
    ),
  ],
})

function headline({ clusters, openIncidents, waitingForMe, waitingForOthers }: HomeState): string {
  const unseen = clusters.filter((cluster) => cluster.unseen !== null).length
  const isCritical = clusters.some(({ worst }) => worst === 'critical')
  const sign = isCritical ? '🔴' : openIncidents > 0 || unseen > 0 ? '🟠' : '🟢'
  return [
    `${sign} ${openIncidents > 0 ? count(openIncidents, 'open incident') : 'Nothing is wrong that I watch for'}`,
    ...(unseen > 0 ? [`${count(unseen, 'cluster')} unseen`] : []),
    ...(waitingForMe > 0 ? [`${waitingForMe} ${waitingForMe === 1 ? 'waits' : 'wait'} for you`] : []),
    ...(waitingForOthers > 0
      ? [`${waitingForOthers} ${waitingForOthers === 1 ? 'waits' : 'wait'} for others`]
      : []),
  ].join(' · ')
}

/** Shows an answer to a press, with its buttons. A longer one has no room here: its first line stands for it. */
function noticeBlocks(notice: View | null): Block[] {
  if (!notice) return []
  const isShort = notice.blocks.length > 0 && notice.blocks.length <= mostOfNotice
  const said = isShort ? notice.blocks : [richText(section(notice.text.split('\n')[0] ?? ''))]
  return [...said, { type: 'divider' }]
}

function pendingBlocks({ pending, waitingForMe }: HomeState): Block[] {
  if (waitingForMe === 0) return []
  const left = waitingForMe - pending.length
  return [
    header('Waits for your approval'),
    ...pending.flatMap(({ proposal, card, link: url }): Block[] => {
      const lines: Line[] = [
        linked({ headline: headlineOf(card), link: url }),
        ...summaryLines(card, mostWords),
      ]
      return [
        richText(section(...lines.flatMap((line, index) => (index > 0 ? [text('\n'), ...line] : line)))),
        ...target(card, targetWords),
        ...buttonRow(...decisions(proposal, card), detailsButton(proposal.cardId)),
      ]
    }),
    ...(left > 0
      ? [
          richText(
            section(`${count(left, 'more request waits', 'more requests wait')} for you: see the channels.`),
          ),
        ]
      : []),
  ]
}

/** A part with its title; none where it is empty. */
const part = (title: string, lines: readonly Line[], rest: Line | null): Block[] =>
  lines.length === 0 && rest === null
    ? []
    : [
        header(title),
        ...(lines.length > 0 ? [richText(bullets(...lines))] : []),
        ...(rest ? [richText(section(...rest))] : []),
      ]

const linked = ({
  headline,
  link: url,
}: {
  readonly headline: string
  readonly link: string | null
}): Line => [url === null ? bold(headline) : link(url, headline)]

/** The unseen first, then the worst; those of which nothing is to be said are counted where they are many. */
function clusterLines(clusters: readonly HomeCluster[]): [Line[], Line | null] {
  const rank = ({ unseen, worst }: HomeCluster) =>
    unseen !== null ? -1 : worst === null ? Number.MAX_SAFE_INTEGER : severities[worst]
  const all = clusters.toSorted(
    (a, b) => rank(a) - rank(b) || b.incidents - a.incidents || (a.name < b.name ? -1 : 1),
  )
  const shown = all.slice(0, mostClusters)
  const left = all.slice(mostClusters)
  const troubled = left.filter(({ unseen, incidents }) => unseen !== null || incidents > 0).length
  return [
    shown.map(clusterLine),
    left.length === 0
      ? null
      : [
          `${count(left.length, 'more cluster')}, ${troubled === 0 ? 'nothing wrong on any of them' : `${troubled} of them in trouble`}: `,
          code('/pg clusters'),
        ],
  ]
}

function clusterLine({ name, unseen, incidents, worst }: HomeCluster): Line {
  if (unseen !== null) return ['⚠️ ', bold(name), ` is not seen: ${truncate(unseen.replace(/\.$/, ''), 140)}.`]
  if (worst === null) return ['🟢 ', bold(name)]
  return [`${severitySigns[worst]} `, bold(name), `: ${count(incidents, 'open incident')}`]
}

const silenceLine = ({ silence, headline: about }: HomeState['silences'][number]): Line => [
  bold(silence.cluster),
  `: ${about ?? silenceWords(silence.scope)} until `,
  ...quietUntil(silence),
  ', by ',
  user(silence.by),
  ...(silence.reason ? [`: ${truncate(silence.reason, 150)}`] : []),
]

function decidedLine({ proposal, headline: what, link: url }: HomeState['decided'][number]): Line {
  const { state, brokeGlass, approvals, decidedBy, claimedAt } = proposal
  const people = brokeGlass
    ? [brokeGlass.userId]
    : state === 'denied'
      ? [decidedBy]
      : approvals.map(({ userId }) => userId)
  const named = people.flatMap((id) => (id === null ? [] : [id]))
  return [
    ...linked({ headline: what, link: url }),
    ...(named.length > 0
      ? [state === 'denied' ? ', by ' : brokeGlass ? ', BREAK GLASS by ' : ', approved by ']
      : []),
    ...named.flatMap((id, index) => [...(index > 0 ? [', '] : []), user(id)]),
    ...(claimedAt === null ? [] : [', ', moment(claimedAt, '{date_short_pretty} {time}')]),
  ]
}

const more = (all: number, shown: readonly unknown[], what: string): Line | null =>
  all > shown.length ? [`${count(all - shown.length, `more ${what}`)}: `, code('/pg')] : null
