import { isPerson } from '../../domain/approvals/actor.ts'
import { isBulk } from '../../domain/approvals/bulk.ts'
import { bot, type JournalEvent, type JournalRow, shortestHead } from '../../domain/approvals/journal.ts'
import { type Proposal, requestersOf } from '../../domain/approvals/proposal.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import {
  bold,
  code,
  context,
  type Line,
  moment,
  plainWords,
  preformatted,
  richText,
  section,
  truncate,
  user,
  type View,
} from '../kit.ts'
import { count, nameOf, onOneLine } from '../words.ts'
import { bulkNote, bulkOutcome, membersWords } from './bulk.ts'
import { callReasons } from './call.ts'
import { outcomeSentence } from './outcome.ts'

/**
 * Writes an event as a note in the thread of a card; null when the card itself shows it, and nobody has to be notified:
 * a thread says what its card does not. The journal and `/pg history` have all of it.
 */
export function threadLine(event: JournalEvent, proposal: Proposal | null): View | null {
  if (event.kind === 'bulkDone' && proposal && isBulk(proposal)) return bulkNote(proposal, mention(proposal))
  // The names of a list stand in one note, once all of it is through.
  if (event.kind === 'outcome' && proposal?.bulk) return null
  const line = isOnCard(event, proposal) ? null : journalLine(event, proposal)
  if (!line) return null
  const said = view(line)
  return event.kind === 'outcome' && event.sql
    ? { ...said, blocks: [...said.blocks, ...proof(event.sql, event.returned)] }
    : said
}

/** Decides whether the card shows all that a note would say. Somebody who asked for it is notified by a note. */
function isOnCard(event: JournalEvent, proposal: Proposal | null): boolean {
  switch (event.kind) {
    case 'requested':
      // Who asks the approvers does it in a note of its own, which mentions them; who joins is news to the others.
      return (
        event.asked !== undefined ||
        (proposal?.cardId === event.proposalId &&
          !proposal.joined?.some(({ userId }) => userId === event.actor))
      )
    // The last one that was needed stands in the line of the channel.
    case 'approved':
      return event.have >= event.needed
    case 'denied':
    case 'expired':
      return proposal === null || requestersOf(proposal).length === 0
    // Who is relieved is notified.
    case 'acknowledged':
      return event.from === undefined
    // The card or a call of its own, which mentions them.
    case 'called':
    case 'brokeGlass':
    case 'codeAccepted':
    case 'codesLocked':
    case 'silenced':
    case 'silenceEnded':
    case 'incidentOpened':
    case 'incidentResolved':
      return true
    default:
      return false
  }
}

/** Shows the statement that was run, and what the server said to it. */
const proof = (sql: string, returned: boolean | null): View['blocks'] => [
  richText(
    section('Sent:'),
    preformatted(truncate(sql, 2000)),
    section(returned === null ? 'What it returned is not known.' : `It returned ${returned}.`),
  ),
]

/** Most people who are named among those who were refused. */
const mostRefused = 5

/**
 * Writes all refused presses on a card as one note, which is edited as they become more.
 * @param refused what the journal has of them, oldest first
 */
export function refusedLine(refused: readonly (JournalEvent & { readonly kind: 'refused' })[]): View | null {
  const last = refused.at(-1)
  if (!last) return null
  const presses = refused.reduce((all, { more = 1 }) => all + more, 0)
  const people = [...new Set(refused.map(({ actor }) => actor))]
  const others = people.length - mostRefused
  return view([
    user(last.actor),
    ` was refused (${last.entry}): ${last.reason}`,
    ...(presses > 1
      ? [
          `. ${presses} refused so far`,
          ...(people.length > 1
            ? [
                ', of ',
                ...people.slice(0, mostRefused).flatMap((id, n) => [...(n > 0 ? [', '] : []), user(id)]),
                ...(others > 0 ? [` and ${count(others, 'other')}`] : []),
              ]
            : []),
          '.',
        ]
      : []),
  ])
}

