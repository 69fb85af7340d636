import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Session } from '../../src/domain/session/session.ts'
import type { Cards } from '../../src/notify/cards.ts'
import { type Cluster, ClusterError } from '../../src/postgres/cluster.ts'
import type { Store } from '../../src/store/store.ts'
import { historyView } from '../../src/views/answers/history.ts'
import { createIncidentReport, type IncidentReport } from '../../src/watch/incidents.ts'
import { clusterConfig, pictureCluster } from '../support/asking.ts'
import * as of from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { openTestStore } from '../support/store.ts'

const config = clusterConfig('orders')
let store: Store
let cards: Cards

beforeEach(async () => {
  store = await openTestStore()
  const cardSettings = new Map([[config.name, config]])
  cards = cardsOf(store, { cardSettings, now: () => of.takenAt })
})
afterEach(async () => {
  await store.close()
})

/** A bot that was just started. */
function start(meanwhile: () => Promise<void> = async () => {}, over: Partial<Cluster> = {}): IncidentReport {
  const cluster = pictureCluster(of.picture([]), [], {
    ...over,
    withText: async (asked) => {
      await meanwhile()
      return [...asked]
    },
  })
  return createIncidentReport({
    cluster,
    config,
    neighbours: () => [config.name],
    store,
    cards,
    now: () => of.takenAt,
  })
}

/** Looks, and runs `meanwhile` in the middle of it: when the statements of those concerned are read. */
const look = (sessions: readonly Session[], meanwhile?: () => Promise<void>) =>
  start(meanwhile).seen(of.picture([...sessions]))

it('keeps an acknowledgement that comes in the middle of a look', async () => {
  await look([of.idleInTransaction(1, 600)])
  const [opened] = await store.incidents.open('orders')
  if (!opened) return expect.fail('no incident')
  await look([of.idleInTransaction(1, 500)], () =>
    cards.commit(opened.cardId, ({ incidents }) => incidents.put({ ...opened, acknowledgedBy: 'U0DANA' })),
  )
  const [changed] = await store.incidents.open('orders')
  expect([changed?.acknowledgedBy, changed?.id]).toEqual(['U0DANA', opened.id])
  // The look did change it, and did not merely leave it alone.
  expect(changed?.finding).not.toEqual(opened.finding)
})

it('remembers on a card that the same application made such trouble twice before', async () => {
  const report = start()
  const see = (hours: number, ...sessions: Session[]) =>
    report.seen(of.picture(sessions, [], { takenAt: of.takenAt + hours * 3_600_000 }))
  const trouble = (pid: number) => of.idleInTransaction(pid, 400, { backendSeconds: 9000 + pid })
  await see(0, trouble(1))
  await see(1)
  await see(2, trouble(2))
  // One burst is one occasion.
  await see(2.01, trouble(2), trouble(4))
  await see(3)
  await see(4, trouble(3))
  const [third] = await store.incidents.open('orders')
  const before = (await store.incidents.recent('orders', 0)).filter(({ id }) => id !== third?.id)
  expect(before).toHaveLength(3)
  for (const one of before) expect(one).not.toHaveProperty('habit')
  expect(third?.habit).toMatchObject({ who: 'web', times: 3, isAtOneTime: false })
  expect(third?.habit?.before).toHaveLength(2)
})

it('says on a card that is over what would have prevented it', async () => {
  const off = { role: null, database: null, unit: 'ms', value: '0' } as const
  const set = { name: 'idle_in_transaction_session_timeout', ...off } as const
  await look([of.idleInTransaction(1, 600)])
  const [opened] = await store.incidents.open('orders')
  await start(undefined, { settings: async () => [set] }).seen(of.picture([]))
  const resolved = await store.incidents.get(opened?.id ?? '')
  expect(opened).not.toHaveProperty('prevention')
  expect(resolved?.prevention).toBe(
    "ALTER ROLE shop IN DATABASE orders SET idle_in_transaction_session_timeout = '60s';",
  )
})

it('resolves a card also where nobody says what is set', async () => {
  await look([of.idleInTransaction(1, 600)])
  const [opened] = await store.incidents.open('orders')
  const settings = () => Promise.reject(new ClusterError('gone', 'CONNECTION_LOST', true))
  await start(undefined, { settings }).seen(of.picture([]))
  const resolved = await store.incidents.get(opened?.id ?? '')
  expect(resolved?.resolvedAt).not.toBeNull()
  expect(resolved).not.toHaveProperty('prevention')
})

it('names in the history of a digest what each row is about', async () => {
  await look(Array.from({ length: 8 }, (_, n) => of.idleInTransaction(n + 1, 600 - n)))
  const listed = (await store.incidents.open('orders')).filter(({ id, cardId }) => id !== cardId)
  await look([])
  const rows = await store.journal.ofCards([listed[0]?.cardId ?? ''], 100)
  const history = historyView('incident', rows, 100).text
  expect(history).toContain('Idle in transaction 7: Seen for the first time.')
  expect(history).toContain('Idle in transaction 8: The session is gone.')
  expect(listed).toHaveLength(2)
})

it('takes back what is offered also after the clock was set back', async () => {
  const report = start()
  await report.seen(of.picture([of.idleInTransaction(1, 600)]))
  expect(await store.proposals.inState('open')).toHaveLength(1)
  await report.seen(of.picture([], { kind: 'none' }, { takenAt: of.takenAt - 3_600_000 }))
  expect(await store.proposals.inState('open')).toEqual([])
})

describe('an incident that is over', () => {
  const later = (seconds: number) =>
    of.picture([], { kind: 'none' }, { takenAt: of.takenAt + seconds * 1000 })
  const resolution = async () =>
    (await store.incidents.recent('orders', 0)).find(({ resolvedAt }) => resolvedAt !== null)?.resolution

  it('ended now, as far as a look some seconds ago can tell', async () => {
    const report = start()
    await report.seen(of.picture([of.idleInTransaction(1, 600)]))
    await report.seen(later(10))
    expect(await resolution()).toBe('The session is gone. It was not ended from here.')
  })

  it('may have ended earlier, when nobody looked for a while', async () => {
    const report = start()
    await report.seen(of.picture([of.idleInTransaction(1, 600)]))
    await report.seen(later(600))
    expect(await resolution()).toMatch(/Nobody looked for 10 min, so it may have ended earlier\.$/)
  })

  it('may have ended before the bot was started', async () => {
    await start().seen(of.picture([of.idleInTransaction(1, 600)]))
    await start().seen(later(10))
    expect(await resolution()).toMatch(/The bot was just started, so it may have ended earlier\.$/)
  })
})
