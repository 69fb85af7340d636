import type { ModalView } from '@slack/types'
import type { JournalRow } from '../../domain/approvals/journal.ts'
import { askersOf, type Proposal } from '../../domain/approvals/proposal.ts'
import { subjectOf } from '../../domain/incidents/finding.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import type { OwnLock } from '../../domain/locks/list.ts'
import type { Session, SessionKey } from '../../domain/session/session.ts'
import { modesOf, wordsOfTarget } from '../answers/lockTable.ts'
import { proposeButton, refreshAction } from '../buttons.ts'
import {
  type Block,
  bold,
  bullets,
  button,
  buttonRow,
  context,
  header,
  type Line,
  moment,
  plainText,
  preformatted,
  richText,
  section,
  truncate,
  user,
} from '../kit.ts'
import { allTags } from '../tags.ts'
import { count, nameOf, onOneLine, shortNameAndPid, stateOf } from '../words.ts'
import { resolution, shortId, targetOfCard } from './card.ts'
import type { CardState } from './cardState.ts'
import { costOf, lostWith, workOf } from './cost.ts'
import { sentenceOf, whyOfFinding } from './findings.ts'
import { headlineOf } from './headline.ts'
import { journalLine } from './journalLine.ts'
import { standing } from './standing.ts'

/** The callback id of the modal. */
export const detailsCallback = 'pg_details'

/** Locks of the target, as they were read for this modal. */
export type LocksNow =
  | { readonly locks: readonly OwnLock[] }
  | { readonly unread: string }
  /** The session is not there any more, or another has its pid. */
  | { readonly gone: true }

/** All that stands behind the button "Details" of a card. */
export type Details = {
  readonly card: CardState
  /** Null where there is no target, or it is over. */
  readonly locks: LocksNow | null
  /** Wait event of the target at that time, with the words of the server; null where it does not wait, or nobody looked. */
  readonly wait: string | null
  /** Events of the card, oldest first. */
  readonly history: readonly JournalRow[]
  /** The statement that an approval sends, as one types it in psql; null where nothing is proposed. */
  readonly sql: string | null
  /** Time of the look, milliseconds since the epoch. */
  readonly now: number
}

/** Slack takes 100 blocks in a modal and 3,000 characters in a text: https://docs.slack.dev/reference/views/modal-views */
const mostOptions = 8
const mostLocks = 5
const mostHistory = 12
const statementLength = 2900

/**
 * Draws the modal of a card: why this session, what it does and costs, every other way out with a button that proposes it, the whole
 * statement, what happened, and the statement that an approval sends.
 */
export function detailsModal({ card, locks, wait, history, sql, now }: Details): ModalView {
  const { incident, proposals } = card
  const over = incident?.resolvedAt != null
  const cardId = incident?.id ?? proposals[0]?.cardId ?? ''
  return {
    type: 'modal',
    callback_id: detailsCallback,
    private_metadata: cardId,
    title: plainText('Details', 24),
    close: plainText('Close', 24),
    blocks: [
      header(headlineOf(card)),
      ...(over ? [richText(section(bold('It is over. '), resolution(incident)))] : []),
      ...explanation(card),
      ...(wait ? [richText(section(bold('Wait event: '), `${wait}.`))] : []),
      ...(locks ? [lockLines(locks, targetOfCard(card))] : []),
      ...(over ? [] : otherWays(card)),
      ...statement(card, over),
      ...(proposals.length > 0
        ? [
            richText(
              bullets(
                ...proposals
                  .slice(-6)
                  .map((one) => [
                    bold(`${one.action} ${one.key.pid}: `),
                    ...standing(one, card),
                    ...askedFor(one),
                  ]),
              ),
            ),
          ]
        : []),
      ...(sql && !over
        ? [
            richText(
              section(
                'What an approval sends. Whoever has no Slack at hand can run it in psql, as a role that may signal:',
              ),
              preformatted(truncate(sql, statementLength)),
            ),
          ]
        : []),
      ...times(incident),
      ...(history.length > 0 ? [richText(bullets(...history.slice(-mostHistory).flatMap(historyLine)))] : []),
      ...buttonRow(button(refreshAction, 'Refresh', cardId)),
      richText(section('Read ', moment(now), '.')),
      context(`${incident ? 'Incident' : 'Request'} ${shortId(cardId)} · /pg history ${shortId(cardId)}`),
    ],
  }
}

