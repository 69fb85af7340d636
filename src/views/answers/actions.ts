import type { Button } from '@slack/types'
import type { Action } from '../../domain/session/action.ts'
import type { SessionKey } from '../../domain/session/session.ts'
import {
  detailsButton,
  type momentActions,
  momentButton,
  pageButton,
  proposeButton,
  refreshAnswerButton,
  showAnswerButton,
} from '../buttons.ts'
import {
  type Block,
  bold,
  bullets,
  buttonRow,
  type Line,
  link,
  plainWords,
  richText,
  type View,
} from '../kit.ts'

/** Request that a button of an answer makes. */
export type Proposed = { readonly action: Action; readonly key: SessionKey; readonly whom: string }

/** A card that stands open, as an answer names it. */
export type OpenCard = {
  readonly cardId: string
  /** True where it has details of its own; a digest has none. */
  readonly hasDetails: boolean
  readonly title: string
  /** Begin of its trouble, milliseconds; null for a request by hand. */
  readonly beganAt: number | null
  /** Address of the card in Slack; null while it stands nowhere. */
  readonly link: string | null
  /** Sessions that it is about. */
  readonly sessions: readonly Pick<SessionKey, 'pid' | 'backendStart'>[]
}

/** An answer that another button shows. */
export type Shown = { readonly label: string; readonly command: string }

/** Links and buttons of an answer. */
export type AnswerActions = {
  /** Said first: what the answer itself does not show, as trouble on another cluster. */
  readonly notes: readonly Line[]
  /** Worst first. */
  readonly proposed: readonly Proposed[]
  /** Cards of the sessions that the answer is about; what names them itself wants their buttons alone. */
  readonly cards: readonly (OpenCard & { readonly isNamed?: boolean })[]
  readonly shows: readonly Shown[]
  /** The command that reads the answer again; null for no such button. */
  readonly refresh: string | null
  /** The commands that read the pages beside this one; null where there is none. */
  readonly pages: { readonly newer: string | null; readonly older: string | null }
  /** The commands that show other moments of the past. */
  readonly moments: Moments
}

export type Moments = { readonly [to in keyof typeof momentActions]?: string | null }

export const noActions: AnswerActions = {
  notes: [],
  proposed: [],
  cards: [],
  shows: [],
  refresh: null,
  pages: { newer: null, older: null },
  moments: {},
}

/** Slack's limits: https://docs.slack.dev/reference/block-kit/blocks */
const mostBlocks = 50
const mostCharacters = 10_000
/** `chat.update` takes no longer text: https://docs.slack.dev/reference/methods/chat.update */
const longestText = 3900
/** More rows of buttons are no help to a thumb. */
const mostRows = 10

/** Adds links and buttons to an answer. Where they do not fit they give way, the last ones first. */
export function withActions(
  view: View,
  { notes, proposed, cards, shows, refresh, pages, moments }: AnswerActions,
): View {
  const [title, ...rest] = view.blocks
  const cardLines = cards.filter(({ isNamed }) => !isNamed).map(cardLine)
  const blocks: Block[] = [
    ...(title ? [title] : []),
    ...(notes.length > 0 ? [richText(bullets(...notes))] : []),
    ...rest,
    ...(cardLines.length > 0 ? [richText(bullets(...cardLines))] : []),
  ]
  const extras = [
    ...buttonRows(proposed, cards, shows),
    ...buttonRow(...lastButtons(refresh, pages, moments)),
  ]
  const last = extras.at(-1)
  // Refresh goes last: without it an old answer cannot be made true.
  const rows = extras.slice(0, -1).slice(0, mostRows)
  while (rows.length > 0 && !fits([...blocks, ...rows, ...(last ? [last] : [])])) rows.pop()
  const all = [...blocks, ...rows, ...(last ? [last] : [])]
  return {
    text: withLines(view.text, notes.map(plainWords), cardLines.map(plainWords)),
    blocks: fits(all) ? all : blocks,
  }
}

const lastButtons = (
  refresh: string | null,
  { newer, older }: AnswerActions['pages'],
  { earlier = null, later = null, change = null }: Moments,
): Button[] =>
  [
    earlier === null ? null : momentButton('earlier', earlier),
    later === null ? null : momentButton('later', later),
    change === null ? null : momentButton('change', change),
    newer === null ? null : pageButton('newer', newer),
    older === null ? null : pageButton('older', older),
    refresh === null ? null : refreshAnswerButton(refresh),
  ].filter((button) => button !== null)

const fits = (blocks: readonly Block[]): boolean =>
  blocks.length <= mostBlocks && charactersIn(blocks) <= mostCharacters

/** Fields that a reader sees; all but `text` are objects everywhere but in charts. */
const read = ['text', 'title', 'name', 'label']

/** Counts what a reader sees; the names of fields and ids are not among it. */
export function charactersIn(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + charactersIn(one), 0)
  if (typeof value !== 'object' || value === null) return 0
  return Object.entries(value).reduce(
    (sum, [key, one]) =>
      sum + (read.includes(key) && typeof one === 'string' ? one.length : charactersIn(one)),
    0,
  )
}

/** One row for each session, with the details of its card; rows for cards that have no other; then other answers. */
function buttonRows(
  proposed: readonly Proposed[],
  cards: readonly OpenCard[],
  shows: readonly Shown[],
): Block[] {
  const distinct = new Map(proposed.map((one) => [JSON.stringify([one.action, one.key]), one]))
  const detailed = cards.filter(({ hasDetails }) => hasDetails)
  const used = new Set<OpenCard>()
  const rows = [...distinct.values()].flatMap(({ action, key, whom }) => {
    const card = detailed.find((one) => !used.has(one) && isAbout(one, key))
    if (card) used.add(card)
    return buttonRow(proposeButton(action, key, whom), ...(card ? [detailsButton(card.cardId)] : []))
  })
  const others = detailed.filter((card) => !used.has(card))
  return [
    ...rows,
    ...others.flatMap(({ cardId, title }) =>
      buttonRow(detailsButton(cardId, others.length > 1 ? title : '')),
    ),
    ...shows.flatMap(({ label, command }) => {
      const button = showAnswerButton(label, command)
      return button ? buttonRow(button) : []
    }),
  ]
}

export const isAbout = ({ sessions }: OpenCard, key: Pick<SessionKey, 'pid' | 'backendStart'>): boolean =>
  sessions.some(({ pid, backendStart }) => pid === key.pid && backendStart === key.backendStart)

/** Names an open card, with the way to it. */
export const cardLine = (card: Pick<OpenCard, 'title' | 'link'>): Line =>
  card.link === null ? [bold('Card: '), card.title] : [bold('Card: '), link(card.link, card.title)]

/** The title stays first, and when it was read last. */
function withLines(text: string, notes: readonly string[], cards: readonly string[]): string {
  const [title = '', ...lines] = text.split('\n')
  const last = lines.pop()
  const all = [title, ...notes, ...lines, ...cards, ...(last === undefined ? [] : [last])].join('\n')
  return all.length <= longestText ? all : text
}
