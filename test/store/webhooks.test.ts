import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from '../../src/store/store.ts'
import { type StorePlace, storePlaces } from '../support/store.ts'

describe.each(storePlaces)('webhooks in a store in %s', (_, makePlace) => {
  let place: StorePlace
  let store: Store
  beforeAll(async () => {
    place = await makePlace()
  })
  afterAll(() => place.close())
  beforeEach(async () => {
    store = await openStore(await place.empty(), {})
  })
  afterEach(() => store.close())

  const put = (id: string, receiver = 'r1', subject = 's1', now = 1000) =>
    store.webhooks.enqueue({ id, receiver, subject, document: `{"of":"${id}"}` }, now)
  const heads = async () => (await store.webhooks.heads()).map(({ id }) => id)
  const begun = async (id: string, until = 99) => {
    const [found] = (await store.webhooks.heads()).filter((one) => one.id === id)
    return found ? store.webhooks.begin(found, until) : null
  }

  it('shows the oldest of each subject and receiver, in the order in which they came', async () => {
    await put('a')
    await put('b')
    await put('c', 'r1', 's2')
    await put('d', 'r2')
    expect(await heads()).toEqual(['a', 'c', 'd'])
    await store.webhooks.remove('a')
    expect(await heads()).toEqual(['b', 'c', 'd'])
    expect(await store.webhooks.document('b')).toBe('{"of":"b"}')
    expect(await store.webhooks.document('a')).toBeNull()
  })

  it('lets one of several begin an attempt', async () => {
    await put('a')
    const [delivery] = await store.webhooks.heads()
    if (!delivery) throw new Error('nothing waits')
    const won = await Promise.all([1, 2, 3].map(() => store.webhooks.begin(delivery, 5000)))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(await store.webhooks.heads()).toMatchObject([{ attempts: 1, notBefore: 5000, error: 'sending' }])
    await store.webhooks.failed('a', 7000, 'HTTP 500')
    expect(await store.webhooks.heads()).toMatchObject([{ attempts: 1, notBefore: 7000, error: 'HTTP 500' }])
  })

  it('takes back what waits for one receiver about one subject, but not what is under way', async () => {
    await put('under way')
    await begun('under way')
    await put('waits')
    await put('other subject', 'r1', 's2')
    await put('other receiver', 'r2')
    await store.webhooks.drop('r1', 's1')
    expect(await heads()).toEqual(['under way', 'other subject', 'other receiver'])
    await store.webhooks.remove('under way')
    expect(await heads()).toEqual(['other subject', 'other receiver'])
  })

  it('takes back what was tried and failed', async () => {
    await put('a')
    await begun('a')
    await store.webhooks.failed('a', 0, 'HTTP 500')
    await store.webhooks.drop('r1', 's1')
    expect(await heads()).toEqual([])
  })

  it('remembers what each receiver has heard', async () => {
    const { webhooks } = store
    expect(await webhooks.told([])).toEqual([])
    await webhooks.tell('r1', 'i1', { severity: 'warning', acknowledgedBy: null })
    await webhooks.tell('r1', 'i1', { severity: 'critical', acknowledgedBy: 'U0DANA' })
    await webhooks.tell('r2', 'i1', { severity: 'warning', acknowledgedBy: null })
    await webhooks.tell('r1', 'i2', { severity: 'warning', acknowledgedBy: null })
    await webhooks.tell('r2', 'i1', null)
    expect(await webhooks.told(['i1', 'i3'])).toEqual([
      { receiver: 'r1', incidentId: 'i1', severity: 'critical', acknowledgedBy: 'U0DANA' },
    ])
  })

  it('counts what waits, and forgets receivers that are not configured any more', async () => {
    await put('a', 'r1', 's1', 3000)
    await put('b', 'r1', 's2', 2000)
    await put('c', 'r2')
    await store.webhooks.tell('r2', 'i1', { severity: 'warning', acknowledgedBy: null })
    expect(await store.webhooks.backlog()).toEqual([
      { receiver: 'r1', count: 2, oldestAt: 2000 },
      { receiver: 'r2', count: 1, oldestAt: 1000 },
    ])
    await store.webhooks.keepOnly(['r1'])
    expect(await heads()).toEqual(['a', 'b'])
    expect(await store.webhooks.told(['i1'])).toEqual([])
    await store.webhooks.keepOnly([])
    expect(await heads()).toEqual([])
  })
})
