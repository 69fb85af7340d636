import type { Button } from '@slack/types'
import { isBulk } from '../../domain/approvals/bulk.ts'
import { mayBeOfferedAgain, type OpenProposal } from '../../domain/approvals/proposal.ts'
import { subjectOf } from '../../domain/incidents/finding.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import type { Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import {
  acknowledgeAction,
  breakGlassAction,
  confirmWords,
  detailsAction,
  handBackAction,
  handOverAction,
  offerAgainAction,
  proposeIdleButton,
  snoozeAction,
  snoozeMenu,
  takeOverAction,
} from '../buttons.ts'
import {
  type Block,
  bold,
  button,
  buttonRow,
  code,
  context,
  deadline,
  escapeText,
  header,
  type Line,
  moment,
  plainText,
  plainWords,
  preformatted,
  richText,
  section,
  text,
  truncate,
  unbroken,
  user,
  type View,
} from '../kit.ts'
import { originLine } from '../tags.ts'
import { count, nameOf, onOneLine, quietUntil, shortNameAndPid, stateOf, whoOf } from '../words.ts'
import { mentions } from './ask.ts'
import { summaryLines } from './brief.ts'
import { bulkLines, membersWords } from './bulk.ts'
import type { CardState } from './cardState.ts'
import { consequenceOf, lostWith, workOf } from './cost.ts'
import { countWords, firstWords } from './fit.ts'
import { headlineOf } from './headline.ts'

/** A card is read in five seconds: no more words stand before its buttons. */
const mostWords = 60
/** Largest number of characters of a statement: three lines of a telephone. */
const statementLength = 110
/** Words of a statement that are shown in any case. */
const leastOfStatement = 3

/**
 * Draws the card of an incident, or of a proposal made by hand: what is wrong, what helps, what that costs, who must approve, and
 * whom it is about. All else is one press away, see details.ts.
 */
export function cardView(card: CardState): View {
  const { incident } = card
  const over = incident?.resolvedAt != null
  const headline = headlineOf(card)
  const lines = summaryLines(card, mostWords - countWords(headline))
  const blocks: Block[] = [
    header(headline),
    ...(lines.length > 0 ? [richText(section(...joined(lines)))] : []),
    ...(over ? [] : target(card, mostWords - countWords(headline, ...lines.map(plainWords)))),
    ...buttons(card),
    ...(over ? [] : called(card)),
    ...(incident && !over ? attention(card, incident) : []),
    ...memory(card),
    ...reference(card),
  ]
  return {
    text: truncate(
      [
        unbroken(escapeText(headline)),
        ...lines.map(plainWords),
        ...(over ? [] : [plainWords(mentions(card.calls?.mention ?? []))].filter(Boolean)),
      ].join('\n'),
      3000,
    ),
    blocks,
  }
}

const joined = (lines: readonly Line[]): Line =>
  lines.flatMap((line, index) => (index > 0 ? [text('\n'), ...line] : line))

/** Says what ended an incident, how long it lasted, and how many it hurt. */
export const resolution = (incident: Incident | null): string =>
  incident
    ? `${incident.resolution} It lasted ${formatDuration(((incident.resolvedAt ?? 0) - incident.beganAt) / 1000)}${incident.mostVictims > 0 ? ` and kept up to ${count(incident.mostVictims, 'session')} waiting` : ''}.`
    : ''

/** Finds whom the button below would end, else whom the card is about: as it was last seen. */
export function targetOfCard({ incident, proposals }: CardState): Session | null {
  const latest = proposals.at(-1)
  // A list is about nobody alone.
  if (latest?.bulk) return null
  const seen = incident?.recommendation?.target?.session
  if (latest && latest.state === 'open')
    return seen?.pid === latest.key.pid && seen.backendStart === latest.key.backendStart
      ? seen
      : latest.session
  return seen ?? (incident ? subjectOf(incident.finding) : (latest?.session ?? null))
}

