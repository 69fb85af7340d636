import { describe, expect, it } from 'vitest'
import { createPace } from '../../src/watch/pace.ts'

describe('pace', () => {
  let wall = 0
  let steady = 0
  const pass = (ms: number, set = 0) => {
    steady += ms
    wall += ms + set
  }
  const start = () => createPace({ everyMs: 5_000, now: () => wall, steady: () => steady })

  it('says nothing while rounds follow each other', () => {
    const pace = start()
    for (let round = 0; round < 5; round++) {
      expect(pace.begin()).toBeNull()
      pass(100)
      expect(pace.end()).toBeNull()
      pass(4_900)
    }
  })

  it('reports a clock that was set, either way', () => {
    const pace = start()
    pace.begin()
    pass(5_000, 3_600_000)
    expect(pace.begin()).toBe(
      'The clock was set forward by 1 h, or the machine slept for so long. Watching goes on now.',
    )
    pass(5_000, -120_000)
    expect(pace.begin()).toBe('The clock was set back by 2 min. Watching goes on now.')
    pass(5_000)
    expect(pace.begin()).toBeNull()
  })

  it('reports that it stood still', () => {
    const pace = start()
    pace.begin()
    pass(90_000)
    expect(pace.begin()).toBe('Monitoring was paused for 1 min 30 s. It goes on now.')
    // Half a minute that begins right after a look, and a look that is merely slow.
    pass(30_000)
    expect(pace.begin()).toBe('Monitoring was paused for 30 s. It goes on now.')
    pass(20_000)
    expect(pace.begin()).toBeNull()
  })

  it('reports looks that take longer than their interval, when it is not a single one', () => {
    const pace = start()
    const look = (ms: number) => {
      pace.begin()
      pass(ms)
      return pace.end()
    }
    expect([look(6_000), look(6_000)]).toEqual([null, null])
    expect(look(6_000)).toBe('one look takes 6 s, longer than the 5 s between two.')
    expect(look(7_000)).toMatch(/takes 7 s/)
    expect(look(100)).toBeNull()
  })
})
