import { isBulk } from '../../domain/approvals/bulk.ts'
import { type JournalEvent, type JournalRow, shortestHead } from '../../domain/approvals/journal.ts'
import { type Proposal, requestersOf } from '../../domain/approvals/proposal.ts'
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
import { count, nameOf } from '../words.ts'
import { bulkNote, membersWords } from './bulk.ts'
import { brokeGlass, codesLocked, journalLine, meanwhile, mention } from './journalLine.ts'
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

const view = (line: Line): View => ({
  text: truncate(plainWords(line), 3000),
  blocks: [richText(section(...line))],
})
