import { afterAll, beforeAll, expect, it } from 'vitest'
import { createProposeBulk } from '../../src/actions/proposeBulk.ts'
import { createSweeper } from '../../src/actions/sweep.ts'
import { createLog } from '../../src/log.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import { openToAll } from '../support/authorization.ts'
import { idle, picture } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { emptyStoreOn } from '../support/store.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

const minute = 60_000
const leak = [idle(1, 600), idle(2, 600)]

/** Makes what runs the sweeps of one replica that believes that it has the desk. */
function sweeper(store: Store, now: () => number): () => Promise<void> {
  const clusters = watching({ config: clusterConfig('orders'), cluster: pictureCluster(picture(leak)) })
  const cards = cardsOf(store, { now })
  const { runOnce } = createSweeper({
    sweeps: () => [
      {
        ...{ name: 'idle', schedule: '* * * * *', timeZone: 'UTC', clusters: null },
        ...{ match: { state: 'idle' }, action: 'terminate', most: 50 },
      },
    ],
    ...{ clusters, store, cards, now },
    proposeBulk: createProposeBulk({
      ...{ cards, proposals: store.proposals, clusters, now, authorization: openToAll },
    }),
    hasDesk: () => true,
    log: createLog({ level: 'silent' }),
  })
  return runOnce
}

it('a time that several replicas see at once gets one card', async () => {
  const settings = await emptyStoreOn(server)
  const stores = await Promise.all([openStore(settings), openStore(settings), openStore(settings)])
  let now = 10 * minute
  try {
    const replicas = stores.map((store) => sweeper(store, () => now))
    for (let turn = 10; turn <= 15; turn++) {
      now = turn * minute + 1
      await Promise.all(replicas.map((runOnce) => runOnce()))
    }
    const made = (await stores[0]?.proposals.madeSince(0)) ?? []
    // A newer list takes the place of the one before.
    expect(made.map(({ state, createdAt }) => [state, Math.floor(createdAt / minute)])).toEqual([
      ['withdrawn', 11],
      ['withdrawn', 12],
      ['withdrawn', 13],
      ['withdrawn', 14],
      ['open', 15],
    ])
    expect(made.map(({ bulk }) => bulk?.members.length)).toEqual([2, 2, 2, 2, 2])
  } finally {
    await Promise.all(stores.map((store) => store.close()))
  }
})
