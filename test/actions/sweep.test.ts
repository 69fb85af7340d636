import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSweeper } from '../../src/actions/sweep.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import type { Sweep } from '../../src/config/sweeps.ts'
import { createLog } from '../../src/log.ts'
import { ClusterError } from '../../src/postgres/errors.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig, pictureCluster } from '../support/asking.ts'
import { picture } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { openTestStore } from '../support/store.ts'

const minute = 60_000
const configs = ['orders', 'shop'].map((name) => clusterConfig(name))
const idle: Sweep = {
  name: 'idle',
  schedule: '* * * * *',
  timeZone: 'UTC',
  clusters: null,
  match: { state: 'idle' },
  action: 'terminate',
  most: 50,
}

let store: Store
let now: number
let sweeps: readonly Sweep[]
let hasDesk: boolean
const clusters = new Map<string, WatchedCluster>()
const asked: string[] = []
const watch = (name: string) =>
  clusters.set(name, { config: clusterConfig(name), cluster: pictureCluster(picture([])) })
beforeEach(async () => {
  store = await openTestStore()
  now = 10 * minute + 1
  sweeps = [idle]
  hasDesk = true
  fails = null
  clusters.clear()
  for (const { name } of configs) watch(name)
  asked.length = 0
})
afterEach(() => store.close())

/** Makes what runs the sweeps of one replica once. */
function sweeper(): () => Promise<void> {
  const cards = cardsOf(store, {
    cardSettings: new Map(configs.map((config) => [config.name, config])),
    now: () => now,
  })
  const { runOnce } = createSweeper({
    sweeps: () => sweeps,
    clusters,
    store,
    cards,
    proposeBulk: {
      async bySweep({ config }, _, claim) {
        if (fails) throw fails
        if (await cards.commit(null, claim)) asked.push(`${config.name} ${Math.floor(now / minute)}`)
        return null
      },
    },
    hasDesk: () => hasDesk,
    now: () => now,
    log: createLog({ level: 'silent' }),
  })
  return runOnce
}

/** Thrown where a sweep asks. */
let fails: Error | null = null

/** Lists what is said in the channels: only what was missed, here. */
const said = async () => (await store.messages.pending()).map(({ id }) => id)

