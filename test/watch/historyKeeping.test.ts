import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/log.ts'
import { StoreError } from '../../src/store/failure.ts'
import type { Store } from '../../src/store/store.ts'
import { createHistoryKeeping } from '../../src/watch/historyKeeping.ts'

const start = Date.UTC(2026, 2, 1)
const dayMs = 86_400_000

describe('the limits of the record', () => {
  const keepingOn = (
    history: Partial<Store['history']>,
    over: { mostBytes?: number; now?: () => number } = {},
  ) => {
    const said: string[] = []
    const log = createLog({ level: 'info', destination: { write: (line) => void said.push(line) } })
    const keeping = createHistoryKeeping({
      history: {
        prune: async () => {},
        shrink: async () => 0,
        extent: async () => ({ bytes: 7, oldestAt: start }),
        ...history,
      },
      keepMs: 2 * dayMs,
      mostBytes: 5_000_000,
      now: () => start,
      ...over,
      log,
    })
    return { keeping, said }
  }

  it('remove what is older than it is kept, and say at most once a day that there is too much', async () => {
    const pruned: number[] = []
    let now = start
    const { keeping, said } = keepingOn(
      { prune: async (before) => void pruned.push(before), shrink: async () => 3 },
      { now: () => now },
    )
    expect(keeping.extent()).toBeNull()
    await keeping.run()
    now += dayMs - 1
    await keeping.run()
    expect(pruned).toEqual([start - 2 * dayMs, now - 2 * dayMs])
    expect(said).toHaveLength(1)
    expect(said[0]).toContain('history.most')
    expect(said[0]).toContain(new Date(start).toISOString())
    now += 1
    await keeping.run()
    expect(said).toHaveLength(2)
    expect(keeping.extent()).toEqual({ bytes: 7, oldestAt: start })
  })

  it('say nothing where all has room', async () => {
    const { keeping, said } = keepingOn({})
    await keeping.run()
    expect(said).toEqual([])
    expect(keeping.failure()).toBeNull()
  })

  it('drop everything where nothing is kept any more', async () => {
    const pruned: number[] = []
    const keeping = createHistoryKeeping({
      history: {
        prune: async (before) => void pruned.push(before),
        shrink: async () => 0,
        extent: async () => ({ bytes: 0, oldestAt: null }),
      },
      ...{ keepMs: null, mostBytes: 1, now: () => start, log: createLog({ level: 'silent' }) },
    })
    await keeping.run()
    expect(pruned).toEqual([start])
  })

  it('say once that the store fails, and that it works again', async () => {
    let isBroken = true
    const { keeping, said } = keepingOn({
      prune: async () => {
        if (isBroken) throw new StoreError('its disk is full', null)
      },
    })
    await keeping.run()
    await keeping.run()
    expect(keeping.failure()).toBe('its disk is full')
    expect(said).toHaveLength(1)
    isBroken = false
    await keeping.run()
    expect(keeping.failure()).toBeNull()
    expect(said).toHaveLength(2)
  })
})
