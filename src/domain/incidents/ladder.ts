import { type OpenProposal, type Proposal, requestersOf } from '../approvals/proposal.ts'
import { hasOwnCard, type Incident } from './incident.ts'
import { type Severity, severities, severityOf } from './severity.ts'

/**
 * Calls for a card: at once, again when nobody answers, then one step after the other. An answer is an acknowledgement or a
 * decision. It ends the calls until the incident gets worse.
 */

/** People to call, as configured. User ids and user-group ids. */
export type Notify = {
  readonly mention: readonly string[]
  /** A card of this severity or worse calls. */
  readonly from: 'critical' | 'warning'
  /** Milliseconds without an answer, after which the same people are called once more; Infinity: never. */
  readonly remindAfterMs: number
  /** In the order of time. */
  readonly escalate: readonly EscalationStep[]
}

/** Person or user group that is called, by name. `unread`: Slack's code, where it does not say who that is. */
export type Called = {
  readonly name: string
  /** Names of the members of a user group; null for a person. */
  readonly members: readonly string[] | null
  readonly unread: string | null
}

export type EscalationStep = { readonly afterMs: number; readonly mention: readonly string[] }

/**
 * Reason of a call. Each calls once within its incident: that it is a warning, that it is critical, a request by hand, that
 * nobody answered, a step of `escalate` (by its place), a proposal that is about to expire.
 */
export type CallKey =
  | 'warning'
  | 'critical'
  | 'remind'
  | `escalate:${number}`
  | `request:${string}`
  | `expiring:${string}`

/** A call that was queued. */
export type Sent = {
  readonly key: CallKey
  readonly at: number
  readonly mention: readonly string[]
  readonly channel: string
  /** Place of the mention: in the new card itself, or in a message of its own. */
  readonly inCard: boolean
  /** The ladder whose call a few seconds ago was this one's too; null where it has its own. */
  readonly by: string | null
}

/** Memory of the ladder of one incident, or of one request by hand. Times are milliseconds since the epoch. */
export type Calls = {
  /** The worst severity that was seen; null before the first look, and for a request. */
  readonly worst: Severity | null
  /** Begin of the time without an answer, moved on by the pauses; null before the first call. */
  readonly since: number | null
  /** Since when nobody is to be called; null while the time runs. */
  readonly pausedAt: number | null
  /** Decisions from before it got worse, which are no answer any more. */
  readonly settled: readonly string[]
  /** In the order in which they were queued. */
  readonly sent: readonly Sent[]
}

export const noCalls: Calls = { worst: null, since: null, pausedAt: null, settled: [], sent: [] }

/** One card, as far as calls are about it. */
export type Subject = {
  /** Null for a request by hand on a card of its own. */
  readonly incident: Incident | null
  /** All on the card of the incident; of a request by hand: that one alone. */
  readonly proposals: readonly Proposal[]
  /** A silence covers the incident. */
  readonly isSilent: boolean
}

export type Due = { readonly key: CallKey; readonly mention: readonly string[] }

export type Rung = { readonly at: number; readonly mention: readonly string[] }

export type Ladder = {
  /** With its clock and answers brought up to date, and without what was taken back. What is due is not in it yet. */
  readonly calls: Calls
  /** Calls to be queued now, in order. */
  readonly due: readonly Due[]
  /** Calls that wait for Slack and are not true any more. */
  readonly dropped: readonly CallKey[]
  /** The step that comes next if nobody answers; null when none does. */
  readonly next: Rung | null
  /** It got worse, so whoever acknowledged it has to again. */
  readonly isWorse: boolean
}

/** Separates the calls that come with the time from those that what happened brings. */
export const isTimed = (key: CallKey): boolean => /^(remind|escalate|expiring)/.test(key)

export const callsAnybody = ({ mention, escalate }: Notify): boolean =>
  mention.length > 0 || escalate.length > 0