/** Shows the target's names, where it comes from and its statement, so that they stand right above the button that ends it. */
export function target(card: CardState, words: number): Block[] {
  const session = targetOfCard(card)
  if (!session) return []
  const { incident } = card
  // The headline has the state of whom it is about.
  const isAbout = incident !== null && subjectOf(incident.finding)?.pid === session.pid
  const who = [whoOf(session), isAbout ? null : session.state].filter(Boolean).join(' · ')
  const names = firstWords(who, Math.max(3, Math.min(12, words - 4)))
  const origin = originLine(session, words - countWords(names) - leastOfStatement)
  const left = Math.max(leastOfStatement, words - countWords(names, plainWords(origin)))
  return [
    richText(
      section(names),
      ...(origin.length > 0 ? [section(...origin)] : []),
      ...(session.query
        ? [preformatted(truncate(firstWords(onOneLine(session.query).trim(), left), statementLength))]
        : []),
    ),
  ]
}

/** Mentions whom the card calls, and says who is next. Names call nobody. */
function called({ calls }: CardState): Block[] {
  const { mention = [], next = null } = calls ?? {}
  const whom = next && next.names.length > 0 ? list(next.names.slice(0, 4)) : 'the next step'
  const line: Line = [
    ...mentions(mention),
    ...(next
      ? [
          next.again ? ': once more at ' : `${mention.length > 0 ? ': then' : 'Then'} ${whom} at `,
          deadline(next.at),
          ', unless somebody answers.',
        ]
      : []),
  ]
  return line.length > 0 ? [richText(section(...line))] : []
}

/** Remembers what came before: how often since when, whose it always is, and at what time of the day. */
function memory({ incident }: CardState): Block[] {
  const habit = incident?.habit
  if (!habit) return []
  const { who, times, firstAt, isAtOneTime, before } = habit
  const line: Line = [
    bold(`${ordinal(times)} time`),
    ' since ',
    moment(firstAt, '{date_long}'),
    `, always ${truncate(onOneLine(who), 40)}`,
    // In the zone of each reader: all began about then.
    ...(isAtOneTime ? [', always about ', moment(incident.beganAt, '{time}')] : []),
    '. Before: ',
    ...before.flatMap((id, index) => [...(index > 0 ? [', '] : []), code(`/pg report ${shortId(id)}`)]),
    '.',
  ]
  return [richText(section(...line))]
}

const ordinal = (times: number): string => {
  const last = [11, 12, 13].includes(times % 100) ? 0 : times % 10
  return `${times}${['th', 'st', 'nd', 'rd'][last] ?? 'th'}`
}

/** Says who acknowledged it, and until when it is silent. */
function attention({ silence }: CardState, { acknowledgedBy }: Incident): Block[] {
  const said: Line = [
    ...(acknowledgedBy ? [user(acknowledgedBy), ' acknowledged it. '] : []),
    ...(silence ? ['Quiet until ', ...quietUntil(silence), ', by ', user(silence.by), '.'] : []),
  ]
  return said.length > 0 ? [richText(section(...said))] : []
}

function buttons(card: CardState): Block[] {
  const { incident, proposals, breakGlass, silence } = card
  const latest = proposals.at(-1)
  if (incident?.resolvedAt != null) return buttonRow(details(card))
  return buttonRow(
    ...(latest?.state === 'open' ? decisions(latest, card) : []),
    ...(latest && mayBeOfferedAgain(latest) ? [button(offerAgainAction, 'Offer again', latest.id)] : []),
    details(card),
    ...(incident ? proposeHolder(incident) : []),
    ...(incident && !incident.acknowledgedBy ? [button(acknowledgeAction, 'Acknowledge', incident.id)] : []),
    ...(incident?.acknowledgedBy
      ? [
          button(takeOverAction, 'I take it', incident.id),
          button(handOverAction, 'Hand over', incident.id),
          button(handBackAction, 'Hand back', incident.id),
        ]
      : []),
    ...(incident && !silence ? [button(snoozeAction, 'Snooze 30 min', incident.id)] : []),
    ...(latest?.state === 'open' && breakGlass ? [button(breakGlassAction, 'Break glass …', latest.id)] : []),
    ...(incident && !silence ? [snoozeMenu(incident.id)] : []),
  )
}

