import { afterEach, beforeEach, expect, it } from 'vitest'
import { readReport } from '../../src/answers/readReport.ts'
import { type PastLooks, recordOf } from '../../src/answers/record.ts'
import { eachOf } from '../../src/domain/approvals/bulk.ts'
import { beginMember, finishMembers } from '../../src/domain/approvals/bulkTransitions.ts'
import type { Outcome } from '../../src/domain/approvals/outcome.ts'
import type { Proposal } from '../../src/domain/approvals/proposal.ts'
import type { Step } from '../../src/domain/approvals/transitions.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import type { Session } from '../../src/domain/session/session.ts'
import { createOutwardMasker } from '../../src/domain/text/mask.ts'
import type { Store } from '../../src/store/store.ts'
import { plainWords } from '../../src/views/kit.ts'
import { summaryOf } from '../../src/views/report/summary.ts'
import { timelineOf } from '../../src/views/report/timeline.ts'
import { incident, session, takenAt } from '../support/builders.ts'
import { at, every5, jamIncident, rowLook } from '../support/pastJams.ts'
import { bulkProposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

/** Session 1 holds the row, and 2 after it. */
const looks = every5(0, 80, (seconds) =>
  rowLook(
    seconds,
    [
      { pid: 1, from: 2, to: 31 },
      { pid: 2, from: 31, to: 60 },
    ],
    [{ pid: 11, from: 4, to: 60 }],
  ),
)
const headOf = (pid: number): Session => {
  const { finding } = jamIncident(looks, pid)
  if (!('session' in finding) || !finding.session) throw new Error('no head')
  return { ...finding.session, query: "UPDATE patient SET note = 'secret'" }
}
const jam = jamIncident(looks, 2, { openedAt: at(10), beganAt: at(4), resolvedAt: at(60) })

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

/** Ends all of a list, one each second. */
async function endAll(list: readonly Session[], claimedAt: number, cluster = 'orders'): Promise<void> {
  const made = bulkProposal<'claimed'>(list, {
    ...{ id: 'list', cardId: 'list', requestedBy: 'U0RIA', createdAt: takenAt, claimedAt },
    ...{ state: 'claimed', approvals: [{ userId: 'U0DANA', at: claimedAt }] },
  })
  const key = { ...made.key, cluster }
  let now: Proposal = { ...made, key }
  const rows: [number, Step<Proposal>['events']][] = []
  const about = { proposalId: 'list', action: now.action, session: key, statement: null }
  const members = list.map(({ pid, backendStart }) => ({ pid, backendStart }))
  rows.push([takenAt, [{ kind: 'requested', actor: 'U0RIA', ...about, members, reason: 'leak' }]])
  rows.push([claimedAt, [{ kind: 'approved', actor: 'U0DANA', proposalId: 'list', have: 1, needed: 1 }]])
  const gone: Outcome = { kind: 'effective', afterMs: 5, victims: 0, movedOn: 0 }
  for (const index of list.keys()) {
    const time = claimedAt + index * 1000
    for (const next of [
      (claimed: typeof made) => beginMember(claimed, index, 'later', time),
      (claimed: typeof made) =>
        finishMembers(claimed, new Map([[index, { outcome: gone, sql: null, returned: true }]])),
    ]) {
      const step = next(now as typeof made)
      if (!step) throw new Error('it does not go on')
      rows.push([time, step.events])
      now = step.next
    }
  }
  await store.proposals.add(now)
  for (const [time, events] of rows)
    for (const event of events) await store.journal.append(time, 'list', event)
}

const read = (about: Incident) => {
  const record: PastLooks = {
    ...store.history,
    async *each(_, from, to) {
      yield* looks.filter(({ look }) => look.takenAt >= from && look.takenAt <= to)
    },
  }
  const sources = {
    past: store,
    record: recordOf(record, { history: { keepMs: 1, mostBytes: 1 }, queryText: 'masked' }),
    maskText: createOutwardMasker('masked'),
  }
  return readReport(sources, about, { everyMs: 5000, protectedSessions: [], now: at(100) })
}
const kinds = ({ rows }: Awaited<ReturnType<typeof read>>) => rows.map(({ event }) => event.kind)

it('of a list ended elsewhere, a report tells of those whom its incident is about', async () => {
  const others = [session(70), session(71)]
  await endAll([...others, headOf(1), headOf(2)], at(28))
  // Nor of what else became of that card.
  await store.journal.append(at(29), 'list', { kind: 'acknowledged', actor: 'U0RESP' })
  await store.journal.append(at(29), 'list', {
    kind: 'denied',
    actor: 'U0RESP',
    proposalId: 'another',
    reason: '',
  })
  const report = await read(jam)
  expect(report.proposals.map(({ key, bulk }) => [key.pid, bulk])).toEqual([
    [1, undefined],
    [2, undefined],
  ])
  expect(kinds(report)).toEqual(['requested', 'approved', 'intended', 'outcome', 'intended', 'outcome'])
  expect(report.cost.rolledBack.map(({ session: one }) => [one.pid, one.query])).toEqual([
    [1, 'UPDATE patient SET note = ?'],
    [2, 'UPDATE patient SET note = ?'],
  ])
  const said = timelineOf(report).map(({ line }) => plainWords(line))
  expect(said).toContainEqual(expect.stringContaining('asks to terminate 4 sessions: leak'))
  expect(said).toContainEqual(expect.stringMatching(/^Outcome: 1 is gone/))
  expect(said).toContainEqual(expect.stringMatching(/^Outcome: 2 is gone/))
  expect(JSON.stringify(report.proposals)).not.toContain('secret')
})

it('tells nothing of what was done to others, elsewhere, before or after', async () => {
  await endAll([session(70)], at(28))
  expect(kinds(await read(jam))).toEqual([])
})

it.each([
  ['on another cluster', at(28), 'shop'],
  ['before its first wait', at(3), 'orders'],
  ['after its end', at(61), 'orders'],
])('tells nothing of what was done %s', async (_, claimedAt, cluster) => {
  await endAll([headOf(2)], claimedAt, cluster)
  expect((await read(jam)).proposals).toEqual([])
})

it('where there were too many sessions, it tells of the whole list', async () => {
  const leak = [1, 2, 3].map((pid) => session(pid, { query: "SELECT 'secret'", xactSeconds: 9 }))
  await endAll(leak, at(28))
  const about = incident({ beganAt: at(4), openedAt: at(10), resolvedAt: at(60), resolution: 'Over.' })
  const report = await read(about)
  expect(kinds(report)).toEqual(['requested', 'approved', 'bulkDone'])
  expect(report.proposals.flatMap(eachOf)).toHaveLength(3)
  expect(report.cost.rolledBack.map(({ session: one }) => one.pid)).toEqual([1, 2, 3])
  expect(JSON.stringify(report.proposals)).not.toContain('secret')
  const said = timelineOf(report).map(({ line }) => plainWords(line))
  expect(said).toContainEqual(expect.stringMatching(/^Outcome of the list: /))
  expect(summaryOf(report).map(plainWords)).toContainEqual(
    expect.stringMatching(/approved: terminate of 3 sessions: .*3/),
  )
})

it.each([at(4), at(60)])('tells what was done at the very ends of its time', async (claimedAt) => {
  await endAll([headOf(2)], claimedAt)
  expect((await read(jam)).proposals).toHaveLength(1)
})
