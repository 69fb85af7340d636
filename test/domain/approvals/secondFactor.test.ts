import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openSecret } from '../../../src/actions/authenticator.ts'
import {
  type CodeMemory,
  freshMemory,
  judgeCode,
  lockedUntil,
  lockMs,
  mostWrong,
  readCode,
  stepMs,
} from '../../../src/domain/approvals/secondFactor.ts'

const start = 56_666_666
const at = (step: number, ms = 0) => step * stepMs + ms
const codeAt = (step: number) => String(step % 1_000_000).padStart(6, '0')
const judge = (memory: CodeMemory, code: string, now = at(start)) => judgeCode(memory, code, codeAt, now)

describe('a code', () => {
  it.each([-1, 0, 1])(
    'of %i steps away is right, in the first and the last millisecond of a step',
    (away) => {
      for (const ms of [0, stepMs - 1])
        expect(judge(freshMemory, codeAt(start + away), at(start, ms))).toEqual({
          kind: 'right',
          next: { lastStep: start + away, wrong: 0, lockedUntil: null },
        })
    },
  )

  it.each([-2, 2])('of %i steps away is wrong', (away) => {
    expect(judge(freshMemory, codeAt(start + away))).toMatchObject({ kind: 'wrong', left: mostWrong - 1 })
  })

  it('is no code before there is time, and none of a step below 0', () => {
    const asked: number[] = []
    const codeAt = (step: number) => String(asked.push(step))
    judgeCode(freshMemory, '999999', codeAt, 0)
    expect(asked).toEqual([0, 1])
  })

  it.each([0, 1])('counts no more when one of %i steps later did', (later) => {
    const memory = { ...freshMemory, lastStep: start + later }
    expect(judge(memory, codeAt(start))).toEqual({ kind: 'used' })
    expect(judge(memory, codeAt(start + later + 1), at(start + later))).toMatchObject({ kind: 'right' })
  })

  it('that stands for two steps is used up for both', () => {
    const same = () => '123456'
    const verdict = judgeCode(freshMemory, '123456', same, at(start))
    expect(verdict).toMatchObject({ kind: 'right', next: { lastStep: start + 1 } })
  })

  it('that is used or right leaves nothing of the wrong ones, or all of them', () => {
    const memory = { lastStep: start - 1, wrong: 3, lockedUntil: null }
    expect(judge(memory, codeAt(start - 1))).toEqual({ kind: 'used' })
    expect(judge(memory, codeAt(start))).toMatchObject({ next: { wrong: 0 } })
  })
})

describe('wrong codes', () => {
  const wrongOnes = (count: number) => {
    let memory: CodeMemory = { ...freshMemory, lastStep: 7 }
    for (let n = 1; n <= count; n++) {
      const verdict = judge(memory, 'no')
      if (verdict.kind !== 'wrong') throw new Error(verdict.kind)
      expect(verdict.left).toBe(mostWrong - n)
      memory = verdict.next
    }
    return memory
  }

  it('lock after the fifth, for fifteen minutes to the millisecond', () => {
    expect(wrongOnes(4)).toEqual({ lastStep: 7, wrong: 4, lockedUntil: null })
    const memory = wrongOnes(5)
    const until = at(start) + lockMs
    expect(memory).toEqual({ lastStep: 7, wrong: 5, lockedUntil: until })
    expect(lockMs).toBe(900_000)
    expect(judge(memory, codeAt(start))).toEqual({ kind: 'locked', until })
    const end = Math.floor(until / stepMs)
    expect(judge(memory, codeAt(end), until - 1)).toEqual({ kind: 'locked', until })
    expect(judge(memory, codeAt(end), until)).toMatchObject({ kind: 'right', next: { lockedUntil: null } })
    expect(lockedUntil(memory, until - 1)).toBe(until)
    expect(lockedUntil(memory, until)).toBe(null)
  })

  it('are counted from one again when a lock is over', () => {
    const memory = wrongOnes(5)
    expect(judge(memory, 'no', at(start) + lockMs)).toMatchObject({
      left: mostWrong - 1,
      next: { wrong: 1, lockedUntil: null },
    })
  })
})

it('in any order of codes and clock steps no step counts twice, and no more than five wrong ones in fifteen minutes', () => {
  const event = fc.record({
    wait: fc.oneof(fc.integer({ min: -3 * stepMs, max: 3 * stepMs }), fc.constant(lockMs)),
    away: fc.integer({ min: -3, max: 3 }),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let memory: CodeMemory = freshMemory
      let now = at(start)
      const counted = new Set<number>()
      let sinceLock = 0
      for (const { wait, away } of events) {
        now += wait
        const step = Math.floor(now / stepMs) + away
        const verdict = judge(memory, codeAt(step), now)
        if (verdict.kind === 'locked') {
          expect(memory.wrong).toBe(mostWrong)
          expect(now).toBeLessThan(verdict.until)
          continue
        }
        if (verdict.kind === 'used') {
          expect(step).toBeLessThanOrEqual(memory.lastStep ?? -1)
          continue
        }
        if (verdict.kind === 'right') {
          expect(Math.abs(away)).toBeLessThanOrEqual(1)
          expect(counted.has(step)).toBe(false)
          expect(step).toBeGreaterThan(Math.max(-1, ...counted))
          counted.add(step)
          sinceLock = 0
        } else {
          expect(Math.abs(away)).toBeGreaterThan(1)
          sinceLock = memory.lockedUntil === null ? sinceLock + 1 : 1
          expect(verdict.left).toBe(mostWrong - sinceLock)
          expect(verdict.next.lockedUntil).toBe(sinceLock === mostWrong ? now + lockMs : null)
        }
        memory = verdict.next
      }
    }),
  )
})

it.each([
  ['123456', '123456'],
  [' 123 456 ', '123456'],
  ['012-345', '012345'],
  ['12345', null],
  ['1234567', null],
  ['12345a', null],
  ['１２３４５６', null],
  ['', null],
])('reads %o as %o', (typed, code) => {
  expect(readCode(typed)).toBe(code)
})

/** https://www.rfc-editor.org/rfc/rfc6238#appendix-B, the last six of eight digits. */
it.each([
  [59, '287082'],
  [1111111109, '081804'],
  [1111111111, '050471'],
  [1234567890, '005924'],
  [2000000000, '279037'],
  [20000000000, '353130'],
])('knows the vector of RFC 6238 at second %i', (seconds, code) => {
  const { codeAt } = openSecret('U0DANA', new TextEncoder().encode('12345678901234567890'))
  expect(judgeCode(freshMemory, code, codeAt, seconds * 1000)).toMatchObject({
    kind: 'right',
    next: { lastStep: Math.floor(seconds / 30) },
  })
})
