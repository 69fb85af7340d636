import fc from 'fast-check'
import { expect, it } from 'vitest'
import { pidsIn } from '../../../src/domain/text/pids.ts'

it.each<[string, number[]]>([
  ['process 12345 still waiting for ShareLock on transaction 6789 after 1000.123 ms', [12345, 6789]],
  ['2026-11-28 14:32:05.123 UTC [4312] LOG:  duration: 100,200 ms', [4312]],
  ['terminate checkout (13624). Frees 17.', [13624, 17]],
  ['pid=7, PID: 8 and pid 4312', [7, 8, 4312]],
  ['10.0.0.12:5432 v18 x86_64 12345ms $12 #99 12/34', [99]],
  ['<@U0123456> <#C12345|x> <https://x.example/p4321|1234> <!date^1392734382^{time}|x> 55', [55]],
  ['273 ms, 30\u00a0min, 97 %, 16 GB, 45 s; 44 sessions', [44]],
  ['12345678 0 00 5', []],
  ['4312, 4313; 4312 and 4314: all wait', [4312, 4313, 4314]],
  ['', []],
])('finds the PIDs in %j', (text, pids) => {
  expect(pidsIn(text)).toEqual(pids)
})

it('finds a PID between any words, each once, and never too many', () => {
  const pid = fc.integer({ min: 10, max: 4_194_304 })
  fc.assert(
    fc.property(
      fc.array(pid, { maxLength: 60 }),
      fc.constantFrom(' ', ', ', ' waits for ', ') (', '\n'),
      (pids, gap) => {
        expect(pidsIn(`(${pids.join(gap)})`)).toEqual([...new Set(pids)].slice(0, 30))
      },
    ),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      for (const one of pidsIn(text)) expect(text).toContain(String(one))
    }),
  )
})
