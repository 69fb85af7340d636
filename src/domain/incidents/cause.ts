import type { Proposal } from '../approvals/proposal.ts'
import type { Session } from '../session/session.ts'
import { subjectOf } from './finding.ts'
import { type Incident, isMovingOn } from './incident.ts'

/** Decides whether a proposal concerns the session of an incident, or the session whose end was to help; on any card. */
export function concerns({ key }: Proposal, { cluster, finding, recommendation }: Incident): boolean {
  const sessions = [subjectOf(finding), recommendation?.target?.session]
  return (
    key.cluster === cluster &&
    sessions.some((session) => session?.pid === key.pid && session.backendStart === key.backendStart)
  )
}

/** Milliseconds before the end of an incident in which an action on something else counts as its cause. */
const justBeforeMs = 60_000

/**
 * Says what ended an incident, in one sentence: an approved action of ours or something else, as far as anybody can
 * know.
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

/**
 * Returns true when the queue behind the ended session was seen to drain. The next head of that queue then ended
 * nothing.
 */
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

/**
 * Decides whether an action may have helped: a waiter is gone, or the session is part of a finding that is not about
 * one session.
 */
const mayHaveHelped = ({ key }: Proposal, { cluster, finding }: Incident): boolean =>
  key.cluster === cluster &&
  (finding.kind === 'blocking' ? finding.root.victims.includes(key.pid) : subjectOf(finding) === null)
