import type { Proposal } from '../../src/domain/approvals/proposal.ts'
import type { Finding } from '../../src/domain/incidents/finding.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import {
  type CallKey,
  type Calls,
  climb,
  coveredBy,
  type Due,
  type Ladder,
  type Notify,
  noCalls,
  type Sent,
  withSent,
} from '../../src/domain/incidents/ladder.ts'
import type { Severity } from '../../src/domain/incidents/severity.ts'
import * as of from './builders.ts'

/** Ladders without the bot: incidents, what people do, and what was sent. */

export const notify: Notify = {
  mention: ['S0DBAONCALL'],
  from: 'critical',
  remindAfterMs: 5 * 60_000,
  escalate: [
    { afterMs: 10 * 60_000, mention: ['U0LEAD'] },
    { afterMs: 20 * 60_000, mention: ['U0BOSS'] },
  ],
}

export const approvers = ['U0DANA']
export const channel = 'C0INCIDENTS'

const session = of.idleInTransaction(1, 40)
const findings: Record<Severity, Finding> = {
  critical: { kind: 'lockStorm', waiting: 12, why: '', suspects: [] },
  warning: { kind: 'idleInTransaction', session, seconds: 400 },
  notice: { kind: 'idle', session, seconds: 4000 },
}

/** An incident of a severity, with a card of its own. */
export const incident = (severity: Severity, over: Partial<Incident> = {}): Incident =>
  of.incident({ id: 'i1', openedAt: 0, finding: findings[severity], ...over })

/** One ladder as it is kept, with the messages that wait for Slack. */
export type Kept = { calls: Calls; waiting: Set<CallKey>; before: number | null }

export const fresh = (): Kept => ({ calls: noCalls, waiting: new Set(), before: null })

/** Asks the ladder, as the bot does: takes back what it says, and queues what is due. */
export function ask(
  kept: Kept,
  subject: {
    readonly incident: Incident | null
    readonly proposals?: readonly Proposal[]
    readonly isSilent?: boolean
  },
  now: number,
  {
    settings = notify,
    reachesSlack = true,
    others = [],
  }: {
    readonly settings?: Notify
    readonly reachesSlack?: boolean
    readonly others?: readonly { readonly id: string; readonly calls: Calls }[]
  } = {},
): Ladder & { readonly queued: readonly Due[] } {
  const ladder = climb({
    subject: { proposals: [], isSilent: false, ...subject },
    notify: settings,
    approvers,
    sent: kept.calls,
    waiting: kept.waiting,
    clock: { now, before: kept.before },
  })
  for (const key of ladder.dropped) kept.waiting.delete(key)
  const id = subject.incident?.id ?? 'request'
  const sent = ladder.due.map(
    (due): Sent => ({
      ...due,
      at: now,
      channel,
      inCard: false,
      by: coveredBy(due, { id, channel, now }, others),
    }),
  )
  if (!reachesSlack) for (const { key, by } of sent) if (by === null) kept.waiting.add(key)
  kept.calls = withSent(ladder.calls, sent)
  kept.before = now
  return { ...ladder, queued: ladder.due.filter((_, n) => sent[n]?.by === null) }
}
