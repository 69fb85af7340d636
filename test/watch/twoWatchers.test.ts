import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import type { CallReason } from '../../src/domain/approvals/journal.ts'
import type { Session } from '../../src/domain/session/session.ts'
import { createLog } from '../../src/log.ts'
import type { Cards } from '../../src/notify/cards.ts'
import type { Membership } from '../../src/store/replicas.ts'
import { openStore, type Store, type StoreSettings } from '../../src/store/store.ts'
import { callDue } from '../../src/watch/calls.ts'
import { createHooks } from '../../src/watch/hooks.ts'
import { createLeads } from '../../src/watch/leads.ts'
import { createSight } from '../../src/watch/sight.ts'
import { createWatching } from '../../src/watch/watching.ts'
import { clusterConfig, pictureCluster } from '../support/asking.ts'
import * as of from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'
import { emptyStoreOn } from '../support/store.ts'

const minute = 60_000
/** What went wrong. */
const said: string[] = []
const log = createLog({ level: 'warn', destination: { write: (line) => void said.push(line) } })
const config = clusterConfig('orders', {
  notify: {
    ...{ mention: ['U0DANA'], from: 'warning', remindAfterMs: minute, webhooks: [] },
    escalate: [{ afterMs: 2 * minute, mention: ['U0DEVI'] }],
  },
  // Nothing comes round by itself while this test lasts.
  watch: { ...clusterConfig('orders').watch, everyMs: 3_600_000 },
})

