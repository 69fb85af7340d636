import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createClock } from '../src/clock.ts'

const hour = 3_600_000

/** Reads the clock of a server that is `ahead` of ours; the server looks at its own after `askMs`, and we hear of it `tellMs` later. */
function read() {
  let own = 1_000_000_000
  const clock = createClock(() => own)
  return {
    clock,
    own: () => own,
    async reading({ ahead, askMs, tellMs }: { ahead: number; askMs: number; tellMs: number }) {
      await clock.following(async () => {
        own += askMs
        const storeNow = own + ahead
        own += tellMs
        return { storeNow }
      })
      return Math.abs(clock.now() - (own + ahead))
    },
  }
}

it('goes by its own until it has read another one, and for ever where there is none', async () => {
  const { clock, own } = read()
  expect(clock.now()).toBe(own())
  await clock.following(async () => ({ storeNow: null }))
  expect(clock.now()).toBe(own())
})

it('is never further off than its last reading took, from the first one on, however slow', async () => {
  const slow = fc.record({
    ahead: fc.integer({ min: -3 * hour, max: 3 * hour }),
    askMs: fc.nat(20_000),
    tellMs: fc.nat(20_000),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(slow, { minLength: 1, maxLength: 5 }), async (readings) => {
      const { reading } = read()
      for (const one of readings) expect(await reading(one)).toBeLessThanOrEqual(one.askMs + one.tellMs + 1)
    }),
  )
})

it('keeps what a quick reading said while slow ones do not contradict it', async () => {
  const { reading } = read()
  expect(await reading({ ahead: hour, askMs: 0, tellMs: 0 })).toBe(0)
  expect(await reading({ ahead: hour, askMs: 5000, tellMs: 20 })).toBe(0)
  expect(await reading({ ahead: hour, askMs: 20, tellMs: 5000 })).toBe(0)
})

it('does not trust a reading during which its own clock was set back', async () => {
  const { clock, own, reading } = read()
  await reading({ ahead: hour, askMs: 2, tellMs: 2 })
  await reading({ ahead: hour, askMs: 2, tellMs: -hour })
  expect(clock.now() - own()).toBe(hour)
})