/** The line in the channel itself: what was done to a session, and what stops or starts the watching. */
export function channelLine(row: JournalRow, proposal: Proposal | null): View | null {
  const { event } = row
  if (event.kind === 'blind')
    return view([
      bold(`Blind on ${event.cluster}: `),
      event.reason,
      ...(event.since === null ? [] : [' Nothing is seen since ', moment(event.since), '.']),
    ])
  if (event.kind === 'brokeGlass') return view(brokeGlass(event))
  if (event.kind === 'codesLocked') return view(codesLocked(event))
  // A snoozed incident says so on its card.
  if ((event.kind === 'silenced' || event.kind === 'silenceEnded') && row.cardId !== null) return null
  if (event.kind === 'silenced')
    return view([
      bold(`Quiet period on ${event.cluster}: `),
      `no new cards for ${event.what} until `,
      moment(event.until),
      ', says ',
      user(event.actor),
      ...(event.reason ? [`: ${event.reason}`] : []),
    ])
  if (event.kind === 'silenceEnded')
    return view([
      bold(`Quiet period on ${event.cluster} ended: `),
      ...(event.left.length === 0
        ? [`${event.what} brings cards again.`]
        : [
            `${event.what} brings cards again, except what is silent still: `,
            ...event.left.flatMap(({ what, until }, index) => [
              `${index > 0 ? ', ' : ''}${what} until `,
              moment(until),
            ]),
            '.',
          ]),
      meanwhile(event),
    ])
  if (event.kind === 'lacking')
    return view([bold(`Missing on ${event.cluster}: `), `${event.what} `, code(event.remedy)])
  if (event.kind === 'seesAgain') return view([bold(`Sees ${event.cluster} again. `), event.reason])
  if (event.kind === 'hostIntended' || event.kind === 'hostOutcome')
    return proved(view(journalLine(event, null) ?? []), row)
  // A list has one line, once all of it is through.
  const isWhole = event.kind === (proposal?.bulk ? 'bulkDone' : 'outcome')
  if (!isWhole || !proposal || (event.kind !== 'outcome' && event.kind !== 'bulkDone')) return null
  const whom = proposal.bulk ? membersWords(proposal.bulk) : nameOf(proposal.session)
  const said = view([
    bold(`${event.action === 'cancel' ? 'Cancel' : 'Terminate'} ${whom} on ${event.session.cluster}`),
    proposal.brokeGlass ? ', BREAK GLASS by ' : ', approved by ',
    ...proposal.approvals.flatMap(({ userId }, index) => [...(index > 0 ? [', '] : []), user(userId)]),
    ...requestersOf(proposal).flatMap((userId, index) => [
      index > 0 ? ', ' : ', requested by ',
      user(userId),
    ]),
    `: ${outcomeSentence(proposal)}`,
  ])
  return proved(said, row)
}

/** Adds where the journal has it: with the hash, nobody can take it out unseen. */
const proved = (said: View, { seq, hash }: JournalRow): View => ({
  ...said,
  blocks: [...said.blocks, context(`journal ${seq} · ${hash.slice(0, shortestHead)}`)],
})

