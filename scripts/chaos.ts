import { parseArgs } from 'node:util'
import { chaosRound, prepare, type Round, seeded } from '../test/support/chaos.ts'
import { startTestServer } from '../test/support/postgres.ts'
import { describeStep, replicaRound } from '../test/support/replicaChaos.ts'
import { openGround } from '../test/support/replicas.ts'
import { noVersionBefore } from '../test/support/versionBefore.ts'

/**
 * `npm run chaos [-- ROUNDS [SEED]]`: kills the bot at random moments of approvals, and prints what came of it.
 * With `--replicas 3`: several processes on one store in PostgreSQL, and everything around them breaks as well.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { replicas: { type: 'string' } },
})
const [rounds = 40, first = Date.now() % 1_000_000] = positionals.map(Number)
const started = performance.now()
let passed = 0
let failed = 0

/** Plays the rounds, one after the other; a failed one does not keep the others from theirs. */
async function play(round: (seed: number) => Promise<string>): Promise<void> {
  for (let seed = first; seed < first + rounds; seed++)
    try {
      console.log(`seed ${seed}: ${await round(seed)}`)
      passed++
    } catch (error) {
      failed++
      console.log(`seed ${seed} FAILED: ${error instanceof Error ? error.message : error}`)
    }
}

function table(title: string, keys: readonly string[]): void {
  console.log(`\n${title}`)
  for (const [key, group] of Map.groupBy(keys.toSorted(), (one) => one))
    console.log(`  ${key}: ${group.length}`)
}

async function oneProcess(): Promise<void> {
  const server = await startTestServer()
  const results: Round[] = []
  try {
    const shop = await prepare(server)
    await play(async (seed) => {
      const round = await chaosRound(server, shop, seeded(seed))
      results.push(round)
      return `${round.presses} presses, killed ${round.killedAt}; outcome: ${round.outcome ?? 'none, nothing was claimed'}`
    })
  } finally {
    await server.stop()
  }
  table(
    'killed',
    results.map(({ killedAt }) => killedAt),
  )
  table(
    'outcomes',
    results.map(({ outcome }) => outcome ?? 'nothing was claimed'),
  )
}

async function severalReplicas(replicas: number): Promise<void> {
  const ground = await openGround()
  if (ground.before === null) console.log(noVersionBefore)
  const steps: string[] = []
  const results: string[] = []
  try {
    await play(async (seed) => {
      const { plan, outcomes, seconds } = await replicaRound(ground, seed, replicas)
      steps.push(...plan.steps.map(({ kind }) => kind))
      results.push(...outcomes)
      return `${plan.steps.map(describeStep).join(', ')}; outcomes: ${outcomes.join(', ')}; ${seconds.toFixed(1)} s`
    })
  } finally {
    await ground.stop()
  }
  table('disturbances', steps)
  table('outcomes', results)
}

await (values.replicas === undefined ? oneProcess() : severalReplicas(Number(values.replicas)))
console.log(`\n${rounds} rounds in ${Math.round((performance.now() - started) / 1000)} s`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