describe('a sweep', () => {
  it('is asked for once at each of its times, for each of its clusters', async () => {
    const runOnce = sweeper()
    for (; now < 12 * minute; now += 20_000) await runOnce()
    expect(asked).toEqual(['orders 11', 'shop 11'])
  })

  it('tells what was missed while nobody had the desk', async () => {
    const runOnce = sweeper()
    await runOnce()
    hasDesk = false
    await runOnce()
    now = 14 * minute + 1
    hasDesk = true
    await runOnce()
    expect(asked).toEqual(['orders 14', 'shop 14'])
    const last = 13 * minute
    expect((await said()).sort()).toEqual([`sweep:idle:orders:${last}`, `sweep:idle:shop:${last}`])
  })

  it('that leaves the configuration and comes back has missed nothing', async () => {
    const runOnce = sweeper()
    await runOnce()
    sweeps = []
    await runOnce()
    now = 14 * minute + 1
    sweeps = [idle]
    await runOnce()
    now = 15 * minute + 1
    await runOnce()
    expect(asked).toEqual(['orders 15', 'shop 15'])
    expect(await said()).toEqual([])
  })

  it('of a cluster that leaves and comes back has missed nothing there', async () => {
    const runOnce = sweeper()
    await runOnce()
    clusters.delete('shop')
    await runOnce()
    now = 11 * minute + 1
    await runOnce()
    now = 14 * minute + 1
    watch('shop')
    await runOnce()
    expect(asked).toEqual(['orders 11', 'orders 14'])
    expect(await said()).toEqual([`sweep:idle:orders:${13 * minute}`])
  })

  it('of its minute is asked for after a restart in it, and once', async () => {
    await sweeper()()
    now = 11 * minute + 59_000
    await sweeper()()
    await sweeper()()
    expect(asked).toEqual(['orders 11', 'shop 11'])
    now = 12 * minute
    await sweeper()()
    expect(asked).toHaveLength(4)
    expect(await said()).toEqual([])
  })

  it('whose minute passes in a restart was missed', async () => {
    sweeps = [{ ...idle, schedule: '*/2 * * * *' }]
    await sweeper()()
    now = 13 * minute
    await sweeper()()
    expect(asked).toEqual([])
    expect(await said()).toHaveLength(2)
  })

  it('comes by its new schedule after a reload, and what that has of before was never promised', async () => {
    const runOnce = sweeper()
    await runOnce()
    now = 11 * minute + 1
    sweeps = [{ ...idle, schedule: '*/5 * * * *' }]
    await runOnce()
    for (; now < 16 * minute; now += 20_000) await runOnce()
    expect(asked).toEqual(['orders 15', 'shop 15'])
    expect(await said()).toEqual([])
  })

  it('that asks for others after a reload is not asked for again in the same minute', async () => {
    const runOnce = sweeper()
    await runOnce()
    now = 11 * minute + 1
    await runOnce()
    sweeps = [{ ...idle, match: { user: 'shop' } }]
    now += 1000
    await runOnce()
    expect(asked).toEqual(['orders 11', 'shop 11'])
  })

  it('comes twice for no clock that is set back, and goes on when it is there again', async () => {
    const runOnce = sweeper()
    await runOnce()
    now = 11 * minute + 1
    await runOnce()
    for (now = 8 * minute; now <= 12 * minute; now += 20_000) await runOnce()
    expect(asked).toEqual(['orders 11', 'shop 11', 'orders 12', 'shop 12'])
  })

  it('goes on by a clock that was far ahead for a while', async () => {
    const runOnce = sweeper()
    await runOnce()
    now = 365 * 24 * 60 * minute
    await runOnce()
    asked.length = 0
    now = 11 * minute + 1
    await runOnce()
    now = 12 * minute + 1
    await runOnce()
    expect(asked).toEqual(['orders 12', 'shop 12'])
  })

  it('that was taken out while no process ran has missed nothing', async () => {
    await sweeper()()
    sweeps = []
    await sweeper()()
    now = 14 * minute + 1
    sweeps = [idle]
    await sweeper()()
    expect(asked).toEqual([])
    expect(await said()).toEqual([])
  })

  it('that is replaced by another one, and comes back, has missed nothing', async () => {
    const runOnce = sweeper()
    const other = { ...idle, name: 'other' }
    for (const [at, now_] of [
      other,
      { ...idle, name: 'third' },
      { ...idle, name: 'third' },
      other,
    ].entries()) {
      now = (10 + at) * minute + 1
      sweeps = [idle, now_]
      await runOnce()
    }
    expect(await said()).toEqual([])
  })

  it('looks into the store when a time has come, and not at every second', async () => {
    let reads = 0
    const seenTo = store.sweeps.seenTo
    const counted: typeof seenTo = (...about) => {
      reads++
      return seenTo(...about)
    }
    store = { ...store, sweeps: { ...store.sweeps, seenTo: counted } }
    const runOnce = sweeper()
    for (; now < 13 * minute; now += 10_000) await runOnce()
    expect(reads).toBe(3 * clusters.size)
  })

  it.each([
    ['while all of its cluster is quiet', { kind: 'cluster' }, 20 * minute, false],
    ['when that is over', { kind: 'cluster' }, 11 * minute + 1, true],
    [
      'while only a kind of trouble is quiet',
      { kind: 'finding', findingKind: 'blocking' },
      20 * minute,
      true,
    ],
  ] as const)('asks, %s: %s', async (_, scope, until, asks) => {
    const runOnce = sweeper()
    await runOnce()
    const about = { id: 's', cluster: 'orders', by: 'U0RIA', reason: 'a restart', since: now }
    await store.silences.add({ ...about, scope, until })
    now = 11 * minute + 1
    await runOnce()
    expect(asked).toEqual(asks ? ['orders 11', 'shop 11'] : ['shop 11'])
    expect(await said()).toEqual(asks ? [] : [`sweep:idle:orders:${11 * minute}`])
  })

  it('of a cluster that cannot be seen says so once, and asks for nothing', async () => {
    const runOnce = sweeper()
    await runOnce()
    now = 11 * minute + 1
    fails = new ClusterError('No answer in time.', 'DEADLINE', true)
    await runOnce()
    fails = null
    await runOnce()
    expect(asked).toEqual([])
    expect((await said()).sort()).toEqual(
      ['orders', 'shop'].map((name) => `sweep:idle:${name}:${11 * minute}`),
    )
  })

  it('that fails for another reason is tried again', async () => {
    const runOnce = sweeper()
    await runOnce()
    now = 11 * minute + 1
    fails = new Error('a fault')
    await runOnce()
    fails = null
    await runOnce()
    expect(asked).toEqual(['orders 11', 'shop 11'])
    expect(await said()).toEqual([])
  })
})
