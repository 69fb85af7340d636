import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readReport } from '../../src/answers/readReport.ts'
import { type PastLooks, recordOf } from '../../src/answers/record.ts'
import { createReports } from '../../src/answers/report.ts'
import type { ReportQuestion } from '../../src/commands/pastCommand.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import { createOutwardMasker, type QueryText } from '../../src/domain/text/mask.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig } from '../support/asking.ts'
import { incident as incidentOf, session, takenAt } from '../support/builders.ts'
import { at, every5, jamIncident, rowLook } from '../support/pastJams.ts'
import { proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

const ask = async (over: Partial<ReportQuestion> = {}, sees = ['orders', 'billing']) =>
  createReports({
    ...{ past: store, record: store.history, maskText: createOutwardMasker('masked') },
    clusters: new Map(['orders', 'billing'].map((name) => [name, { config: clusterConfig(name) }])),
    directory: async (id) => ({ name: id, members: null, unread: null }),
    now: () => takenAt + 60_000,
  }).answer({ kind: 'report', incident: null, ...over }, sees, 'report')
const put = (id: string, ago: number, over: Partial<Incident> = {}) =>
  store.incidents.put(
    incidentOf({ id, cardId: id, openedAt: takenAt - ago, beganAt: takenAt - ago, ...over }),
  )
const first = 'aaaa0001-0000-4000-8000-000000000001'
const second = 'bbbb0002-0000-4000-8000-000000000002'

describe('statements in a report', () => {
  const seen = every5(0, 80, (seconds) =>
    rowLook(seconds, [{ pid: 1, from: 2, to: 60 }], [{ pid: 11, from: 4, to: 60 }]),
  )
  const about = jamIncident(seen, 1, { openedAt: at(40), beganAt: at(4), resolvedAt: at(60) })
  const done = proposal({
    state: 'done',
    session: session(1, { query: "UPDATE patient SET note = 'secret'" }),
    outcome: { kind: 'effective', afterMs: 100, victims: 1, movedOn: 1 },
  })
  const read = (queryText: QueryText, keepMs: number | null = 1) => {
    const looks: PastLooks = {
      ...store.history,
      async *each(_, from, to) {
        yield* seen.filter(({ look }) => look.takenAt >= from && look.takenAt <= to)
      },
    }
    const sources = {
      past: { journal: store.journal, proposals: { ...store.proposals, ofCard: async () => [done] } },
      record: recordOf(looks, { history: { keepMs, mostBytes: 1 }, queryText }),
      maskText: createOutwardMasker(queryText),
    }
    return readReport(sources, about, { everyMs: 5000, protectedSessions: [], now: at(100) })
  }

  it.each(['masked', 'full'] as const)('are masked where statements are shown as %s', async (queryText) => {
    const report = await read(queryText)
    expect(report.everyMs).toBe(5000)
    expect(report.cost.rolledBack.map(({ session: one }) => one.query)).toEqual([
      'UPDATE patient SET note = ?',
    ])
    expect(report.cost.statements.map(({ name }) => name)).toEqual(['UPDATE orders SET state = ?'])
  })

  it('are in none where they are hidden, neither of looks nor of proposals from before', async () => {
    const report = await read('hidden')
    expect(report.waits).toHaveLength(1)
    expect(report.proposals).toHaveLength(1)
    expect(JSON.stringify(report, (_, value) => (value instanceof Map ? [...value] : value))).not.toMatch(
      /secret|patient|SET state/,
    )
  })

  it('come from no look where none is to be kept', async () => {
    const { everyMs, waits } = await read('masked', null)
    expect([everyMs, waits]).toEqual([null, []])
  })
})

describe('/pg report', () => {
  it('says so where there is no incident, or none that the reader may see', async () => {
    expect((await ask()).text).toContain('There is no incident to report yet.')
    await put(first, 1000, { cluster: 'billing' })
    expect((await ask({}, ['orders'])).text).toContain('There is no incident to report yet.')
    expect((await ask({ incident: 'aaaa0001' }, ['orders'])).text).toContain('that you may see')
    expect((await ask({ cluster: 'billing' }, ['orders'])).text).toContain('There is no cluster billing')
  })

  it('is of the newest where none is named, and says which there are', async () => {
    await put(first, 9000)
    await put(second, 1000, { resolvedAt: takenAt })
    const { text, blocks } = await ask()
    expect(text).toContain('report bbbb0002 --format html')
    expect(text).toContain('Others: aaaa0001')
    expect(JSON.stringify(blocks)).toContain(second)
    // What is over is read again by nobody.
    expect(JSON.stringify(blocks)).not.toContain('pg_refresh_answer')
  })

  it('is of the one that is named, and read again while it lasts', async () => {
    await put(first, 9000)
    await put(second, 1000)
    const { text, blocks } = await ask({ incident: 'aaaa0001' })
    expect(text).toContain('report aaaa0001 --format html')
    expect(text).not.toContain('Others')
    expect(JSON.stringify(blocks)).toContain('pg_refresh_answer')
  })

  it('asks which of several is meant', async () => {
    const digest = 'cccc0000-0000-4000-8000-000000000003'
    await put(first, 9000, { cardId: digest })
    await put(second, 1000, { cardId: digest })
    const { text } = await ask({ incident: 'cccc0000' })
    expect(text).toMatch(/Several incidents[\s\S]*\/pg report aaaa0001[\s\S]*\/pg report bbbb0002/)
  })

  it('says what is not recorded', async () => {
    await put(first, 9000)
    expect((await ask()).text).toMatch(/No look of that time is recorded.*history\.keep/)
  })
})