/**
 * Decides who is to be called now, from what happened and what was sent.
 * @param waiting the calls that have not reached Slack yet, or whose carrier took its own back
 * @param clock `before`: the time at which this was asked last, by the same process; null where it was not. A clock that was
 *   set back in between does not hold the next step back.
 */
export function climb({
  subject,
  notify,
  approvers,
  sent: kept,
  waiting,
  clock: { now, before },
}: {
  readonly subject: Subject
  readonly notify: Notify
  readonly approvers: readonly string[]
  readonly sent: Calls
  readonly waiting: ReadonlySet<CallKey>
  readonly clock: { readonly now: number; readonly before: number | null }
}): Ladder {
  const { incident, proposals, isSilent } = subject
  const open = proposals.filter((one): one is OpenProposal => one.state === 'open')
  const requests = open.filter((one) => requestersOf(one).length > 0)
  const isOver = incident ? incident.resolvedAt !== null : requests.length === 0
  const severity = incident && hasOwnCard(incident) && !isOver ? severityOf(incident.finding) : null
  const level = severity && severities[severity] <= severities[notify.from] ? severity : null
  const isWorse = level !== null && kept.worst !== null && severities[level] < severities[kept.worst]

  const isNew = ({ id, insteadOf }: OpenProposal) => insteadOf === null && !has(kept, `request:${id}`)
  const asked = isOver ? [] : requests.filter(isNew)
  const decisions = proposals.flatMap(decisionsOn)
  const settled = isWorse || asked.length > 0 ? decisions : kept.settled
  const isAnswered =
    (incident?.acknowledgedBy != null && !isWorse) || decisions.some((one) => !settled.includes(one))
  const isHeld = isOver || isAnswered || (isSilent && requests.length === 0)
  const isCallable = !isOver && !isAnswered && !isSilent

  const stillTrue = (key: CallKey): boolean => {
    const [kind, id] = key.split(':')
    const about = open.find((one) => one.id === id)
    if (kind === 'request') return about !== undefined && !isOver
    if (kind === 'expiring') return about !== undefined && !isHeld && now < about.expiresAt
    return kind === 'warning' || kind === 'critical' ? isCallable : !isHeld
  }
  const dropped = kept.sent.flatMap(({ key, by }) =>
    waiting.has(key) && (by !== null || !stillTrue(key)) ? [key] : [],
  )
  const sent = kept.sent.filter(({ key }) => !dropped.includes(key))
  const wasSent = (key: CallKey) => sent.some((one) => one.key === key)

  const isLevelDue =
    isCallable &&
    level !== null &&
    !wasSent(level === 'critical' ? 'critical' : 'warning') &&
    !wasSent('critical')
  const atOnce: Due[] = [
    ...asked.map(({ id }): Due => ({ key: `request:${id}`, mention: notify.mention })),
    ...(isLevelDue && level !== 'notice' ? [{ key: level, mention: notify.mention } as const] : []),
  ]
  const isWanted = requests.length > 0 || isLevelDue || wasSent('warning') || wasSent('critical')
  const isPaused = isHeld || !isWanted

  const clock = timeOf(sent.length > 0 || requests.length > 0 ? kept : noCalls, { now, before, isPaused })
  const { since } = clock
  const rungs = since === null || isPaused ? [] : rungsOf(notify, since).filter(({ key }) => !wasSent(key))
  const expiring = isPaused
    ? []
    : open
        .filter((one) => now < one.expiresAt && now >= one.expiresAt - noticeOf(one))
        .map(({ id }): Due => ({ key: `expiring:${id}`, mention: approvers }))
        .filter(({ key }) => !wasSent(key))
  return {
    calls: {
      worst: worse(kept.worst, incident && hasOwnCard(incident) ? severityOf(incident.finding) : null),
      settled,
      sent,
      ...clock,
    },
    due: [...atOnce, ...rungs.filter(({ at }) => at <= now), ...expiring].map(({ key, mention }) => ({
      key,
      mention,
    })),
    dropped,
    next: rungs.find(({ at }) => at > now) ?? null,
    isWorse,
  }
}

