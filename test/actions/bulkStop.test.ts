import { expect, it } from 'vitest'
import { createExecute } from '../../src/actions/execute.ts'
import type { Session } from '../../src/domain/session/session.ts'
import { createLog } from '../../src/log.ts'
import { createCards } from '../../src/notify/cards.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import { idle, picture } from '../support/builders.ts'
import { madeAt, proposal } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const config = clusterConfig('orders')
const listed = [1, 2, 3, 4].map((pid) => idle(pid, 600))

/** Carries out a list of four; what `over` says holds once this many have got their signal. */
async function carriedOut(after: number, over: { readonly isStopping?: boolean; readonly lateMs?: number }) {
  const store = await openTestStore()
  try {
    let commits = 0
    const cards = createCards({
      store,
      cardSettings: new Map([['orders', config]]),
      nameOf: () => null,
      now: () => madeAt,
      changed: () => {},
      recorded: () => {},
    })
    const members = listed.map((session) => ({ session, victims: [], pooled: false }))
    const bulk = { members, leftOut: [], chosenBy: '--app web' }
    const claimed = proposal<'claimed'>({ state: 'claimed', claimedBy: 'first', bulk }, listed[0])
    await store.proposals.add(claimed)
    const signalled: number[] = []
    const there = (): Session[] => listed.filter(({ pid }) => !signalled.includes(pid))
    const cluster = pictureCluster(picture(listed), [], {
      isOwn: () => false,
      look: async () => there(),
      signalBefore: async () => '2026-03-01 03:00:05+00',
      snapshot: async () => picture(there()).snapshot,
      signal: async ({ key }) => {
        signalled.push(key.pid)
        return { kind: 'sent', returned: true, sql: 'SELECT' }
      },
    })
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
