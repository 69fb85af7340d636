import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deskLease } from '../../src/domain/fleet/share.ts'
import { aloneWith, LeaseLost, type Membership, type Round } from '../../src/store/replicas.ts'
import { openStore, type Store, type StoreSettings } from '../../src/store/store.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { emptyStoreOn } from '../support/store.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

const clusters = ['a', 'b', 'c', 'd']
const holdMs = 60_000
let settings: StoreSettings & { kind: 'postgres' }
let store: Store
beforeEach(async () => {
  settings = await emptyStoreOn(server)
  store = await openStore(settings)
})
afterEach(() => store.close())

const join = (name = 'one') => store.join(name, holdMs)
const round = (member: Membership, known = clusters) => member.round({ clusters: known, unseen: [] })
const has = ({ leases }: Round) => [...leases.keys()].sort()
/** As after a hold without a word. */
const silence = ({ id }: Membership) =>
  server.admin.query(
    `UPDATE ${new URL(settings.url).username}.replicas SET seen_until = 0 WHERE id = '${id}'`,
  )

describe('what one replica leads', () => {
  it('is everything where it is alone', async () => {
    const one = await round(join())
    expect(has(one)).toEqual(['cluster:a', 'cluster:b', 'cluster:c', 'cluster:d', deskLease])
    expect(one.takenOver).toBe(0)
  })

  it('is shared evenly with one that joins, as soon as it was given back', async () => {
    const [one, two] = [join(), join('two')]
    await round(one)
    expect(has(await round(two))).toEqual([])
    expect(has(await round(one))).toEqual(['cluster:a', 'cluster:b', deskLease])
    const second = await round(two)
    expect(has(second)).toEqual(['cluster:c', 'cluster:d'])
    expect(second.replicas.map(({ name }) => name).sort()).toEqual(['one', 'two'])
    expect(second.leaders.get(deskLease)).toBe(one.id)
    expect(second.leaders.size).toBe(5)
  })

  it('is free at once for the others when it leaves', async () => {
    const [one, two] = [join(), join('two')]
    await round(one)
    await round(two)
    await one.leave()
    const after = await round(two)
    expect(has(after)).toHaveLength(5)
    expect(after.replicas).toHaveLength(1)
    expect(after.takenOver).toBe(0)
  })

  it('is taken over from one that is silent for too long, each with a larger epoch', async () => {
    const [one, two] = [join(), join('two')]
    const before = await round(one)
    await round(two)
    await silence(one)
    const after = await round(two)
    expect(has(after)).toHaveLength(5)
    expect(after.takenOver).toBe(5)
    for (const { name, epoch } of before.leases.values())
      expect(after.leases.get(name)?.epoch).toBeGreaterThan(epoch)
    // It wakes, and gets its share of what is left, with none of the epochs of before.
    const woken = await round(one)
    expect(has(woken)).toEqual([])
    await round(two)
    for (const { name, epoch } of (await round(one)).leases.values())
      expect(epoch).toBeGreaterThan(after.leases.get(name)?.epoch ?? 0)
  })

  it('is led by nobody as long as who has it is gone and who it comes to has not taken it', async () => {
    const [one, two, three] = [join(), join('two'), join('three')]
    for (const member of [one, two, three]) await round(member)
    await silence(one)
    const after = await round(two)
    const taken = has(after)
    expect(taken.length).toBeLessThan(5)
    expect([...after.leaders].sort()).toEqual(taken.map((name) => [name, two.id]))
  })

  it('is what it knows: a cluster that it does not have goes to one that has', async () => {
    const [one, two] = [join(), join('two')]
    await round(one, ['a'])
    await round(two, ['b'])
    expect(has(await round(one, ['a']))).toEqual(['cluster:a', deskLease])
    expect(has(await round(two, ['b']))).toEqual(['cluster:b'])
    // It was taken out of the configuration.
    expect(has(await round(one, []))).toEqual([deskLease])
  })
})

