import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createVerifier, firstHash, type JournalEvent } from '../../src/domain/approvals/journal.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import { openStore, type Store, type StoreSettings } from '../../src/store/store.ts'
import { idleInTransaction, incident as incidentOf } from '../support/builders.ts'
import { madeAt, proposal } from '../support/proposals.ts'
import { type StorePlace, storePlaces } from '../support/store.ts'

const expired: JournalEvent = { kind: 'expired', actor: 'pg-marshal', proposalId: 'p' }

describe.each(storePlaces)('a store in %s', (_, makePlace) => {
  let place: StorePlace
  let settings: StoreSettings
  let store: Store

  beforeAll(async () => {
    place = await makePlace()
  })
  afterAll(() => place.close())
  beforeEach(async () => {
    settings = await place.empty()
    store = await openStore(settings, {})
  })
  afterEach(() => store.close())

  describe('proposals', () => {
    it('keeps them as they are, also across a restart', async () => {
      const tagged = idleInTransaction(4312, 600, {
        tags: { route: '/orders' },
        tagLinks: { route: 'https://code.example.com/%2Forders' },
      })
      const made = proposal({ victims: [{ pid: 7, backendStart: 'then', queryStart: null }] }, tagged)
      await store.proposals.add(made)
      await store.close()
      store = await openStore(settings, {})
      expect(await store.proposals.get(made.id)).toEqual(made)
      expect(await store.proposals.get('nobody')).toBeNull()
      expect(await store.proposals.ofCard('card-1')).toEqual([made])
    })

    it('keeps the order in which they were made, also when the clock is set back', async () => {
      for (const [id, createdAt] of [
        ['first', madeAt],
        ['second', madeAt],
        ['a third', madeAt - 3_600_000],
      ] as const)
        await store.proposals.add(proposal({ id, createdAt }))
      const ids = (await store.proposals.ofCard('card-1')).map(({ id }) => id)
      expect(ids).toEqual(['first', 'second', 'a third'])
    })

    it('lets exactly one of many claim', async () => {
      const made = proposal()
      await store.proposals.add(made)
      const claims = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          store.proposals.swap(made, proposal({ state: 'claimed', decidedBy: `U${n}` })),
        ),
      )
      const won = claims.filter((claim) => claim !== null)
      expect(won).toHaveLength(1)
      expect(won[0]?.revision).toBe(made.revision + 1)
      expect(await store.proposals.get(made.id)).toEqual(won[0])
      expect(await store.proposals.inState('claimed')).toEqual(won)
    })

    it('finds those whose time is up, and only the open ones', async () => {
      await store.proposals.add(proposal({ id: 'early', expiresAt: madeAt + 10 }))
      await store.proposals.add(proposal({ id: 'late', expiresAt: madeAt + 20 }))
      await store.proposals.add(proposal({ id: 'denied', state: 'denied', expiresAt: madeAt + 5 }))
      expect((await store.proposals.dueBy(madeAt + 10)).map(({ id }) => id)).toEqual(['early'])
    })
  })

  it('keeps which kinds of blocks were refused, and when last, also across a restart', async () => {
    await store.refusedBlocks.put('table', madeAt)
    await store.refusedBlocks.put('card', madeAt)
    await store.refusedBlocks.put('table', madeAt + 1)
    await store.close()
    store = await openStore(settings, {})
    expect(await store.refusedBlocks.all()).toEqual([
      { kind: 'card', at: madeAt },
      { kind: 'table', at: madeAt + 1 },
    ])
  })

  describe('journal', () => {
    it('chains its rows, whoever appends at the same time', async () => {
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          store.journal.append(madeAt + n, n % 2 ? 'card' : null, expired),
        ),
      )
      const rows = await store.journal.latest(100)
      expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
      expect(rows[0]?.previous).toBe(firstHash)
      const verifier = createVerifier()
      for await (const row of store.journal.all()) expect(verifier.check(row)).toBeNull()
      expect(verifier.head()?.hash).toBe(rows.at(-1)?.hash)
      expect(await store.journal.ofCards(['card'], 100)).toHaveLength(10)
    })

    it('keeps nothing of a change that fails', async () => {
      await expect(
        store.atomically(async (records) => {
          await records.journal.append(madeAt, null, expired)
          await records.proposals.add(proposal())
          throw new Error('on purpose')
        }),
      ).rejects.toThrow('on purpose')
      expect(await store.journal.latest(10)).toEqual([])
      expect(await store.proposals.ofCard('card-1')).toEqual([])
    })
  })

  describe('messages', () => {
    const message = (over = {}) => ({
      id: 'card',
      channel: 'C1',
      threadOf: null,
      priority: 1,
      once: false,
      text: 'one',
      blocks: [{ type: 'divider' as const }],
      ...over,
    })

    it('holds a thread back until its first message stands', async () => {
      await store.messages.put(message(), madeAt)
      await store.messages.put(message({ id: 'note', threadOf: 'card', priority: 0 }), madeAt)
      expect((await store.messages.pending()).map(({ id }) => id)).toEqual(['card'])
      await store.messages.delivered('card', 1, '1.1', madeAt)
      expect(await store.messages.pending()).toMatchObject([{ id: 'note', threadTs: '1.1', ts: null }])
    })

    it('remembers only the last of several edits, and that it changed during a delivery', async () => {
      await store.messages.put(message(), madeAt)
      await store.messages.put(message({ text: 'two' }), madeAt)
      expect(await store.messages.pending()).toMatchObject([{ id: 'card' }])
      expect(await store.messages.content('card')).toMatchObject({ text: 'two', revision: 2 })
      await store.messages.put(message({ text: 'three' }), madeAt)
      await store.messages.delivered('card', 2, '1.1', madeAt)
      expect(await store.messages.pending()).toMatchObject([{ id: 'card', ts: '1.1' }])
      expect(await store.messages.content('card')).toMatchObject({ text: 'three', revision: 3 })
    })

    it('does not deliver the same content again', async () => {
      await store.messages.put(message(), madeAt)
      await store.messages.delivered('card', 1, '1.1', madeAt)
      await store.messages.put(message(), madeAt)
      expect(await store.messages.pending()).toEqual([])
    })

    it('keeps nothing of what is never edited, once it stands', async () => {
      await store.messages.put(message({ once: true }), madeAt)
      await store.messages.delivered('card', 1, '1.1', madeAt)
      expect(await store.messages.isKnown('card')).toBe(false)
    })

    it('lists the most urgent first', async () => {
      for (const [id, priority] of [
        ['a', 1],
        ['b', 3],
        ['c', 3],
        ['d', 2],
      ] as const)
        await store.messages.put(message({ id, priority }), madeAt)
      expect((await store.messages.pending()).map(({ id }) => id)).toEqual(['b', 'c', 'd', 'a'])
    })

    it('posts a lost one again', async () => {
      await store.messages.put(message(), madeAt)
      await store.messages.delivered('card', 1, '1.1', madeAt)
      await store.messages.put(message({ id: 'never posted' }), madeAt)
      expect(await store.messages.standing([])).toEqual([])
      expect(await store.messages.standing(['card', 'never posted', 'unknown'])).toEqual([
        { id: 'card', channel: message().channel, ts: '1.1' },
      ])
      // It was posted again since.
      await store.messages.lost('card', '1.0')
      expect(await store.messages.standing(['card'])).toMatchObject([{ ts: '1.1' }])
      await store.messages.lost('card', '1.1')
      expect(await store.messages.pending()).toMatchObject([{ id: 'card', ts: null }, { id: 'never posted' }])
      expect(await store.messages.standing(['card'])).toEqual([])
    })

    it('takes the place where a message was seen for its own, where it has none', async () => {
      await store.messages.put(message(), madeAt)
      const { channel } = message()
      expect(await store.messages.seenAt('card', 'C0ELSEWHERE', '1.1')).toBeNull()
      expect(await store.messages.seenAt('unknown', channel, '1.1')).toBeNull()
      expect(await store.messages.standing(['card'])).toEqual([])
      expect(await store.messages.seenAt('card', channel, '1.1')).toBe('1.1')
      expect(await store.messages.pending()).toMatchObject([{ id: 'card', ts: '1.1' }])
      expect(await store.messages.seenAt('card', channel, '1.2')).toBe('1.1')
      // The post that was under way meanwhile.
      expect(await store.messages.delivered('card', 1, '1.3', madeAt)).toBe('1.1')
      expect(await store.messages.delivered('card', 1, '1.3', madeAt)).toBeNull()
      expect(await store.messages.seenAt('card', channel, '1.1')).toBe('1.3')
    })

    it('is posted by the one who was first to say so, and by nobody where it stands', async () => {
      await store.messages.put(message(), madeAt)
      await store.messages.put(message({ id: 'seen' }), madeAt)
      await store.messages.put(message({ id: 'other' }), madeAt)
      expect(await store.messages.posting('card', 0, madeAt + 7)).toBe(true)
      expect(await store.messages.posting('card', 0, madeAt + 8)).toBe(false)
      expect(await store.messages.pending()).toMatchObject([
        { id: 'card', notBefore: madeAt + 7, lastError: 'posting' },
        { id: 'seen', notBefore: 0, lastError: null },
        { id: 'other', notBefore: 0, lastError: null },
      ])
      expect(await store.messages.posting('card', madeAt + 7, madeAt + 9)).toBe(true)
      await store.messages.seenAt('seen', message().channel, '1.1')
      expect(await store.messages.posting('seen', 0, madeAt + 7)).toBe(false)
    })

    it('is left to who posts it, until it must have come', async () => {
      const { messages } = store
      const until = madeAt + 7000
      await messages.put(message(), madeAt)
      expect(await messages.isWaiting('card')).toBe(true)
      expect(await messages.posting('card', 0, until)).toBe(true)
      expect(await messages.isWaiting('card')).toBe(false)
      const isTheirs = { notBefore: until, attempts: 0, lastError: 'posting' }
      // Its words change; and one hears late that it failed what the other one tries again.
      await messages.put(message({ text: 'two' }), madeAt)
      await messages.failed('card', 0, madeAt + 500, 'unreachable')
      expect(await messages.pending()).toMatchObject([isTheirs])
      await messages.failed('card', until, until + 500, 'unreachable')
      expect(await messages.pending()).toMatchObject([
        { notBefore: until + 500, attempts: 1, lastError: 'unreachable' },
      ])
      expect(await messages.isWaiting('card')).toBe(true)
      // Nobody posts it now, so what is new goes at once; and so where it stands.
      await messages.put(message({ text: 'three' }), madeAt)
      expect(await messages.pending()).toMatchObject([{ notBefore: 0 }])
      await messages.posting('card', 0, until)
      await messages.seenAt('card', message().channel, 'ts1')
      await messages.put(message({ text: 'four' }), madeAt)
      expect(await messages.pending()).toMatchObject([{ ts: 'ts1', notBefore: 0, lastError: 'posting' }])
      expect(await messages.isWaiting('card')).toBe(false)
      await messages.failed('card', until, madeAt + 500, 'ratelimited')
      expect(await messages.pending()).toMatchObject([{ notBefore: madeAt + 500, attempts: 2 }])
    })

    it('counts the attempts', async () => {
      await store.messages.put(message(), madeAt)
      await store.messages.failed('card', 0, madeAt + 500, 'ratelimited')
      expect(await store.messages.pending()).toMatchObject([{ attempts: 1, notBefore: madeAt + 500 }])
    })
  })

  describe('incidents', () => {
    it('lists the open ones and the recently resolved', async () => {
      const incident = incidentOf({ id: 'i1', openedAt: madeAt })
      await store.incidents.put(incident)
      await store.incidents.put({ ...incident, id: 'i2', openedAt: madeAt + 1, resolvedAt: madeAt + 50 })
      expect(await store.incidents.get('i1')).toEqual(incident)
      expect((await store.incidents.recent('orders', madeAt + 49)).map(({ id }) => id)).toEqual(['i1', 'i2'])
      expect((await store.incidents.recent('orders', madeAt + 50)).map(({ id }) => id)).toEqual(['i1'])
      expect((await store.incidents.open('orders')).map(({ id }) => id)).toEqual(['i1'])
      expect(await store.incidents.recent('other', 0)).toEqual([])
      expect(await store.incidents.open('other')).toEqual([])
      expect((await store.incidents.openOutside(['other'])).map(({ id }) => id)).toEqual(['i1'])
      expect(await store.incidents.openOutside(['orders', 'other'])).toEqual([])
      const { id, cluster, cardId, key } = incident
      expect(await store.incidents.openWithKey(key)).toEqual([{ id, cluster, cardId }])
      expect(await store.incidents.openWithKey('another')).toEqual([])
    })

    it('are found by the beginning of their id or of a card of theirs, and the newest first', async () => {
      const at = (id: string, openedAt: number, over: Partial<Incident> = {}) =>
        store.incidents.put(incidentOf({ id, cardId: id, openedAt, ...over }))
      await at('aaaa1111-0000-4000-8000-000000000001', 1)
      await at('aaaa2222-0000-4000-8000-000000000002', 3, { cluster: 'billing' })
      await at('bbbb0000-0000-4000-8000-000000000003', 2, { cardId: 'cccc0000-0000-4000-8000-000000000004' })
      await at('dddd0000-0000-4000-8000-000000000005', 4, {
        digestId: 'cccc0000-0000-4000-8000-000000000004',
      })
      const like = async (beginning: string) =>
        (await store.incidents.like(beginning)).map(({ id }) => id.slice(0, 8))
      expect(await like('aaaa')).toEqual(['aaaa1111', 'aaaa2222'])
      expect(await like('aaaa1111-0000-4000-8000-000000000001')).toEqual(['aaaa1111'])
      expect(await like('cccc0000')).toEqual(['bbbb0000', 'dddd0000'])
      // Neither a pattern nor what any id begins with.
      for (const none of ['', 'a', 'aaa', '%aaa', 'aaa_', 'AAAA', "aaaa' OR 1=1 --", '0000'])
        expect(await like(none)).toEqual([])
      const latest = async (clusters: readonly string[] | null, limit = 9) =>
        (await store.incidents.latest(clusters, limit)).map(({ openedAt }) => openedAt)
      expect(await latest(null)).toEqual([4, 3, 2, 1])
      expect(await latest(['orders'])).toEqual([4, 2, 1])
      expect(await latest(['orders', 'billing'], 2)).toEqual([4, 3])
      expect(await latest([])).toEqual([])
    })
  })
})
