import { afterEach, beforeEach, expect, it } from 'vitest'
import { clusterErrorWith } from '../../src/postgres/errors.ts'
import type { Store } from '../../src/store/store.ts'
import { createWatchStatus } from '../../src/watch/status.ts'
import { cardsOf } from '../support/cards.ts'
import { openTestStore } from '../support/store.ts'

const lack = { what: 'No statistics.', fix: 'GRANT pg_monitor TO marshal;', needed: true }

let store: Store
let time: number
let missing: () => Promise<(typeof lack)[]>

beforeEach(async () => {
  store = await openTestStore()
  time = 1_000_000
  missing = async () => []
})
afterEach(() => store.close())

function status() {
  const now = () => time
  const cards = cardsOf(store, { now })
  const cluster = { name: 'orders', missingPrivileges: () => missing() }
  return createWatchStatus({ cluster, journal: store.journal, cards, now })
}

const told = async () => (await store.journal.latest(100)).map(({ event }) => event.kind)

it('says what the role lacks at once when it is lost, once, and again when it has changed', async () => {
  const { seen } = status()
  missing = async () => [lack, { ...lack, needed: false, fix: 'GRANT other TO marshal;' }]
  await seen(false)
  await seen(false)
  expect(await told()).toEqual(['lacking', 'blind'])
  missing = async () => []
  await seen(true)
  await seen(true)
  time += 60_000
  await seen(true)
  missing = async () => [lack]
  await seen(true)
  expect(await told()).toEqual(['lacking', 'blind', 'seesAgain'])
  time += 60_000
  await seen(true)
  expect(await told()).toEqual(['lacking', 'blind', 'seesAgain', 'lacking'])
})

it('says nothing of privileges that cannot be asked for', async () => {
  missing = () => Promise.reject(clusterErrorWith('DEADLINE'))
  await status().seen(true)
  expect(await told()).toEqual([])
})

it('reports each turn of what goes wrong for a while, once', async () => {
  const { behind, healthUnavailable } = status()
  for (const reason of [null, 'slow', 'slow', null, null]) await behind(reason)
  expect(await told()).toEqual(['blind', 'seesAgain'])
  await healthUnavailable('a lock')
  expect((await store.journal.latest(1))[0]?.event).toMatchObject({
    kind: 'blind',
    reason: 'deadlocks, prepared transactions, vacuum, wraparound and slots are not seen: a lock',
  })
})
