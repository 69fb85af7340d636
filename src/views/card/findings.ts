import type { Finding } from '../../domain/incidents/finding.ts'
import { hasFailed, type Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { listSome } from '../../domain/text/sentence.ts'
import { bold, type Line, moment } from '../kit.ts'
import {
  count,
  holderOf,
  lastSeenWords,
  lockOf,
  nameOf,
  obstacleWords,
  saturationWords,
  stateOf,
} from '../words.ts'
import { healthSentence, healthWhy, preparedName } from './healthFindings.ts'
import { poolWaitsNext, poolWaitsSentence, poolWaitsWhy } from './poolWaits.ts'

/** Says what is wrong, since when, and whom it hurts, in one sentence. */
export function sentenceOf(finding: Finding): string {
  switch (finding.kind) {
    case 'blocking': {
      const { root, session } = finding
      const who = root.prepared
        ? preparedName(root.prepared)
        : session
          ? `Session ${nameOf(session)}, ${stateOf(session)},`
          : `Session ${root.pid}`
      const wait =
        root.oldestWaitSeconds === null ? '' : `, the longest for ${formatDuration(root.oldestWaitSeconds)}`
      return `${who} keeps ${count(root.victims.length, 'session')} waiting${wait}, for ${lockOf(root.wait)}.`
    }
    case 'longQuery':
      return `Session ${nameOf(finding.session)} has run one statement for ${formatDuration(finding.seconds)}.`
    case 'idleInTransaction':
      return `Session ${nameOf(finding.session)} has been ${finding.session.state} for ${formatDuration(finding.seconds)}.`
    case 'idle':
      return `Session ${nameOf(finding.session)} has been idle for ${formatDuration(finding.seconds)}.`
    case 'connections':
      return saturationWords(finding)
    case 'lockStorm':
      return `${count(finding.waiting, 'session waits', 'sessions wait')} for a lock, and who blocks them cannot be read. ${finding.why}`
    case 'poolWaits':
      return poolWaitsSentence(finding)
    case 'unreachable':
      return `The cluster ${obstacleWords(finding)}, so nobody watches it. ${finding.reason}`
    case 'lockCycle':
      return `Sessions ${listSome(finding.pids, 5)} wait for each other, the longest for ${formatDuration(finding.seconds)}; ${count(finding.waiting, 'session waits', 'sessions wait')} in all.`
    default:
      return healthSentence(finding)
  }
}

/** Explains why the card is about this session. */
export function whyOfFinding(finding: Finding): Line[] {
  switch (finding.kind) {
    case 'blocking':
      return [
        [
          bold('Why this one: '),
          'it waits for no lock itself, and everyone counted here waits behind it',
          finding.root.victims.length > 0 ? ` (${listSome(finding.root.victims, 5)}).` : '.',
        ],
      ]
    case 'longQuery':
      return [[bold('Why this one: '), 'its statement is past the threshold, and it waits for no lock.']]
    case 'idleInTransaction':
      return [[bold('Why this one: '), holdsWords(finding.session)]]
    case 'idle':
      return [[bold('Why this one: '), 'it takes a connection and has not used it.']]
    case 'connections':
      return finding.holders.map((holder) => [bold(`${holder.count} `), `held by ${holderOf(holder)}`])
    case 'lockStorm':
      return finding.suspects.map((suspect) => [bold('Suspect: '), `${nameOf(suspect)}, ${stateOf(suspect)}`])
    case 'poolWaits':
      return [...poolWaitsWhy(finding), [bold('Next: '), ...poolWaitsNext(finding)]]
    case 'unreachable':
      return [
        [bold('Its open incidents: '), 'they stay as they were last seen until it answers again.'],
        ...(finding.last
          ? [[bold('Seen last: '), moment(finding.last.at), `: ${lastSeenWords(finding.last)}.`]]
          : []),
      ]
    case 'lockCycle':
      return [
        [bold('How it ends: '), howItEnds(finding)],
        ...(finding.session
          ? [
              [
                bold('Why this one: '),
                `of them ${nameOf(finding.session)} ${finding.session.backendXid === null ? 'has written nothing' : 'has worked for the shortest time'}, so its end loses least.`,
              ],
            ]
          : []),
      ]
    default:
      return healthWhy(finding)
  }
}

/**
 * Says what a transaction holds while its client does nothing. Without an id it has no row locks (heap_lock_tuple).
 * Without an id and a snapshot it is not in the way of vacuum (ComputeXidHorizons in procarray.c).
 */
function holdsWords(session: Session): string {
  if (hasFailed(session))
    return 'its transaction has failed, and waits for its client to send ROLLBACK. It takes a connection; it holds no locks of tables or rows, and does not hold vacuum back.'
  if (session.backendXid !== null)
    return 'it keeps its locks, also on rows, and holds vacuum back while its client does nothing.'
  return session.backendXmin !== null
    ? 'it keeps the locks on the tables that it has used, and its snapshot keeps removed rows from being cleaned up, while its client does nothing.'
    : 'it keeps the locks on the tables that it has used while its client does nothing: who wants to alter or drop them waits. It has locked no rows, and does not hold vacuum back.'
}

/** The server looks for a deadlock when somebody has waited for deadlock_timeout; the last who joined closed it. */
function howItEnds({
  closedSeconds,
  deadlockTimeoutSeconds: timeout,
}: Finding & { kind: 'lockCycle' }): string {
  if (timeout === null) return 'the server ends one of them by itself after deadlock_timeout.'
  const setting = `deadlock_timeout (${formatDuration(timeout)})`
  return closedSeconds < timeout
    ? `the server ends one of them by itself after ${setting}, in about ${formatDuration(timeout - closedSeconds)}.`
    : `it stands for longer than ${setting}, so the server may not end it by itself.`
}
