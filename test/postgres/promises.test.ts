import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeRound, openRounds, type Rounds, tableOf } from '../support/promises/rounds.ts'

/**
 * Random jams, the way out that is recommended, and what was promised against what happens. One of them again:
 * PG_MARSHAL_SEED=17; many more: `npm run promises`.
 */
const seed = Number(process.env.PG_MARSHAL_SEED ?? 1)
const count = process.env.PG_MARSHAL_SEED ? 1 : 100

/** Whose next wait no lock of theirs tells: rows that several hold, and what waits for one transaction after the other. */
const mayGoOnWaiting = new Set([
  'a row, in its queue',
  'a row, at its head',
  'a row, for a foreign key',
  'a key that comes twice',
  'a command CONCURRENTLY',
  'a new slot',
  'a safe snapshot',
])

let rounds: Rounds

beforeAll(async () => {
  rounds = await openRounds(3)
})
afterAll(() => rounds?.close())

test('who waits for a relation or an advisory lock goes on as promised, and little is hedged away', async () => {
  const isNews = ({ broken }: { broken: readonly { kind: string }[] }) =>
    broken.some(({ kind }) => !mayGoOnWaiting.has(kind))
  const played = await rounds.play(count, seed, isNews)
  const table = tableOf(played)
  expect(played.filter(isNews).map(describeRound)).toEqual([])
  if (count === 1) return
  const all = table.at(-1)
  expect(table.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['relation', 'advisory', ...mayGoOnWaiting]),
  )
  expect(all?.hedged, JSON.stringify(table)).toBeLessThanOrEqual(0.05 * (all?.atOnce ?? 0))
})