function explanation(card: CardState): Block[] {
  const { incident, proposals } = card
  const over = incident?.resolvedAt != null
  const latest = proposals.at(-1)
  const what = incident ? sentenceOf(incident.finding) : latest ? requestSentence(latest) : ''
  const recommendation = incident?.recommendation ?? null
  const subject = incident ? subjectOf(incident.finding) : (latest?.session ?? null)
  const target = recommendation?.target ?? (!incident && latest?.state === 'open' ? latest : null)
  const lines: Line[] = over
    ? []
    : [
        ...(incident ? whyOfFinding(incident.finding) : []),
        ...(!incident && latest?.reason ? [[bold('Why: '), latest.reason]] : []),
        ...(subject ? [[bold('Its work: '), workOf(subject, lostWith(subject, incident))]] : []),
        ...(recommendation
          ? [[bold(recommendation.target ? 'Best way out: ' : 'No button: '), recommendation.text]]
          : []),
        ...(target
          ? [
              [
                bold('What that costs: '),
                costOf(
                  target.action,
                  target.session,
                  lostWith(target.session, incident),
                  recommendation?.retries ?? null,
                ),
              ],
            ]
          : []),
      ]
  return [
    // In the words of the present: it was so when it was last seen.
    richText(section(...(over ? ['As last seen: '] : []), what)),
    ...(lines.length > 0 ? [richText(bullets(...lines))] : []),
  ]
}

/** Says what the target holds and waits for: what others wait for first, then the strongest. */
function lockLines(locks: LocksNow, target: Session | null): Block {
  const whose = bold(`Locks of ${target ? shortNameAndPid(target) : 'it'}: `)
  if ('gone' in locks)
    return richText(section(whose, 'the session is not there any more, or is another now.'))
  if ('unread' in locks) return richText(section(whose, `not read: ${locks.unread}.`))
  const more = locks.locks.length - mostLocks
  if (locks.locks.length === 0) return richText(section(whose, 'none.'))
  return richText(
    section(whose),
    bullets(
      ...locks.locks.slice(0, mostLocks).map(lockLine),
      ...(more > 0 ? [[`${count(more, 'more lock')}: /pg locks ${target?.pid ?? ''}`]] : []),
    ),
  )
}

function lockLine(lock: OwnLock): Line {
  const { granted, modes, others } = lock
  const waiters = granted && others.length > 0 ? `; ${count(others.length, 'waits', 'wait')} for it` : ''
  return [
    `${granted ? 'Holds' : 'Waits for'} ${modesOf(modes)} on ${truncate(wordsOfTarget(lock), 90)}${waiters}`,
  ]
}

/** Names everybody who asked for it, with why. */
const askedFor = (proposal: Proposal): Line =>
  askersOf(proposal).flatMap(({ userId, reason }) => [
    ' ',
    user(userId),
    reason ? ` asks: ${truncate(onOneLine(reason), 300)}.` : ' asks for it.',
  ])

const requestSentence = ({ session, victims }: Proposal): string =>
  `Session ${nameOf(session)}, ${stateOf(session)}${victims.length > 0 ? `, keeps ${count(victims.length, 'session')} waiting` : ''}.`

/** Each other way out with a button that asks for it, best first. */
function otherWays({ incident, cluster }: CardState): Block[] {
  const others = incident?.recommendation?.others ?? []
  const more = others.length - mostOptions
  return [
    ...others.slice(0, mostOptions).flatMap(({ text, action, pid, backendStart }) => {
      const key: SessionKey = { cluster, pid, backendStart }
      return [
        richText(section(bold('Other way out: '), text)),
        ...buttonRow(proposeButton(action, key, whomIn(incident, key))),
      ]
    }),
    ...(more > 0 ? [richText(section(`${count(more, 'more way')} out: /pg blocking`))] : []),
  ]
}

/** The name of a session of an incident, where it is one of the two that are kept whole. */
function whomIn(incident: Incident | null, { pid, backendStart }: SessionKey): string | undefined {
  const known = [incident?.recommendation?.target?.session, incident && subjectOf(incident.finding)]
  const session = known.find((one): one is Session => one?.pid === pid && one.backendStart === backendStart)
  return session && shortNameAndPid(session)
}

function statement(card: CardState, over: boolean): Block[] {
  const session = targetOfCard(card)
  if (!session?.query) return []
  const ran = session.state !== 'active' ? 'The last statement of' : over ? 'It ran as' : 'It runs as'
  const origin = allTags(session)
  return [
    richText(section(`${ran} ${nameOf(session)}:`), preformatted(truncate(session.query, statementLength))),
    ...(origin.length > 0 ? [richText(section(bold('Comes from: '), ...origin, '.'))] : []),
  ]
}

function times(incident: Incident | null): Block[] {
  if (!incident) return []
  const { beganAt, openedAt, resolvedAt } = incident
  return [
    richText(
      section(
        'Began ',
        moment(beganAt),
        ', seen first ',
        moment(openedAt),
        ...(resolvedAt === null ? [] : [', over ', moment(resolvedAt)]),
        '.',
      ),
    ),
  ]
}

function historyLine({ at, event }: JournalRow): Line[] {
  const line = journalLine(event, null)
  return line ? [[moment(at), ' ', ...line]] : []
}
