import { chaosRound, prepare, type Round, seeded } from '../test/support/chaos.ts'
import { startTestServer } from '../test/support/postgres.ts'

/** `npm run chaos [-- ROUNDS [SEED]]`: kills the bot at random moments of approvals, and prints what came of it. */
const [rounds = 40, first = Date.now() % 1_000_000] = process.argv.slice(2).map(Number)
const server = await startTestServer()
const results: Round[] = []
let failed = 0
const started = performance.now()
try {
  const shop = await prepare(server)
  for (let n = 0; n < rounds; n++) {
    const seed = first + n
    try {
      const round = await chaosRound(server, shop, seeded(seed))
      results.push(round)
      console.log(
        `seed ${seed}: ${round.presses} presses, killed ${round.killedAt}; outcome: ${round.outcome ?? 'none, nothing was claimed'}`,
      )
    } catch (error) {
      failed++
      console.log(`seed ${seed} FAILED: ${error instanceof Error ? error.message : error}`)
    }
  }
} finally {
  await server.stop()
}

const table = (title: string, keys: readonly string[]) => {
  console.log(`\n${title}`)
  for (const [key, group] of Map.groupBy(keys, (one) => one)) console.log(`  ${key}: ${group.length}`)
}
table(
  'killed',
  results.map(({ killedAt }) => killedAt),
)
table(
  'outcomes',
  results.map(({ outcome }) => outcome ?? 'nothing was claimed'),
)
console.log(`\n${rounds} rounds in ${Math.round((performance.now() - started) / 1000)} s`)
console.log(`${results.length} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
