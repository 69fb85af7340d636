import { isPerson } from '../../domain/approvals/actor.ts'
import { bot, type JournalEvent } from '../../domain/approvals/journal.ts'
import { type Proposal, requestersOf } from '../../domain/approvals/proposal.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import { bold, type Line, moment, user } from '../kit.ts'
import { count, onOneLine } from '../words.ts'
import { bulkOutcome } from './bulk.ts'
import { callReasons } from './call.ts'
import { outcomeSentence } from './outcome.ts'

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
export function meanwhile({ opened, resolved, open }: JournalEvent & { kind: 'silenceEnded' }): string {
  if (opened + resolved === 0) return ''
  const said = [
    opened > 0 ? `${count(opened, 'incident')} came` : '',
    resolved > 0 ? `${count(resolved, 'incident')} ended` : '',
    `${open === 0 ? 'none' : open} ${open > 1 ? 'are' : 'is'} open now`,
  ]
  return ` Meanwhile ${list(said.filter(Boolean))}.`
}

export const brokeGlass = (event: JournalEvent & { kind: 'brokeGlass' }): Line => [
  bold('BREAK GLASS: '),
  user(event.actor),
  ` acts alone: ${event.action} ${whomIn(event)} on ${event.session.cluster}. Reason: ${event.reason}`,
]

export const codesLocked = (event: JournalEvent & { kind: 'codesLocked' }): Line => [
  bold(`${event.wrong} wrong codes on ${event.cluster}: `),
  'nobody approves as ',
  user(event.actor),
  ' until ',
  moment(event.until),
  '. If that was somebody else, sign them out of Slack everywhere and enrol them again.',
]

/** Mentions the people who asked. */
export const mention = (proposal: Proposal | null): Line =>
  proposal
    ? requestersOf(proposal)
        .filter(isPerson)
        .flatMap((userId) => [' ', user(userId)])
    : []