describe('what is written under a lease', () => {
  const write = (member: Membership, of: Round) => {
    const lease = of.leases.get('cluster:a')
    if (!lease) throw new Error('it has no such lease')
    const fence = member.fence(lease)
    return store.atomically(async (tables) => {
      await fence(tables)
      return 'written'
    })
  }

  it('is written as long as nobody took it, however late', async () => {
    const one = join()
    const led = await round(one)
    await silence(one)
    expect(await write(one, led)).toBe('written')
  })

  it('is refused once another one has it, or it was given back', async () => {
    const [one, two] = [join(), join('two')]
    const led = await round(one)
    await silence(one)
    const taken = await round(two)
    await expect(write(one, led)).rejects.toThrow(LeaseLost)
    expect(await write(two, taken)).toBe('written')
    await two.leave()
    await expect(write(two, taken)).rejects.toThrow(LeaseLost)
  })
})

describe('a process that gives no sign', () => {
  it('is gone for one that was there all the time, and not for one that could not look itself', async () => {
    const brief = 300
    const [one, two] = [store.join('one', brief), store.join('two', brief)]
    await round(one)
    expect((await round(two)).isGone(one.id)).toBe(false)
    await silence(one)
    // Just joined, it has not been there for a hold.
    expect((await round(two)).isGone(one.id)).toBe(false)
    await expect.poll(async () => (await round(two)).isGone(one.id), { interval: 50 }).toBe(true)
    expect((await round(two)).isGone(two.id)).toBe(false)
    // The store was away for both.
    await round(one)
    await silence(one)
    await silence(two)
    expect((await round(two)).isGone(one.id)).toBe(false)
  })
})

describe('a process that works alone', () => {
  it('has all there is, and takes every other one for gone', async () => {
    let probes = 0
    const one = aloneWith(async () => void probes++)
    const led = await round(one)
    expect(has(led)).toEqual(['cluster:a', 'cluster:b', 'cluster:c', 'cluster:d', deskLease])
    expect(new Set(led.leaders.values())).toEqual(new Set([one.id]))
    expect([led.isGone(one.id), led.isGone('another'), await one.takes('Ev1')]).toEqual([false, true, true])
    expect([probes, led.storeNow, led.takenOver]).toEqual([1, null, 0])
  })

  it('throws what keeps it from the store', async () => {
    await expect(round(aloneWith(() => Promise.reject(new Error('disk full'))))).rejects.toThrow('disk full')
  })
})

it('has the clock of its server, and counts what any process changed', async () => {
  const one = await round(join())
  const { rows } = await server.admin.query<{ at: string }>('SELECT extract(epoch FROM now()) * 1000 AS at')
  expect(Math.abs((one.storeNow ?? 0) - Number(rows[0]?.at))).toBeLessThan(30_000)
  const before = await store.changes()
  const other = await openStore(settings)
  await other.atomically(({ journal }) =>
    journal.append(1, null, { kind: 'expired', actor: 'pg-marshal', proposalId: 'p' }),
  )
  await other.close()
  expect(await store.changes()).toBeGreaterThan(before ?? Number.POSITIVE_INFINITY)
})

describe('an event that comes to several replicas', () => {
  it('is for the one that takes it first, also where they take it at once', async () => {
    const [one, two] = [join(), join('two')]
    await round(one)
    await round(two)
    const both = await Promise.all([one.takes('Ev1'), two.takes('Ev1')])
    expect(both.filter((is) => is)).toHaveLength(1)
    expect([await one.takes('Ev2'), await two.takes('Ev2'), await two.takes('Ev3')]).toEqual([
      true,
      false,
      true,
    ])
  })

  it('is for another one when who took it is gone', async () => {
    const [one, two] = [join(), join('two')]
    await round(one)
    await round(two)
    expect(await one.takes('Ev1')).toBe(true)
    await silence(one)
    expect(await two.takes('Ev1')).toBe(true)
    await round(one)
    expect(await one.takes('Ev1')).toBe(false)
  })

  it('is forgotten after an hour', async () => {
    const one = join()
    await round(one)
    const requests = `${new URL(settings.url).username}.requests`
    await one.takes('Ev1')
    await one.takes('Ev2')
    await server.admin.query(`UPDATE ${requests} SET taken_at = taken_at - 3600001 WHERE id = 'Ev1'`)
    await server.admin.query(`UPDATE ${requests} SET taken_at = taken_at - 3590000 WHERE id = 'Ev2'`)
    await one.takes('Ev3')
    const { rows } = await server.admin.query(`SELECT id FROM ${requests} ORDER BY id`)
    expect(rows).toEqual([{ id: 'Ev2' }, { id: 'Ev3' }])
  })
})
