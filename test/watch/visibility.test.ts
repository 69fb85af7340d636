import { beforeEach, expect, it } from 'vitest'
import { createVisibility, type Loss } from '../../src/watch/visibility.ts'

let time: number
let reported: number | null
let told: string[]

beforeEach(() => {
  time = 1_000_000
  reported = null
  told = []
})

const visibility = () =>
  createVisibility<Loss, number>({
    now: () => time,
    current: async () => reported,
    lost: async (since) => {
      reported = since
      told.push('blind')
    },
    goesOn: async () => {},
    back: async () => {
      reported = null
      told.push('seesAgain')
    },
  })
const refused: Loss = { reason: 'Nothing listens there.', retryable: true, isInterruption: false }
const ended: Loss = { reason: 'It was ended.', retryable: true, isInterruption: true }

it('reports a refusal at once, and a connection that ended only when it does not come back', async () => {
  const { lost, back } = visibility()
  await lost(ended)
  time += 2_000
  await lost(ended)
  await back()
  expect(told).toEqual([])
  await lost(refused)
  expect(told).toEqual(['blind'])
  await back()
  expect(told).toEqual(['blind', 'seesAgain'])
})

it('dates the report from the first look that failed', async () => {
  const { lost } = visibility()
  await lost(ended)
  time += 3_000
  await lost(ended)
  expect(reported).toBe(1_000_000)
})

it('reports a server that flaps once, and again when it stays away or is lost much later', async () => {
  const { lost, back } = visibility()
  await lost(refused)
  await back()
  for (let flap = 0; flap < 5; flap++) {
    time += 4_000
    await lost(refused)
    time += 4_000
    await lost(refused)
    await back()
  }
  expect(told).toEqual(['blind', 'seesAgain'])
  await lost(refused)
  time += 10_000
  await lost(refused)
  await back()
  expect(told).toEqual(['blind', 'seesAgain', 'blind', 'seesAgain'])
  time += 60_000
  await lost(refused)
  expect(told).toHaveLength(5)
})
