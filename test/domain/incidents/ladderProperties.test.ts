import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Proposal } from '../../../src/domain/approvals/proposal.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import { approvers, ask, fresh, incident, type Kept, notify } from '../../support/nights.ts'
import { proposal } from '../../support/proposals.ts'

const second = 1000
const minute = 60 * second
/** The bot asks every second; here more rarely, so that a night takes no time. */
const lookMs = 20 * second

const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'acknowledge' as const,
        'handBack' as const,
        'worse' as const,
        'better' as const,
        'silence' as const,
        'end of silence' as const,
        'over' as const,
        'back' as const,
        'request' as const,
        'deny' as const,
        'approve' as const,
        'restart' as const,
        'slack fails' as const,
        'slack works' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clock' as const), minutes: fc.integer({ min: -90, max: 0 }) }),
  },
)

test('in any order of events no step comes twice, none is skipped, none comes after the end or an answer', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const kept: Kept = fresh()
      let now = 100 * 24 * 60 * minute
      let one: Incident = incident('warning')
      let isSilent = false
      let reachesSlack = true
      let proposals: readonly Proposal[] = [proposal({ id: 'p0', expiresAt: now + 1e9, createdAt: now })]
      const reached: string[] = []
      const look = () => {
        if (reachesSlack) {
          reached.push(...kept.waiting)
          kept.waiting.clear()
        }
        const before = { ...one }
        const ladder = ask(kept, { incident: one, proposals, isSilent }, now, {
          reachesSlack,
        })
        if (ladder.isWorse) one = { ...one, acknowledgedBy: null }
        const due = ladder.due.map(({ key }) => key)
        if (reachesSlack) reached.push(...due)
        if (before.resolvedAt !== null) expect(due).toEqual([])
        if (before.acknowledgedBy !== null && !ladder.isWorse)
          expect(due.filter((key) => !key.startsWith('request'))).toEqual([])
        const open = proposals.some(({ state, requestedBy }) => state === 'open' && requestedBy)
        if (isSilent && !open) expect(due).toEqual([])
        for (const { key, mention } of ladder.due)
          expect(mention).toEqual(
            key.startsWith('expiring')
              ? approvers
              : key === 'escalate:0'
                ? ['U0LEAD']
                : key === 'escalate:1'
                  ? ['U0BOSS']
                  : notify.mention,
          )
        // What is queued is there once, and each step after the ones before it.
        const keys = kept.calls.sent.map(({ key }) => key)
        expect(new Set(keys).size).toBe(keys.length)
        const steps = keys.filter((key) => /^(remind|escalate)/.test(key))
        expect(['remind', 'escalate:0', 'escalate:1'].slice(0, steps.length)).toEqual(steps)
        // What waits for Slack is true.
        if (one.resolvedAt !== null) expect([...kept.waiting]).toEqual([])
      }
      look()
      for (const { kind, ...more } of events) {
        if (kind === 'wait')
          for (const end = now + (('minutes' in more) ? more.minutes : 0) * minute; now < end; now += lookMs)
            look()
        if (kind === 'clock') now += ('minutes' in more ? more.minutes : 0) * minute
        if (kind === 'acknowledge' && one.resolvedAt === null) one = { ...one, acknowledgedBy: 'U0MARCO' }
        if (kind === 'handBack') one = { ...one, acknowledgedBy: null }
        if (kind === 'worse') one = { ...one, finding: incident('critical').finding }
        if (kind === 'better') one = { ...one, finding: incident('warning').finding }
        if (kind === 'silence' || kind === 'end of silence') isSilent = kind === 'silence'
        if (kind === 'over') one = { ...one, resolvedAt: now }
        if (kind === 'back') one = { ...one, resolvedAt: null }
        if (kind === 'request')
          proposals = [
            ...proposals,
            proposal({
              id: `p${proposals.length}`,
              requestedBy: 'U0OMAR',
              createdAt: now,
              expiresAt: now + 15 * minute,
            }),
          ]
        if (kind === 'deny')
          proposals = proposals.map((p) => ({ ...p, state: 'denied' as const, decidedBy: 'U0DANA' }))
        if (kind === 'approve')
          proposals = proposals.map((p) =>
            p.state === 'open' ? { ...p, approvals: [{ userId: 'U0DANA', at: now }] } : p,
          )
        if (kind === 'restart') kept.before = null
        if (kind === 'slack fails' || kind === 'slack works') reachesSlack = kind === 'slack works'
        look()
      }
      expect(new Set(reached).size).toBe(reached.length)
      // Left alone, everybody is called in the end who was not.
      one = { ...one, resolvedAt: null, acknowledgedBy: null, finding: incident('critical').finding }
      proposals = []
      isSilent = false
      reachesSlack = true
      for (const end = now + 30 * minute; now < end; now += lookMs) look()
      const timed = new Set(reached.filter((key) => /^(critical|remind|escalate)/.test(key)))
      expect([...timed].sort()).toEqual(['critical', 'escalate:0', 'escalate:1', 'remind'])
    }),
    { numRuns: 300 },
  )
})

