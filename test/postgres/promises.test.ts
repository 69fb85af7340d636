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

const add = 'UPDATE parent SET v = v + 1 WHERE id = 1'

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

/** Jams that were made again by hand, each from a seed: the sessions' statements in order. */
const written = {
  'a queue for one row': ['1 BEGIN', `1 ${add}`, '2 BEGIN', `2 ${add}`, '3 BEGIN', `3 ${add}`],
  'an advisory lock that several may share': [
    '1 SELECT pg_advisory_lock(1)',
    '2 SELECT pg_advisory_lock_shared(1)',
    '3 SELECT pg_advisory_xact_lock_shared(1)',
  ],
}

test.each(Object.entries(written))('%s: as promised', async (_, lines) => {
  const steps = lines.map((line) => ({ session: Number(line[0]) - 1, sql: line.slice(2) }))
  const verdict = await rounds.replay(steps, 0)
  expect(verdict?.seen).toHaveLength(2)
  expect(verdict?.broken).toEqual([])
})
