import { expect, it } from 'vitest'
import { createExecute } from '../../src/actions/execute.ts'
import { createLog } from '../../src/log.ts'
import { clusterConfig, watching } from '../support/asking.ts'
import { idle } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { obeying } from '../support/obeying.ts'
import { bulkProposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const config = clusterConfig('orders')
const listed = [1, 2, 3, 4].map((pid) => idle(pid, 600))

/** Carries out a list of four; what `over` says holds once this many have got their signal. */
async function carriedOut(after: number, over: { readonly isStopping?: boolean; readonly lateMs?: number }) {
  const store = await openTestStore()
  try {
    let commits = 0
    const cards = cardsOf(store)
    const claimed = bulkProposal<'claimed'>(listed, { state: 'claimed', claimedBy: 'first' })
    await store.proposals.add(claimed)
    const { cluster, signalled } = obeying(listed)
    const holds = () => signalled.length >= after
    let started = false
    const execute = createExecute({
      cards: {
        ...cards,
        commit(cardId, run) {
          commits++
          return cards.commit(cardId, run)
        },
      },
      clusters: watching({ config, cluster }),
      steady() {
        const isStart = !started
        started = true
        return holds() && !isStart ? (over.lateMs ?? 0) : 0
      },
      isStopping: () => holds() && (over.isStopping ?? false),
      log: createLog({ level: 'silent' }),
    })
    const done = await execute(claimed)
    const events = (await store.journal.ofCards([claimed.cardId], 100)).map(({ event }) => event.kind)
    const outcomes = (await store.proposals.get(claimed.id))?.bulk?.members.map(({ outcome }) => outcome)
    return { state: done.state, signalled, commits, events, outcomes }
  } finally {
    await store.close()
  }
}

it.each([
  ['the process is to end', { isStopping: true }, 'pg-marshal was stopping.'],
  ['five minutes have passed', { lateMs: 300_001 }, 'more than five minutes had passed since the approval.'],
])('when %s, the rest of a list gets no signal, and nothing is left claimed', async (_, over, why) => {
  for (const after of [0, 1, 3]) {
    const { state, signalled, commits, events, outcomes = [] } = await carriedOut(after, over)
    expect(state).toBe('done')
    expect(signalled).toEqual([1, 2, 3, 4].slice(0, after))
    expect(outcomes.slice(0, after).map((outcome) => outcome?.kind)).toEqual(Array(after).fill('effective'))
    expect(outcomes.slice(after)).toEqual(Array(4 - after).fill({ kind: 'notSent', why }))
    expect(events.filter((kind) => kind === 'outcome')).toHaveLength(4)
    expect(events.filter((kind) => kind === 'bulkDone')).toHaveLength(1)
    // Two for each signal, and one for all that is left, so that a long list does not keep the process.
    expect(commits).toBe(2 * after + 1)
  }
})

it('what takes five minutes and no more is carried out', async () => {
  expect((await carriedOut(1, { lateMs: 300_000 })).signalled).toEqual([1, 2, 3, 4])
})

it('between two signals there is a gap, so that an application connects again one session after the other', async () => {
  const store = await openTestStore()
  try {
    const claimed = bulkProposal<'claimed'>(listed, { state: 'claimed', claimedAt: 0, claimedBy: 'first' })
    await store.proposals.add(claimed)
    const { cluster } = obeying(listed)
    const execute = createExecute({
      ...{ cards: cardsOf(store), clusters: watching({ config, cluster }), steady: () => performance.now() },
      ...{ isStopping: () => false, log: createLog({ level: 'silent' }) },
    })
    const begun = (await execute(claimed)).bulk?.members.map(({ begunAt = 0 }) => begunAt) ?? []
    const gaps = begun.slice(1).map((at, index) => at - (begun[index] ?? at))
    expect(gaps).toHaveLength(3)
    expect(Math.min(...gaps)).toBeGreaterThan(45)
  } finally {
    await store.close()
  }
})

it.each([
  ['claimed', 'another'],
  ['done', 'first'],
] as const)(
  'where it is by now %s, by %s, nobody gets a signal, and that stays',
  async (state, claimedBy) => {
    const store = await openTestStore()
    try {
      const claimed = bulkProposal<'claimed'>(listed, { state: 'claimed', claimedBy: 'first' })
      const stored = { ...claimed, state, claimedBy }
      await store.proposals.add(stored)
      const { cluster, signalled } = obeying(listed)
      const execute = createExecute({
        ...{ cards: cardsOf(store), clusters: watching({ config, cluster }), steady: () => 0 },
        ...{ isStopping: () => false, log: createLog({ level: 'silent' }) },
      })
      expect(await execute(claimed)).toMatchObject({ state, claimedBy })
      expect(signalled).toEqual([])
      const events = await store.journal.ofCards([claimed.cardId], 100)
      expect(events).toEqual([])
    } finally {
      await store.close()
    }
  },
)

it('a list whose cluster is not configured any more ends without a signal', async () => {
  const store = await openTestStore()
  try {
    const claimed = bulkProposal<'claimed'>(listed.slice(0, 2), { state: 'claimed', claimedBy: 'first' })
    await store.proposals.add(claimed)
    const execute = createExecute({
      ...{ cards: cardsOf(store), clusters: watching(), steady: () => 0 },
      ...{ isStopping: () => false, log: createLog({ level: 'silent' }) },
    })
    const { state, bulk } = await execute(claimed)
    expect(state).toBe('done')
    const unreachable = { kind: 'unreachable', why: 'this cluster is not configured any more.' }
    expect(bulk?.members.map(({ outcome }) => outcome)).toEqual([unreachable, unreachable])
  } finally {
    await store.close()
  }
})
