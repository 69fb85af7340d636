import { afterAll, beforeAll, expect, it } from 'vitest'
import { replicaRound } from '../support/replicaChaos.ts'
import { type Ground, openGround } from '../support/replicas.ts'

let ground: Ground

beforeAll(async () => {
  ground = await openGround()
}, 60_000)
afterAll(() => ground.stop())

// `npm run chaos -- --replicas 3` does many more.
it.each([1, 2, 3])(
  'three replicas on one store keep their promises while everything around them breaks (seed %i)',
  async (seed) => {
    const { outcomes } = await replicaRound(ground, seed)
    expect(outcomes.length).toBeGreaterThanOrEqual(3)
  },
  120_000,
)
