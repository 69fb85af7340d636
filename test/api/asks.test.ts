import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { createAsks } from '../../src/api/asks.ts'
import { createTokens } from '../../src/api/tokens.ts'
import { clusterConfig, pictureCluster } from '../support/asking.ts'
import * as of from '../support/builders.ts'
import { proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const token = { name: 'deploybot', sha256: '', may: ['look'], clusters: null } as const
const other = { ...token, name: 'board' }

async function asksOf(made = proposal()) {
  const store = await openTestStore()
  await store.atomically((tx) => tx.proposals.add(made))
  const changes = new EventEmitter<{ changed: [] }>().setMaxListeners(0)
  const stopping = new AbortController()
  const asks = createAsks({
    requests: { byProgram: () => Promise.reject(new Error('nobody asks')) },
    clusters: new Map([
      ['orders', { config: clusterConfig('orders'), cluster: pictureCluster(of.picture([])) }],
    ]),
    proposals: store.proposals,
    messages: store.messages,
    linkTo: async () => null,
    patientLinkTo: async () => null,
    tokens: createTokens(() => [token, other]),
    maskText: () => null,
    changes,
    stopping: stopping.signal,
  })
  const wait = (
    as: typeof token | typeof other = token,
    signal = new AbortController().signal,
    ms = 60_000,
  ) => asks.proposal(as, { id: made.id, wait: ms }, signal)
  return { asks, store, changes, stopping, wait, made }
}

it('a token waits twenty times at once, and again when they have ended', async () => {
  const { asks, store, changes, stopping, wait, made } = await asksOf()
  const first = Array.from({ length: 20 }, () => wait())
  await expect(wait()).rejects.toMatchObject({ status: 429, code: 'tooMany' })
  expect(await asks.proposal(token, { id: made.id }, new AbortController().signal)).toMatchObject({
    state: 'open',
  })
  const gone = new AbortController()
  const others = wait(other, gone.signal)
  gone.abort()
  expect(await others).toMatchObject({ state: 'open' })
  await store.atomically((tx) => tx.proposals.swap(made, proposal({ state: 'expired' })))
  changes.emit('changed')
  expect((await Promise.all(first)).map(({ state }) => state)).toEqual(first.map(() => 'expired'))
  // Nobody listens for what is answered.
  expect(changes.listenerCount('changed')).toBe(0)
  expect(await wait()).toMatchObject({ state: 'expired' })
  stopping.abort()
  await store.close()
})

it('who waits gets what there is when the time is over, and when the bot stops', async () => {
  const { store, stopping, wait } = await asksOf()
  expect(await wait(token, new AbortController().signal, 20)).toMatchObject({ state: 'open' })
  const waits = wait()
  stopping.abort()
  expect(await waits).toMatchObject({ state: 'open' })
  await store.close()
})
