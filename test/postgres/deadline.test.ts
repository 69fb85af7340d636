import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createExecute } from '../../src/actions/execute.ts'
import { reconcile } from '../../src/actions/reconcile.ts'
import type { Action } from '../../src/domain/session/action.ts'
import { type Session, sessionKeyOf } from '../../src/domain/session/session.ts'
import { createLog } from '../../src/log.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig, watching } from '../support/asking.ts'
import { cardsOf } from '../support/cards.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { type Forwarder, startForwarder } from '../support/forwarder.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { guardFor, madeAt, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

/** No signal after its deadline, by the clock of the server that would send it. */

let server: TestServer
let forwarder: Forwarder
beforeAll(async () => {
  server = await startTestServer()
  await server.admin.query("CREATE ROLE app LOGIN PASSWORD 'app'")
  forwarder = await startForwarder(Number(new URL(server.url).port))
})
afterEach(async () => {
  forwarder.heal()
  await closeClusters()
  await server.closeAll()
})
afterAll(async () => {
  await forwarder?.close()
  await server?.stop()
})

/** Through the forwarder, and patient, so that what is held there is waited for. */
const started = async (): Promise<Cluster> => {
  const url = new URL(server.marshalUrl)
  url.port = String(forwarder.port)
  const cluster = openCluster({ url: url.href, deadlines: { activity: 30_000, locks: 30_000 } })
  await cluster.start()
  return cluster
}
const clock = async (plus = '0 s'): Promise<string> => {
  const { rows } = await server.admin.query<{ at: string }>(
    `SELECT (clock_timestamp() + '${plus}'::interval)::text AS at`,
  )
  return rows[0]?.at ?? ''
}
/** Waits in the server until its clock is past this time. */
const untilPast = (time: string) =>
  server.admin.query(
    'SELECT pg_sleep(greatest(0, extract(epoch FROM $1::timestamptz - clock_timestamp())::float8) + 0.05)',
    [time],
  )
const exists = async ({ pid, backendStart }: Session): Promise<boolean> => {
  const { rows } = await server.admin.query(
    'SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2::timestamptz',
    [pid, backendStart],
  )
  return rows.length === 1
}
/** A session for this action, as the cluster sees it. Its statement runs for ever. */
const target = async (cluster: Cluster): Promise<Session> => {
  const opened = await server.open('orders-batch', server.urlFor('app', 'app'))
  void opened.start('SELECT pg_sleep(600)')
  await server.until("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", [opened.pid])
  const [session] = await cluster.look([opened.pid])
  if (!session) throw new Error('there is no session')
  return session
}
const isSleeping = async (cluster: Cluster, { pid }: Session) =>
  (await cluster.look([pid]))[0]?.waitEvent === 'PgSleep'

const actions: readonly Action[] = ['cancel', 'terminate']

describe.each(actions)('the statement for %s', (action) => {
  it('sends nothing once its deadline has passed, and says so', async () => {
    const cluster = await started()
    const session = await target(cluster)
    const signalBefore = await clock('-1 ms')
    expect(await cluster.signal(guardFor(action, session, { signalBefore }))).toEqual({
      kind: 'late',
      sql: expect.stringContaining(`clock_timestamp() < '${signalBefore}'::timestamptz`),
    })
    expect(await isSleeping(cluster, session)).toBe(true)
  })

  it('sends nothing without a deadline', async () => {
    const cluster = await started()
    const session = await target(cluster)
    const guard = guardFor(action, session, { signalBefore: undefined })
    expect(await cluster.signal(guard)).toMatchObject({ kind: 'changed' })
    expect(await isSleeping(cluster, session)).toBe(true)
  })

  it('is sent before', async () => {
    const cluster = await started()
    const session = await target(cluster)
    const signalBefore = await cluster.signalBefore()
    expect(await cluster.signal(guardFor(action, session, { signalBefore }))).toMatchObject({
      kind: 'sent',
      returned: true,
    })
  })

  it('does not find another session late, while there is time', async () => {
    const cluster = await started()
    const session = await target(cluster)
    const guard = guardFor(
      action,
      { ...session, backendStart: session.queryStart ?? '' },
      {
        signalBefore: await clock('5 s'),
      },
    )
    expect(await cluster.signal(guard)).toMatchObject({ kind: 'changed' })
  })
})

it('gives a signal five seconds by the clock of the server', async () => {
  const cluster = await started()
  const [from, before, to] = [await clock('5 s'), await cluster.signalBefore(), await clock('5 s')]
  const { rows } = await server.admin.query(
    'SELECT $1::timestamptz <= $2::timestamptz AND $2::timestamptz <= $3::timestamptz AS within',
    [from, before, to],
  )
  expect(rows).toEqual([{ within: true }])
  expect(await cluster.isPast(before)).toBe(false)
  expect(await cluster.isPast(await clock())).toBe(true)
})

describe('an approved press whose statement is on the way', () => {
  let store: Store
  beforeEach(async () => {
    store = await openTestStore()
  })
  afterEach(() => store.close())

  const cards = () => cardsOf(store)
  /** Claimed by `gone`. From the moment at which the deadline stands in the store, `begun` is called. */
  const press = async (cluster: Cluster, action: Action, session: Session, begun: () => void) => {
    const claimed = proposal(
      {
        state: 'claimed',
        action,
        key: sessionKeyOf('orders', session),
        claimedBy: 'gone',
        claimedAt: madeAt,
      },
      session,
    )
    await store.proposals.add(claimed)
    const all = cards()
    const noticing: typeof all = {
      ...all,
      async commit(cardId, run) {
        const result = await all.commit(cardId, run)
        const current = await store.proposals.get(claimed.id)
        if (current?.state === 'claimed' && current.signalBefore) begun()
        return result
      },
    }
    const execute = createExecute({
      cards: noticing,
      clusters: watching({ config: clusterConfig('orders'), cluster }),
      steady: () => performance.now(),
      isStopping: () => false,
      log: createLog({ level: 'silent' }),
    })
    return { id: claimed.id, done: execute(claimed) }
  }
  const deadlineOf = async (id: string) => (await store.proposals.get(id))?.signalBefore ?? ''
  const outcomes = async () =>
    (await store.journal.ofCards(['card-1'], 20)).flatMap(({ event }) =>
      event.kind === 'outcome' ? [event] : [],
    )

  it.each(actions)('for longer than that sends no %s, and the session is still there', async (action) => {
    const cluster = await started()
    const session = await target(cluster)
    const begun = Promise.withResolvers<void>()
    const { id, done } = await press(cluster, action, session, () => {
      forwarder.hold()
      begun.resolve()
    })
    await begun.promise
    await untilPast(await deadlineOf(id))
    forwarder.heal()
    expect((await done).outcome).toEqual({
      kind: 'notSent',
      why: 'more than five seconds had passed since the session was read.',
    })
    expect(await outcomes()).toMatchObject([
      { returned: null, sql: expect.stringContaining('pg_catalog.pg_') },
    ])
    expect(await isSleeping(cluster, session)).toBe(true)
  })

  it('for less sends it', async () => {
    const cluster = await started()
    const session = await target(cluster)
    const { done } = await press(cluster, 'terminate', session, () => {})
    expect((await done).outcome).toMatchObject({ kind: 'effective' })
    expect(await exists(session)).toBe(false)
  })

  it('is ended by another process once nothing can arrive any more, and by then only', async () => {
    const [slow, near] = [await started(), openCluster({ url: server.marshalUrl })]
    await near.start()
    const session = await target(near)
    const begun = Promise.withResolvers<void>()
    const { id, done } = await press(slow, 'terminate', session, () => {
      forwarder.hold()
      begun.resolve()
    })
    await begun.promise
    const takeOver = () =>
      reconcile({
        cards: cards(),
        proposals: store.proposals,
        clusters: watching({ config: clusterConfig('orders'), cluster: near }),
        isGone: (replica) => replica === 'gone',
        now: () => madeAt,
      })
    await takeOver()
    expect(await outcomes()).toEqual([])
    await untilPast(await deadlineOf(id))
    await takeOver()
    const said = await outcomes()
    expect(said).toMatchObject([
      { outcome: { kind: 'unknown', now: 'The session is still there, active.' }, sql: null, returned: null },
    ])
    // It wakes, and what it held arrives.
    forwarder.heal()
    expect((await done).outcome?.kind).toBe('unknown')
    expect(await outcomes()).toEqual(said)
    expect(await exists(session)).toBe(true)
  })
})