/** Adds calls that are queued now. */
export const withSent = (calls: Calls, more: readonly Sent[]): Calls => ({
  ...calls,
  sent: [...calls.sent, ...more],
})

/** Several calls of one kind to the same people within this time are one mention, in milliseconds. */
const togetherMs = 10_000

/** Finds the ladder whose call of a few seconds ago to the same people in the same channel is enough; null: none. */
export function coveredBy(
  { key, mention }: Due,
  { id, channel, now }: { readonly id: string; readonly channel: string; readonly now: number },
  others: readonly { readonly id: string; readonly calls: Calls }[],
): string | null {
  const alike = ({ sent }: Calls) =>
    sent.some(
      (one) =>
        one.by === null &&
        standsFor(one.key, key) &&
        one.channel === channel &&
        now >= one.at &&
        now - one.at <= togetherMs &&
        one.mention.join() === mention.join(),
    )
  return others.find((other) => other.id !== id && alike(other.calls))?.id ?? null
}

/** Decides whether these calls have one of their own that may stand for another of this key. */
export const carries = ({ sent }: Calls, key: CallKey): boolean =>
  sent.some((one) => one.by === null && standsFor(one.key, key))

/**
 * Calls of one kind may be one, and one of what is critical stands for a warning as well: not the other way round. Each
 * request by hand calls for itself.
 */
function standsFor(made: CallKey, key: CallKey): boolean {
  const [kind = ''] = key.split(':')
  if (kind === 'request') return false
  if (kind === 'warning') return made === 'warning' || made === 'critical'
  return kind === 'escalate' ? made === key : made.split(':')[0] === kind
}

const has = ({ sent }: Calls, key: CallKey): boolean => sent.some((one) => one.key === key)

const worse = (a: Severity | null, b: Severity | null): Severity | null =>
  a === null || (b !== null && severities[b] < severities[a]) ? b : a

/** Names what people decided on a proposal. */
const decisionsOn = ({ id, state, approvals }: Proposal): string[] => [
  ...approvals.map(({ userId }) => `${id}:${userId}`),
  ...(state === 'denied' ? [`${id}:denied`] : []),
]

function timeOf(
  kept: Pick<Calls, 'since' | 'pausedAt'>,
  { now, before, isPaused }: { now: number; before: number | null; isPaused: boolean },
): Pick<Calls, 'since' | 'pausedAt'> {
  const back = before === null ? 0 : Math.max(0, before - now)
  const inThisTime = (at: number) => Math.min(at - back, now)
  if (kept.since === null) return { since: isPaused ? null : now, pausedAt: null }
  const since = inThisTime(kept.since)
  if (kept.pausedAt === null) return { since, pausedAt: isPaused ? now : null }
  const pausedAt = inThisTime(kept.pausedAt)
  return isPaused ? { since, pausedAt } : { since: since + now - pausedAt, pausedAt: null }
}

/** Calls that come with the time, the first one first. */
const rungsOf = ({ mention, remindAfterMs, escalate }: Notify, since: number): (Due & Rung)[] =>
  [
    ...(Number.isFinite(remindAfterMs) && mention.length > 0
      ? [{ key: 'remind' as const, mention, at: since + remindAfterMs }]
      : []),
    ...escalate.map((step, place) => ({
      key: `escalate:${place}` as const,
      mention: step.mention,
      at: since + step.afterMs,
    })),
  ].sort((a, b) => a.at - b.at)

const longestNoticeMs = 5 * 60_000

/** Milliseconds before its end at which a proposal says that it is about to expire. */
const noticeOf = ({ createdAt, expiresAt }: Proposal): number =>
  Math.min(longestNoticeMs, (expiresAt - createdAt) / 3)
