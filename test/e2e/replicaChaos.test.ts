import { afterAll, beforeAll, expect, it } from 'vitest'
import { replicaRound } from '../support/replicaChaos.ts'
import { type Ground, openGround } from '../support/replicas.ts'
import { noVersionBefore } from '../support/versionBefore.ts'

/** Longer than any wait of a round, so that one which fails can say why. */
const patienceMs = 300_000
let ground: Ground

beforeAll(async () => {
  ground = await openGround()
}, 60_000)
afterAll(() => ground.stop())

// `npm run chaos -- --replicas 3` does many more.
it.each([2, 3])(
  'three replicas on one store keep their promises while everything around them breaks (seed %i)',
  async (seed) => {
    const { outcomes } = await replicaRound(ground, seed)
    expect(outcomes.length).toBeGreaterThanOrEqual(3)
  },
  patienceMs,
)

it(
  '… and while the version before is replaced, one replica after the other (seed 1)',
  async ({ skip }) => {
    if (ground.before === null) skip(noVersionBefore)
    const { outcomes, plan } = await replicaRound(ground, 1)
    expect(outcomes.length).toBeGreaterThanOrEqual(3)
    expect(plan.steps.filter(({ kind }) => kind === 'upgrade')).toHaveLength(3)
  },
  patienceMs,
)
