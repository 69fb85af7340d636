import { countsOf } from '../../domain/approvals/members.ts'
import type { Outcome } from '../../domain/approvals/outcome.ts'
import type { Proposal } from '../../domain/approvals/proposal.ts'
import { leftoverOf } from '../../domain/session/leftover.ts'
import type { Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import { count } from '../words.ts'
import { bulkOutcome } from './bulk.ts'

/** Says what was seen after an approval, in one or two sentences: the proof, or the lack of it. */
export function outcomeSentence({
  action,
  key,
  outcome,
  session,
  bulk,
}: Pick<Proposal, 'action' | 'key' | 'outcome' | 'bulk'> & { readonly session: Session | null }): string {
  if (bulk) return bulkOutcome(action, countsOf(bulk))
  const { pid } = key
  if (!outcome) return ''
  switch (outcome.kind) {
    case 'effective': {
      const what = action === 'terminate' ? `${pid} is gone` : `The statement of ${pid} ended`
      const waiters =
        outcome.victims === 0
          ? ''
          : `; ${outcome.movedOn} of ${count(outcome.victims, 'waiter')} moved on${asExpected(outcome)}`
      return `${what} after ${formatDuration(outcome.afterMs / 1000)}${waiters}.${toMend(session)}`
    }
    case 'still': {
      const where = `${outcome.state ?? 'in an unseen state'}${outcome.waitEvent ? `, waiting in ${outcome.waitEvent}` : ''}`
      const next = outcome.why ?? afterStill(action, outcome.waitEvent)
      return `The signal was sent; ${pid} is still there after ${formatDuration(outcome.afterMs / 1000)}, ${where}. ${next}`
    }
    case 'changed':
      return `Nothing was sent: ${outcome.what}.`
    case 'refused':
      return `Nothing was sent. ${outcome.why}`
    case 'unreachable':
    case 'notSent':
      return `Nothing was sent: ${outcome.why}`
    case 'unknown':
      return `Outcome unknown: the signal may have been sent. ${outcome.now}`
  }
}

/** Compares the outcome with what was expected. Where fewer moved on, it names the sessions to look at. */
function asExpected({ movedOn, expected, heldBy = [] }: Outcome & { readonly kind: 'effective' }): string {
  if (expected === undefined) return ''
  if (movedOn >= expected) return ', as expected'
  if (heldBy.length === 0) return `, fewer than the ${expected} expected`
  const names = list(heldBy.map((pid) => (pid === 0 ? 'a prepared transaction' : String(pid))))
  return `, fewer than the ${expected} expected: ${names} ${heldBy.length === 1 ? 'holds' : 'hold'} what the others want as well; /pg blocking names the next way out`
}

/** Says what the statement may have left behind for somebody to repair. */
function toMend(session: Session | null): string {
  const left = session && leftoverOf(session)
  return left && left.next !== '' ? ` Look what it left: ${left.stays}. ${left.next}` : ''
}

const afterStill = (action: 'cancel' | 'terminate', waitEvent: string | null): string =>
  action === 'cancel'
    ? waitEvent === 'ClientWrite' || waitEvent === 'ClientRead'
      ? 'Cancel cannot help while it waits for its client; terminate can.'
      : 'It has not come to a point where it reacts to a cancel; terminate may help.'
    : 'Never kill -9: that restarts the whole server. It ends when it next checks for interrupts; look at the host for what holds it up (disk, network file system, an extension).'
