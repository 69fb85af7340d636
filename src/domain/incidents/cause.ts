import type { Proposal } from '../approvals/proposal.ts'
import type { Session } from '../session/session.ts'
import { subjectOf } from './finding.ts'
import { type Incident, isMovingOn } from './incident.ts'

/** Whether a proposal is about the session of an incident, or about the one whose end was to help: on whichever card. */
export function concerns({ key }: Proposal, { cluster, finding, recommendation }: Incident): boolean {
  const sessions = [subjectOf(finding), recommendation?.target?.session]
  return (
    key.cluster === cluster &&
    sessions.some((session) => session?.pid === key.pid && session.backendStart === key.backendStart)
  )
}

/** For how long an action may have come before the end of what it was not about. */
const justBeforeMs = 60_000

/**
 * What ended an incident, one sentence: an approved action of ours, or not, as far as anybody can tell.
 * @param done the proposals of that time that were carried out, oldest first
 * @param sessions those that are there now
 * @param now milliseconds since the epoch
 */
export function causeOf(
  incident: Incident,
  done: readonly Proposal[],
  sessions: readonly Session[],
  now: number,
): string {
  const { finding } = incident
  const subject = subjectOf(finding)
  const since = done.filter(({ claimedAt }) => (claimedAt ?? 0) >= incident.openedAt)
  const ours = since.filter(
    (proposal) =>
      (concerns(proposal, incident) || endedTheOneBefore(proposal, incident, now)) &&
      ['effective', 'still', 'unknown'].includes(proposal.outcome?.kind ?? ''),
  )
  const sure = ours.findLast(
    (proposal) =>
      proposal.outcome?.kind === 'effective' &&
      (proposal.action === 'terminate' || isEndedByCancel(proposal, subject, sessions)),
  )
  const ofWhom = ({ key }: Proposal) => (key.pid === subject?.pid ? '' : ` of ${key.pid}`)
  if (sure) return `It was ended by the approved ${sure.action}${ofWhom(sure)}.`
  const near = since.filter(
    (proposal) =>
      proposal.outcome?.kind === 'effective' &&
      now - (proposal.claimedAt ?? 0) <= justBeforeMs &&
      mayHaveHelped(proposal, incident),
  )
  const last = ours.at(-1) ?? near.at(-1)
  return last ? `An approved ${last.action}${ofWhom(last)} came before.` : 'It was not ended from here.'
}

/** That the queue behind the one whom it ended was seen while it drained: who stood at its head then ended nothing. */
const endedTheOneBefore = ({ cardId, claimedAt }: Proposal, incident: Incident, now: number): boolean =>
  cardId === incident.cardId && now - (claimedAt ?? 0) <= justBeforeMs && isMovingOn(incident, now)

/**
 * A cancel ends a statement, no session: one that is gone was ended otherwise. And it ended this one only if that was
 * last seen at it: where the trouble went on afterwards, it ended by itself.
 */
function isEndedByCancel(
  { key, session }: Proposal,
  subject: Session | null,
  sessions: readonly Session[],
): boolean {
  if (!sessions.some(({ pid, backendStart }) => pid === key.pid && backendStart === key.backendStart))
    return false
  if (subject?.pid !== key.pid) return true
  return subject.state === session.state && subject.queryStart === session.queryStart
}

/** That one of those who waited is gone, or that somebody is where nobody in particular was the trouble, may have been enough. */
const mayHaveHelped = ({ key }: Proposal, { cluster, finding }: Incident): boolean =>
  key.cluster === cluster &&
  (finding.kind === 'blocking' ? finding.root.victims.includes(key.pid) : subjectOf(finding) === null)
