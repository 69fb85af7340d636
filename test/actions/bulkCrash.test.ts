import { expect, it } from 'vitest'
import { createExecute } from '../../src/actions/execute.ts'
import { reconcile } from '../../src/actions/reconcile.ts'
import { createLog } from '../../src/log.ts'
import type { Cards } from '../../src/notify/cards.ts'
import { clusterConfig, watching } from '../support/asking.ts'
import { idle } from '../support/builders.ts'
import { cardsOf } from '../support/cards.ts'
import { obeying } from '../support/obeying.ts'
import { bulkProposal, madeAt } from '../support/proposals.ts'
import { openTestStore } from '../support/store.ts'

const log = createLog({ level: 'silent' })
const config = clusterConfig('orders')
const listed = [1, 2, 3].map((pid) => idle(pid, 600))

/**
 * Carries out a list of three in a process that is killed at its step `fatal`, before or after that step has its effect, and
 * ends it from another process.
 */
async function killedAt(fatal: number, hasEffect: boolean) {
  const store = await openTestStore()
  try {
    const cards = cardsOf(store)
    const claimed = bulkProposal<'claimed'>(listed, {
      state: 'claimed',
      claimedAt: madeAt,
      claimedBy: 'first',
    })
    await store.proposals.add(claimed)
    let steps = 0
    const { promise: killed, resolve: kill } = Promise.withResolvers<'killed'>()
    const step = async <T>(run: () => Promise<T>): Promise<T> => {
      if (++steps !== fatal) return run()
      if (hasEffect) await run()
      kill('killed')
      return new Promise<T>(() => {})
    }
    const { cluster, signalled } = obeying(listed, step)
    const clusters = watching({ config, cluster })
    const mortal: Cards = { ...cards, commit: (cardId, run) => step(() => cards.commit(cardId, run)) }
    const running = createExecute({ cards: mortal, clusters, steady: () => 0, isStopping: () => false, log })(
      claimed,
    )
    const ending = await Promise.race([running.then(() => 'done' as const), killed])
    await reconcile({ cards, proposals: store.proposals, clusters, isGone: () => true, now: () => madeAt })
    const after = await store.proposals.get(claimed.id)
    const events = (await store.journal.ofCards([claimed.cardId], 100)).map(({ event }) => event)
    return { ending, steps, signalled, after, events }
  } finally {
    await store.close()
  }
}

it('a list whose process is killed at any step is known but for one, and nobody is signalled twice', async () => {
  const whole = await killedAt(0, false)
  expect(whole.ending).toBe('done')
  expect(whole.signalled).toEqual([1, 2, 3])
  for (let fatal = 1; fatal <= whole.steps; fatal++)
    for (const hasEffect of [false, true]) {
      const { ending, signalled, after, events } = await killedAt(fatal, hasEffect)
      expect(ending).toBe('killed')
      expect(after?.state).toBe('done')
      const kinds = after?.bulk?.members.map(({ outcome }) => outcome?.kind) ?? []
      const of = (kind: string) => kinds.filter((one) => one === kind).length
      expect(of('effective') + of('unknown') + of('notSent')).toBe(3)
      expect(of('unknown')).toBeLessThanOrEqual(1)
      expect(new Set(signalled).size).toBe(signalled.length)
      // Whoever got a signal is known to have it, or of unknown outcome; nobody else is said to be gone.
      for (const [index, kind] of kinds.entries()) {
        if (kind === 'effective') expect(signalled).toContain(index + 1)
        if (kind === 'notSent') expect(signalled).not.toContain(index + 1)
      }
      expect(events.filter(({ kind }) => kind === 'bulkDone')).toHaveLength(1)
      expect(events.filter(({ kind }) => kind === 'outcome')).toHaveLength(3)
      for (const pid of signalled)
        expect(
          events.filter((event) => event.kind === 'intended' && event.session.pid === pid),
          `intent of ${pid}`,
        ).toHaveLength(1)
    }
}, 60_000)