/** A generator of numbers from 0 to 1 that a seed repeats (mulberry32). */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

test('in a thousand nights every critical incident reaches a person or the last step in time, or is over before', () => {
  const counts = { answered: 0, over: 0, last: 0 }
  for (let night = 0; night < 1000; night++) {
    const random = chance(night)
    const between = (from: number, to: number) => from + random() * (to - from)
    /** Slack takes nothing for a while. */
    const outage = { from: between(0, 60 * minute), lasts: random() < 0.3 ? between(0, 15 * minute) : 0 }
    const isOut = (at: number) => at >= outage.from && at < outage.from + outage.lasts
    const jams = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, n) => {
      const begins = between(0, 40 * minute)
      return {
        id: `i${n}`,
        begins,
        turnsCritical: begins + (random() < 0.5 ? 0 : between(0, 10 * minute)),
        ends: begins + between(minute, 60 * minute),
        kept: fresh(),
        /** Time at which each person who was called answers: late, or never. */
        answers: [] as number[],
        answeredAt: Number.POSITIVE_INFINITY,
        criticalAt: Number.POSITIVE_INFINITY,
        reached: new Map<string, number>(),
      }
    })
    const reach = (jam: (typeof jams)[number], key: string, at: number) => {
      jam.reached.set(key, at)
      if (random() < 0.4) jam.answers.push(at + between(0, 12 * minute))
    }
    for (let now = 0; now < 150 * minute; now += lookMs)
      for (const jam of jams) {
        if (now < jam.begins || now > jam.ends + minute) continue
        if (!isOut(now)) {
          for (const key of jam.kept.waiting) reach(jam, key, now)
          jam.kept.waiting.clear()
        }
        const isOver = now >= jam.ends
        if (!isOver && now >= jam.turnsCritical) jam.criticalAt = Math.min(jam.criticalAt, now)
        if (!isOver && jam.answers.some((at) => at <= now)) jam.answeredAt = Math.min(jam.answeredAt, now)
        const seen = incident(now >= jam.turnsCritical ? 'critical' : 'warning', {
          id: jam.id,
          cardId: jam.id,
          resolvedAt: isOver ? jam.ends : null,
          acknowledgedBy: jam.answeredAt <= now ? 'U0MARCO' : null,
        })
        const others = jams.map(({ id, kept }) => ({ id, calls: kept.calls }))
        const { due, queued } = ask(jam.kept, { incident: seen }, now, { reachesSlack: !isOut(now), others })
        // A mention for several cards brings people to each of them.
        for (const { key } of due)
          if (!queued.some((one) => one.key === key) || !isOut(now)) reach(jam, key, now)
      }
    for (const jam of jams) {
      if (jam.criticalAt === Number.POSITIVE_INFINITY) continue
      const deadline = jam.criticalAt + 20 * minute + outage.lasts + 2 * lookMs
      const last = jam.reached.get('escalate:1') ?? Number.POSITIVE_INFINITY
      expect(Math.min(jam.answeredAt, jam.ends, last), `night ${night}`).toBeLessThanOrEqual(deadline)
      if (jam.answeredAt <= deadline) counts.answered++
      else if (last <= deadline) counts.last++
      else counts.over++
      const first = jam.reached.get('critical') ?? Number.POSITIVE_INFINITY
      expect(Math.min(first, jam.ends), `night ${night}`).toBeLessThanOrEqual(
        jam.criticalAt + outage.lasts + 2 * lookMs,
      )
    }
  }
  // The nights are of every kind.
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(100)
})
