import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { shownMemory } from '../../src/answers/record.ts'
import { answerReport } from '../../src/answers/report.ts'
import type { ReportQuestion } from '../../src/commands/pastCommand.ts'
import type { ClusterConfig } from '../../src/config/config.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import type { Store } from '../../src/store/store.ts'
import { incident as incidentOf, session, snapshot, takenAt, thresholds } from '../support/builders.ts'
import { proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

const config = (name: string) =>
  ({ name, watch: { ...thresholds, everyMs: 5000 }, protected: [] }) as unknown as ClusterConfig
const ask = async (over: Partial<ReportQuestion> = {}, clusters = ['orders', 'billing']) =>
  answerReport(
    { kind: 'report', incident: null, ...over },
    {
      past: { ...store, linkTo: async () => null },
      configs: clusters.map(config),
      directory: null,
      typed: 'report',
      now: () => takenAt + 60_000,
    },
  )
const put = (id: string, ago: number, over: Partial<Incident> = {}) =>
  store.incidents.put(
    incidentOf({ id, cardId: id, openedAt: takenAt - ago, beganAt: takenAt - ago, ...over }),
  )
const first = 'aaaa0001-0000-4000-8000-000000000001'
const second = 'bbbb0002-0000-4000-8000-000000000002'

describe('a memory where statements are hidden', () => {
  it('shows none of before, neither of looks nor of proposals', async () => {
    const one = proposal({ session: session(1, { query: "UPDATE patient SET note = 'secret'" }) })
    const memory: Pick<Store, 'proposals' | 'history'> = {
      proposals: { ...store.proposals, ofCard: async () => [one] },
      history: {
        ...store.history,
        between: async () => [
          {
            look: { takenAt, snapshot: { ...snapshot([]), texts: new Map([[1, 'secret']]) } },
            everyMs: 5000,
          },
        ],
      },
    }
    const hidden = shownMemory(memory, 'hidden')
    expect((await hidden.proposals.ofCard('x'))[0]?.session.query).toBeNull()
    expect(JSON.stringify([...((await hidden.history.between('orders', 0, 1)) ?? [])])).not.toContain('texts')
    expect(shownMemory(memory, 'masked')).toBe(memory)
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