let server: TestServer
let settings: StoreSettings & { kind: 'postgres' }
let now: number
let sessions: Session[]
/** No look ends before this. */
let held: Promise<void>
const open: { close(): Promise<void> }[] = []
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())
beforeEach(async () => {
  settings = await emptyStoreOn(server)
  now = of.takenAt
  sessions = []
  held = Promise.resolve()
  said.length = 0
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

/** One replica, as far as it watches `orders`. */
async function replica(name: string) {
  const store = await openStore(settings)
  const membership = store.join(name, 3_600_000)
  let looks = 0
  let writes = 0
  let begun = 0
  const heard: string[] = []
  const left: string[] = []
  const cluster = pictureCluster(of.picture([]), [], {
    async snapshot() {
      begun++
      await held
      return of.snapshot(sessions, { takenAt: now })
    },
    health: async () => of.health(),
  })
  const clusters = new Map([['orders', { config, cluster }]])
  const cards: Cards = cardsOf(store, {
    ...{ cardSettings: new Map([['orders', config]]), now: () => now },
    changed: () => void writes++,
  })
  const sight = createSight(clusters)
  const hooksOf = createHooks({
    top: { saw: () => void heard.push('top'), left: (cluster) => void left.push(`top ${cluster}`) },
    sight,
    metrics: { observeSnapshot: () => void heard.push('metrics'), clusterUnseen: () => {} },
    recording: {
      saw: () => void heard.push('record'),
      unseen: () => {},
      left: (cluster) => void left.push(`record ${cluster}`),
    },
    heartbeat: { looked: () => void looks++ },
    now: () => now,
  })
  const watching = createWatching({
    ...{ clusters, store, cards, membership, hooksOf, log },
    storeAlarm: { noted: () => false, report: async () => expect.fail('the store works') },
    lastLook: async () => null,
    now: () => now,
    steady: () => performance.now(),
  })
  const leads = createLeads({
    ...{ membership, log },
    clock: { following: (ask) => ask() },
    about: () => ({ clusters: ['orders'], unseen: [] }),
    watch: watching.duty,
    desk: { start: () => {}, hurry: () => {}, stop: async () => {} },
    after: () => {},
  })
  open.push({
    async close() {
      await leads.stop()
      await store.close()
    },
  })
  return {
    ...{ store, membership, leads, heard, left, sight },
    begun: () => begun,
    writes: () => writes,
    isWatching: () => watching.led().length === 1,
    call: () => callDue({ store, clusters: watching.led(), log }),
    /** Has it look once more. */
    async look() {
      const before = looks
      await waitFor(() => {
        // One that is under way may have begun before.
        leads.hurry()
        return looks > before
      }, `${name} has looked`)
    },
    /** Has it hear what it leads now, and look at that for the first time. */
    async lead() {
      const before = looks
      await leads.round()
      await waitFor(() => looks > before, `${name} has looked`)
    },
  }
}

/** As after a hold without a word. */
const silence = ({ id }: Membership) =>
  server.admin.query(
    `UPDATE ${new URL(settings.url).username}.replicas SET seen_until = 0 WHERE id = '${id}'`,
  )

/** Events of all cards so far. */
async function happened(store: Store) {
  const incidents = await store.incidents.open('orders')
  const rows = await store.journal.ofCards(
    incidents.map(({ cardId }) => cardId),
    500,
  )
  const events = rows.map(({ event }) => event)
  return {
    incidents,
    opened: events.filter(({ kind }) => kind === 'incidentOpened').length,
    called: events.flatMap((event): CallReason[] => (event.kind === 'called' ? [event.why] : [])).sort(),
    messages: (await store.messages.pending()).map(({ id }) => id),
  }
}

it('two watchers of one cluster cost a second look, and no second card, reminder or page', async () => {
  const first = await replica('one')
  const second = await replica('two')
  sessions = [of.idleInTransaction(1, 600)]
  await first.lead()
  expect(first.heard).toEqual(['top', 'metrics', 'record'])
  expect([first.sight.isKnown('orders'), second.sight.isKnown('orders')]).toEqual([true, false])
  await silence(first.membership)
  await second.lead()
  // The first one does not know yet.
  expect([first.isWatching(), second.isWatching()]).toEqual([true, true])
  const written = first.writes()
  for (const later of [0, minute, 2 * minute]) {
    now = of.takenAt + later
    sessions = [of.idleInTransaction(1, 600 + later / 1000)]
    await Promise.all([first.look(), second.look()])
    await Promise.all([first.call(), second.call()])
    await Promise.all([second.call(), first.call()])
  }
  const { incidents, opened, called, messages } = await happened(second.store)
  expect([incidents.length, opened]).toEqual([1, 1])
  expect(called).toEqual(['card', 'escalate', 'remind'])
  expect(new Set(messages).size).toBe(messages.length)
  expect(first.writes()).toBe(written)

  await first.leads.round()
  await waitFor(() => first.left.length === 2, 'it has noticed')
  expect(first.left).toEqual(['top orders', 'record orders'])
  expect([first.isWatching(), second.isWatching()]).toEqual([false, true])
  // It makes no calls before it has looked again, should it get it back.
  expect([first.sight.isKnown('orders'), second.sight.isKnown('orders')]).toEqual([false, true])
  expect(said).toEqual([])
})

it('a look that is under way when the lease is lost ends before the next watching begins', async () => {
  const one = await replica('one')
  await one.lead()
  const { promise, resolve } = Promise.withResolvers<void>()
  held = promise
  await waitFor(() => {
    one.leads.hurry()
    return one.begun() === 2
  }, 'a look is under way')
  const renewed = one.leads.renew(['orders'])
  await one.leads.round()
  expect([one.left, one.isWatching(), one.begun()]).toEqual([[], false, 2])
  resolve()
  await renewed
  expect(one.left).toHaveLength(2)
  await one.lead()
  expect([one.isWatching(), one.begun()]).toEqual([true, 3])
})

it('what both see first while one takes over from the other has one card', async () => {
  let [holder, other] = [await replica('one'), await replica('two')]
  await holder.lead()
  for (let trouble = 1; trouble <= 5; trouble++) {
    now += minute
    await silence(holder.membership)
    sessions = [...sessions, of.idleInTransaction(trouble, 600)]
    await Promise.all([holder.look(), other.lead()])
    const { incidents, opened } = await happened(other.store)
    expect([incidents.length, opened]).toEqual([trouble, trouble])
    expect(new Set(incidents.map(({ cardId }) => cardId)).size).toBe(trouble)
    await holder.leads.round()
    ;[holder, other] = [other, holder]
  }
})