/** Asks to end what the holder of most connections does not use. Who is used meanwhile is left alone at the press. */
function proposeHolder({ cluster, finding }: Incident): Button[] {
  const most = finding.kind === 'connections' ? finding.holders[0] : undefined
  // An older version did not store which database: whom it would end is not known then.
  return most?.idle && most.datname !== undefined
    ? [proposeIdleButton(cluster, { ...most, datname: most.datname })]
    : []
}

const details = ({ incident, proposals }: CardState): Button =>
  button(
    detailsAction,
    proposals.at(-1)?.bulk ? 'Show list' : 'Details',
    incident?.id ?? proposals[0]?.cardId ?? '',
  )

/** Makes the two buttons that decide a proposal, wherever they stand: on its card, and on the Home of who may press them. */
export function decisions(proposal: OpenProposal, card: CardState): Button[] {
  const { cluster, secondFactor } = card
  const { action, bulk } = proposal
  const { session, consequence } = consequenceFor(proposal, card)
  const confirm = {
    title: plainText(questionOf(proposal, session), 100),
    text: plainText(
      // What happens first: a long name at the end may be cut.
      bulk
        ? `${consequence} On ${cluster}.`
        : `${consequence} On ${cluster}: ${nameOf(session)}, ${stateOf(session)}.`,
      300,
    ),
    ...confirmWords(proposal),
    style: 'danger' as const,
  }
  return [
    {
      ...button(
        `approve_${action}`,
        `Approve: ${action} ${bulk ? membersWords(bulk) : shortNameAndPid(session)}`,
        proposal.id,
      ),
      style: 'danger' as const,
      // The modal that asks for the code is the confirmation.
      ...(!secondFactor[action] && { confirm }),
    },
    button(`deny_${action}`, 'Deny', proposal.id),
  ]
}

/** Asks whether to end a session, or all of a list. */
export const questionOf = (
  { action, bulk }: Pick<OpenProposal, 'action' | 'bulk'>,
  session: Session,
): string => `${verbs[action]} ${bulk ? membersWords(bulk) : shortNameAndPid(session)}?`

/** Says what an approval does, what is lost by it, and who waits: before somebody approves. */
export function consequenceFor(
  proposal: OpenProposal,
  card: CardState,
): { readonly session: Session; readonly consequence: string } {
  const { incident } = card
  const { action } = proposal
  if (isBulk(proposal))
    return { session: proposal.session, consequence: bulkLines(proposal).map(plainWords).join(' ') }
  const session = targetOfCard(card) ?? proposal.session
  const root = incident?.finding.kind === 'blocking' ? incident.finding.root : null
  const waiting = root?.pid === session.pid ? root.victims.length : proposal.victims.length
  const lost = lostWith(session, incident)
  // Said early, since a long name at the end may be cut.
  const pooler =
    (proposal.pooled || session.pooler) && action === 'terminate' ? ` ${poolerRisk(session)}` : ''
  const behind = waiting > 0 ? ` ${count(waiting, 'session waits', 'sessions wait')} behind it.` : ''
  return {
    session,
    consequence: `${consequenceOf(action, session, lost)}${pooler} ${workOf(session, lost)}${behind}`,
  }
}

/** Says whom a terminate may hit behind a pooler. In session mode a connection stays with its client. */
const poolerRisk = ({ pooler }: Session): string =>
  pooler?.mode === 'session'
    ? `Behind PgBouncer: ${pooler.client ? `its client ${pooler.client.address}` : 'its client'} loses its connection.`
    : `Behind ${pooler ? 'PgBouncer' : 'a pooler'}: if the transaction ends just now, the pool’s next client may have the connection within milliseconds, and be hit instead.`

/** Says how to find all of it again. */
function reference({ incident, proposals }: CardState): Block[] {
  const id = shortId(incident?.id ?? proposals[0]?.cardId ?? '')
  return [context(`${incident ? 'Incident' : 'Request'} ${id} · /pg history ${id}`)]
}

/** Enough of an id to name a card with. */
export const shortId = (id: string): string => id.slice(0, 8)

const verbs = { cancel: 'Cancel', terminate: 'Terminate' } as const