/** Writes an event for a thread or a history. `proposal` says who requested it and must be notified. */
export function journalLine(event: JournalEvent, proposal: Proposal | null): Line | null {
  switch (event.kind) {
    case 'requested':
      if (event.asked) return [user(event.actor), ' asked the approvers to decide.']
      return [
        user(event.actor),
        ` asks to ${event.action} ${whomIn(event)}: ${event.reason || 'no reason given'}`,
      ]
    case 'approved':
      return [user(event.actor), ` approved (${event.have} of ${event.needed}).`]
    case 'brokeGlass':
      return brokeGlass(event)
    case 'refused':
      return [
        user(event.actor),
        event.more
          ? ` was refused ${count(event.more, 'more time')} within a minute: ${event.reason}`
          : ` was refused (${event.entry}): ${event.reason}`,
      ]
    case 'codeAccepted':
      return [user(event.actor), ' gave a code of their authenticator app.']
    case 'codesLocked':
      return codesLocked(event)
    case 'enrolled':
      return [user(event.userId), ` was enrolled for codes on my machine, by ${event.by}.`]
    case 'unenrolled':
      return [user(event.userId), ` is not enrolled for codes any more, says ${event.by} on my machine.`]
    case 'hostIntended':
      return [
        bold('From the operating system: '),
        `${event.by} is about to ${event.action} process ${event.pid} on ${event.cluster} (${onOneLine(event.title)}).`,
      ]
    case 'hostOutcome':
      return [
        bold('From the operating system: '),
        `${event.by}, ${event.action} of process ${event.pid} on ${event.cluster}: ${event.what}`,
      ]
    case 'denied':
      return [
        user(event.actor),
        ` denied it${event.reason ? `: ${event.reason}` : '.'}`,
        ...mention(proposal),
      ]
    case 'expired':
      return ['The proposal expired; nothing was sent.', ...mention(proposal)]
    // What the watcher offers and takes back by itself shows on the card.
    case 'offered':
      return event.actor === bot
        ? null
        : event.members
          ? [
              user(event.actor),
              ` made the list shorter: it has ${count(event.members.length, 'session')} now, and needs approvals of its own.`,
            ]
          : [user(event.actor), ` asks to ${event.action} ${event.session.pid} after all.`]
    case 'bulkDone':
      return [bulkOutcome(event.action, event.counts), ...mention(proposal)]
    case 'withdrawn':
      return proposal && (requestersOf(proposal).length > 0 || proposal.approvals.length > 0)
        ? [`The proposal was withdrawn: ${event.reason}.`, ...mention(proposal)]
        : null
    case 'outcome':
      return [
        outcomeSentence({ ...event, key: event.session, session: proposal?.session ?? null }),
        ...mention(proposal),
      ]
    case 'retried':
      return [
        `Tried again: ${event.pid} began the same statement ${formatDuration(event.afterMs / 1000)} after the signal. Its application retries: mend it, or stop it, before the next one is ended.`,
        ...mention(proposal),
      ]
    case 'intended':
      return null
    case 'incidentOpened':
    case 'incidentChanged':
    case 'incidentReopened':
    case 'incidentResolved':
      return [event.what]
    case 'acknowledged':
      if (event.to) return [user(event.actor), ' handed it over to ', user(event.to), '.']
      return event.from
        ? [user(event.actor), ' takes it over from ', user(event.from), '.']
        : [user(event.actor), ' acknowledged it.']
    case 'called':
      return [`People were called: ${callReasons[event.why]}.`]
    case 'handedBack':
      return [user(event.actor), ' gave it back: nobody looks after it.']
    case 'undelivered':
      return [`${event.receiver} did not take "${event.what}" (${event.reason}). It is not sent again.`]
    case 'silenced':
      return [
        user(event.actor),
        ` silenced ${event.what} until `,
        moment(event.until),
        ...(event.reason ? [`: ${event.reason}`] : []),
      ]
    case 'silenceEnded':
      return [`The quiet about ${event.what} has ended.${meanwhile(event)}`]
    case 'caughtUp':
      return [
        `While it was quiet: ${event.changes > 1 ? `${count(event.changes, 'change')}, the last: ` : ''}${event.last}`,
      ]
    case 'lacking':
    case 'blind':
    case 'seesAgain':
    case 'configured':
    case 'misconfigured':
      return null
  }
}

/** The one session, or how many. */
const whomIn = ({ session, members }: JournalEvent & { kind: 'requested' | 'brokeGlass' }): string =>
  members ? count(members.length, 'session') : String(session.pid)

/** Sums up what happened during a silence to what it covered. */
function meanwhile({ opened, resolved, open }: JournalEvent & { kind: 'silenceEnded' }): string {
  if (opened + resolved === 0) return ''
  const said = [
    opened > 0 ? `${count(opened, 'incident')} came` : '',
    resolved > 0 ? `${count(resolved, 'incident')} ended` : '',
    `${open === 0 ? 'none' : open} ${open > 1 ? 'are' : 'is'} open now`,
  ]
  return ` Meanwhile ${list(said.filter(Boolean))}.`
}

const brokeGlass = (event: JournalEvent & { kind: 'brokeGlass' }): Line => [
  bold('BREAK GLASS: '),
  user(event.actor),
  ` acts alone: ${event.action} ${whomIn(event)} on ${event.session.cluster}. Reason: ${event.reason}`,
]

const codesLocked = (event: JournalEvent & { kind: 'codesLocked' }): Line => [
  bold(`${event.wrong} wrong codes on ${event.cluster}: `),
  'nobody approves as ',
  user(event.actor),
  ' until ',
  moment(event.until),
  '. If that was somebody else, sign them out of Slack everywhere and enrol them again.',
]

/** Mentions the people who asked. */
const mention = (proposal: Proposal | null): Line =>
  proposal
    ? requestersOf(proposal)
        .filter(isPerson)
        .flatMap((userId) => [' ', user(userId)])
    : []

const view = (line: Line): View => ({
  text: truncate(plainWords(line), 3000),
  blocks: [richText(section(...line))],
})
