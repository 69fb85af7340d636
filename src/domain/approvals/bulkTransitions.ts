import type { Session } from '../session/session.ts'
import { asProposal, type BulkProposal } from './bulk.ts'
import { bot, type JournalEvent } from './journal.ts'
import { type Bulk, type BulkMember, countsOf } from './members.ts'
import type { Outcome } from './outcome.ts'
import { type OpenProposal, openProposal, type ProposalIn } from './proposal.ts'
import { isCutOff, isSameWork } from './retry.ts'
import { type Execution, noteRetry, offer, type Step, withdraw } from './transitions.ts'

/**
 * Ways in which the list of a bulk request changes: fewer members while it is open, then one outcome after the other, and what
 * began again.
 */

type Claimed = BulkProposal<ProposalIn<'claimed'>>

/**
 * Begins the signal to one member: from now on it may have gone out. Its intent is in the journal with that.
 * @param before time by the clock of the watched server after which none goes out any more
 * @param begunAt now, by the clock of the approval
 * @returns null where that is decided already: nothing is sent to anybody twice
 */
export function beginMember(
  claimed: Claimed,
  index: number,
  before: string,
  begunAt: number,
): Step<Claimed> | null {
  const member = claimed.bulk.members[index]
  if (!member || isBegun(member)) return null
  const { id: proposalId, action, approvals } = claimed
  return {
    next: withMembers(claimed, [[index, { ...member, signalBefore: before, begunAt }]]),
    events: [
      {
        kind: 'intended',
        actor: bot,
        proposalId,
        action,
        session: keyOf(claimed, member),
        statement: member.session.query,
        approvedBy: approvals.map(({ userId }) => userId),
      },
    ],
  }
}

/** Writes down what came of these members, by their places in the list; the last one ends the whole. Null where all is known already. */
export function finishMembers(
  claimed: Claimed,
  executions: ReadonlyMap<number, Execution>,
): Step<Claimed | BulkProposal<ProposalIn<'done'>>> | null {
  const { id: proposalId, action, key } = claimed
  const finished = [...executions].flatMap(([index, execution]) => {
    const member = claimed.bulk.members[index]
    return member && !member.outcome ? [{ index, member, execution }] : []
  })
  if (finished.length === 0) return null
  const events: JournalEvent[] = finished.map(({ member, execution }) => ({
    kind: 'outcome',
    actor: bot,
    proposalId,
    action,
    session: keyOf(claimed, member),
    ...execution,
  }))
  const next = withMembers(
    claimed,
    finished.map(({ index, member, execution: { outcome } }) => [index, { ...member, outcome }]),
  )
  if (next.bulk.members.some(({ outcome }) => !outcome)) return { next, events }
  const counts = countsOf(next.bulk)
  return {
    next: { ...next, state: 'done' },
    events: [...events, { kind: 'bulkDone', actor: bot, proposalId, action, session: key, counts }],
  }
}

/**
 * Ends a bulk request whose process is gone, as far as that is known. What it had not begun it cannot send any more, for it
 * would have to write that down first.
 * @param unknown what is known now of the member that was begun; null while its signal may still go out
 * @returns null where nothing is to be changed yet
 */
export function endMembers(
  claimed: Claimed,
  unknown: ReadonlyMap<number, Outcome>,
): ReturnType<typeof finishMembers> {
  const executions = new Map<number, Execution>()
  for (const [index, member] of claimed.bulk.members.entries()) {
    if (member.outcome) continue
    const outcome = isBegun(member) ? unknown.get(index) : notSent
    if (!outcome) return null
    executions.set(index, { outcome, sql: null, returned: null })
  }
  return finishMembers(claimed, executions)
}

const notSent: Outcome = { kind: 'notSent', why: 'the process that had it ended before it sent anything.' }

/**
 * Notes that what was ended with the list began again: it is all of the same work that came back.
 * @returns null where nothing of it was that work, or it is known already
 */
export function noteMembersRetry(
  done: BulkProposal<ProposalIn<'done'>>,
  heir: Session,
  afterMs: number,
): Step<ProposalIn<'done'>> | null {
  const isHeirs = (member: BulkMember) =>
    member.retriedAfterMs === undefined &&
    isCutOff(asProposal(done, member)) &&
    isSameWork(member.session, heir)
  const { members } = done.bulk
  if (!members.some(isHeirs)) return null
  const noted = members.map((member) => (isHeirs(member) ? { ...member, retriedAfterMs: afterMs } : member))
  const step = noteRetry(done, heir.pid, afterMs)
  return { ...step, next: { ...done, bulk: { ...done.bulk, members: noted } } }
}

/**
 * Takes one session off the list: a proposal for the shorter list takes the place of this one, with the time that is left,
 * and without its approvals, which were given for the longer list.
 * @returns null where it is not in the list, or the only one
 */
export function shorten(
  open: BulkProposal<OpenProposal>,
  { pid, backendStart }: { readonly pid: number; readonly backendStart: string },
  { id, by, now }: { readonly id: string; readonly by: string; readonly now: number },
): { readonly ended: Step<ProposalIn<'withdrawn'>>; readonly opened: Step<OpenProposal> } | null {
  const { bulk } = open
  const isIt = ({ session }: BulkMember) => session.pid === pid && session.backendStart === backendStart
  const members = bulk.members.filter((member) => !isIt(member))
  const [first] = members
  if (!first || members.length === bulk.members.length) return null
  const shorter: Bulk = { ...bulk, members, leftOut: [...bulk.leftOut, { why: takenOff, pids: [pid] }] }
  const { cardId, action, reason, requestedBy, joined, denial, expiresAt } = open
  const { session, victims, pooled } = first
  const made = { id, cardId, action, reason, requestedBy, joined, denial }
  const opened = openProposal(
    { ...made, key: keyOf(open, first), session, victims, pooled, bulk: joinLeftOut(shorter) },
    now,
    expiresAt - now,
  )
  return {
    ended: withdraw(open, `${pid} was taken off its list, and the shorter one needs approvals of its own`),
    opened: offer(opened, by),
  }
}

const takenOff = 'taken off the list'

/** One entry for each reason. */
const joinLeftOut = (bulk: Bulk): Bulk => ({
  ...bulk,
  leftOut: [...Map.groupBy(bulk.leftOut, ({ why }) => why)].map(([why, all]) => ({
    why,
    pids: all.flatMap(({ pids }) => pids),
  })),
})

const isBegun = ({ signalBefore, outcome }: BulkMember): boolean =>
  signalBefore !== undefined || outcome !== undefined

const keyOf = (
  { key: { cluster } }: OpenProposal | Claimed,
  { session: { pid, backendStart } }: BulkMember,
) => ({
  cluster,
  pid,
  backendStart,
})

const withMembers = (claimed: Claimed, changed: readonly (readonly [number, BulkMember])[]): Claimed => {
  const byPlace = new Map(changed)
  const members = claimed.bulk.members.map((member, index) => byPlace.get(index) ?? member)
  return { ...claimed, bulk: { ...claimed.bulk, members } }
}
