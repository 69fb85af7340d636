import type { CallReason } from '../../domain/approvals/journal.ts'
import { bold, deadline, type Line, moment, plainWords, richText, section, type View } from '../kit.ts'
import { mentions } from './ask.ts'

/** A call that stands alone, in the thread of its card and in the channel. */
export type Call = {
  readonly why: CallReason
  readonly people: readonly string[]
  /** Headline of the card. */
  readonly headline: string
  /** Since when nobody answers, in milliseconds since the epoch. */
  readonly since: number
  /** End of the proposal that is about to expire; null for all other calls. */
  readonly expiresAt: number | null
}

/** Calls people, who are notified by that. The card above it has all else. */
export function callNote({ why, people, headline, since, expiresAt }: Call): View {
  const line: Line = [...mentions(people), ' ', bold(headline), ' ', ...sayWhy(why, since, expiresAt)]
  return { text: plainWords(line), blocks: [richText(section(...line))] }
}

function sayWhy(why: CallReason, since: number, expiresAt: number | null): Line {
  switch (why) {
    case 'card':
      return ['Nobody has acknowledged it yet.']
    case 'worse':
      return ['It got worse. Acknowledge it, or decide.']
    case 'request':
      return ['A person asks for it and waits for an approval.']
    case 'remind':
      return ['Nobody has answered since ', moment(since, '{time}'), '. Acknowledge it, or decide.']
    case 'escalate':
      return ['Nobody has answered since ', moment(since, '{time}'), ', so it comes to you.']
    case 'expiring':
      return [
        'Nobody has looked at it, and its proposal expires at ',
        ...(expiresAt === null ? ['its end'] : [deadline(expiresAt)]),
        '.',
      ]
  }
}

/** The reasons in the words of a history. */
export const callReasons: Record<CallReason, string> = {
  card: 'it was new',
  worse: 'it got worse',
  request: 'somebody asked for it',
  remind: 'nobody had answered',
  escalate: 'nobody had answered, so the next step was due',
  expiring: 'its proposal was about to expire',
}
