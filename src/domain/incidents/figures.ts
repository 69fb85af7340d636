import { eachOf } from '../approvals/bulk.ts'
import type { JournalRow } from '../approvals/journal.ts'
import type { Proposal } from '../approvals/proposal.ts'
import type { Incident } from './incident.ts'

/** Durations of one step: how many, their median and their 95th percentile in milliseconds; null without any. */
export type Spread = { readonly n: number; readonly p50: number; readonly p95: number } | null

/** Speed with which trouble was seen, answered and ended, and what became of what was asked. */
export type Figures = {
  readonly steps: Readonly<Record<ResponseStep, Spread>>
  readonly counts: Readonly<Record<ResponseResult, number>>
}

export const responseSteps = ['troubleToCard', 'cardToAcknowledged', 'cardToApproved', 'pressToGone'] as const
export type ResponseStep = (typeof responseSteps)[number]

export const responseResults = [
  'incidents',
  'proposals',
  'approved',
  'denied',
  'expired',
  'withdrawn',
  'changedAtPress',
  'called',
  'escalated',
] as const
export type ResponseResult = (typeof responseResults)[number]

/** Kinds of rows that the figures are made of. */
export const figureKinds = ['acknowledged', 'outcome', 'called'] as const

/**
 * Counts and measures what opened and was proposed in a time.
 * @param rows of the journal of `figureKinds` since then, oldest first; those on other cards are left out
 */
export function figuresOf({
  incidents,
  proposals,
  rows,
}: {
  readonly incidents: readonly Incident[]
  readonly proposals: readonly Proposal[]
  readonly rows: readonly JournalRow[]
}): Figures {
  const acknowledgedAt = new Map<string, number>()
  // Of a list, the last.
  const goneAt = new Map<string, number>()
  for (const { at, cardId, event } of rows) {
    if (event.kind === 'acknowledged' && cardId !== null && !acknowledgedAt.has(cardId))
      acknowledgedAt.set(cardId, at)
    if (event.kind === 'outcome' && event.outcome.kind === 'effective') goneAt.set(event.proposalId, at)
  }
  const openedAt = new Map(incidents.map(({ id, openedAt }) => [id, openedAt]))
  const onCards = new Set([...incidents, ...proposals].map(({ cardId }) => cardId))
  const calls = rows.flatMap(({ cardId, event }) =>
    event.kind === 'called' && cardId !== null && onCards.has(cardId) ? [event.why] : [],
  )
  const inState = (state: Proposal['state']) => proposals.filter((one) => one.state === state).length
  const claimed = proposals.flatMap(({ cardId, claimedAt, createdAt }) =>
    claimedAt === null ? [] : [claimedAt - (openedAt.get(cardId) ?? createdAt)],
  )
  return {
    steps: {
      troubleToCard: spreadOf(incidents.map(({ beganAt, openedAt }) => openedAt - beganAt)),
      cardToAcknowledged: spreadOf(
        incidents.flatMap(({ cardId, openedAt }) => {
          const at = acknowledgedAt.get(cardId)
          return at === undefined ? [] : [at - openedAt]
        }),
      ),
      cardToApproved: spreadOf(claimed),
      pressToGone: spreadOf(
        proposals.flatMap(({ id, claimedAt }) => {
          const at = goneAt.get(id)
          return at === undefined || claimedAt === null ? [] : [at - claimedAt]
        }),
      ),
    },
    counts: {
      incidents: incidents.length,
      proposals: proposals.length,
      approved: claimed.length,
      denied: inState('denied'),
      expired: inState('expired'),
      withdrawn: inState('withdrawn'),
      changedAtPress: proposals.filter((one) =>
        eachOf(one).every(({ outcome }) => outcome?.kind === 'changed'),
      ).length,
      called: calls.length,
      escalated: calls.filter((why) => why === 'escalate').length,
    },
  }
}

/** By the nearest rank, so that each figure is one that was seen. A clock that was set back in between counts as no time. */
function spreadOf(durations: readonly number[]): Spread {
  const sorted = durations.map((ms) => Math.max(0, ms)).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return sorted.length === 0 ? null : { n: sorted.length, p50: at(0.5), p95: at(0.95) }
}
