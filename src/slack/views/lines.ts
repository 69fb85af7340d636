import type { JournalEvent, JournalRow } from '../../domain/journal.ts'
import type { Proposal } from '../../domain/proposal.ts'
import { outcomeSentence } from './outcome.ts'
import {
  bold,
  code,
  context,
  escapeText,
  type Leaf,
  richText,
  section,
  truncate,
  user,
  type View,
} from './text.ts'
import { nameOf } from './words.ts'

type Line = readonly (Leaf | string)[]

/** What the thread under a card says of an event; null for what the card itself shows well enough. */
export function threadLine(event: JournalEvent, proposal: Proposal | null): View | null {
  const line = lineOf(event, proposal)
  return line && view(line)
}

/** The line in the channel itself: what was done to a session, and what stops or starts the watching. */
export function channelLine(row: JournalRow, proposal: Proposal | null): View | null {
  const { event } = row
  if (event.kind === 'blind') return view([bold(`Blind on ${event.cluster}: `), event.reason])
  if (event.kind === 'lacking')
    return view([bold(`Missing on ${event.cluster}: `), `${event.what} `, code(event.remedy)])
  if (event.kind === 'seesAgain') return view([bold(`Sees ${event.cluster} again. `), event.reason])
  if (event.kind !== 'outcome' || !proposal) return null
  const said = view([
    bold(
      `${event.action === 'cancel' ? 'Cancel' : 'Terminate'} ${nameOf(proposal.session)} on ${event.session.cluster}`,
    ),
    ', approved by ',
    ...proposal.approvals.flatMap(({ userId }, index) => [...(index > 0 ? [', '] : []), user(userId)]),
    ...(proposal.requestedBy ? [', asked for by ', user(proposal.requestedBy)] : []),
    `: ${outcomeSentence(proposal)}`,
  ])
  return { ...said, blocks: [...said.blocks, context(`journal ${row.seq} · ${row.hash}`)] }
}

function lineOf(event: JournalEvent, proposal: Proposal | null): Line | null {
  switch (event.kind) {
    case 'requested':
      return [
        user(event.actor),
        ` asks to ${event.action} ${event.session.pid}: ${event.reason || 'no reason given'}`,
      ]
    case 'approved':
      return [user(event.actor), ` approved (${event.have} of ${event.needed}).`]
    case 'refused':
      return [user(event.actor), ` was refused (${event.entry}): ${event.reason}`]
    case 'denied':
      return [
        user(event.actor),
        ` denied it${event.reason ? `: ${event.reason}` : '.'}`,
        ...mention(proposal),
      ]
    case 'expired':
      return ['The proposal expired; nothing was sent.', ...mention(proposal)]
    case 'withdrawn':
      return [`The proposal was withdrawn: ${event.reason}.`, ...mention(proposal)]
    case 'outcome':
      return [proposal ? outcomeSentence(proposal) : 'Done.', ...mention(proposal)]
    case 'intended':
    case 'incidentOpened':
      return null
    case 'incidentChanged':
    case 'incidentReopened':
    case 'incidentResolved':
      return [event.what]
    case 'lacking':
    case 'blind':
    case 'seesAgain':
      return null
  }
}

/** Tells the one who asked. */
const mention = (proposal: Proposal | null): Line =>
  proposal?.requestedBy ? [' ', user(proposal.requestedBy)] : []

const view = (line: Line): View => ({
  text: truncate(line.map(words).join(''), 3000),
  blocks: [richText(section(...line))],
})

const words = (part: Leaf | string): string =>
  typeof part === 'string'
    ? escapeText(part)
    : part.type === 'user'
      ? `<@${part.user_id}>`
      : escapeText(String(part.text ?? ''))
