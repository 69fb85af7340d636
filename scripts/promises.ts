import { families } from '../test/support/promises/moves.ts'
import { suite } from '../test/support/promises/orders.ts'
import { describeRound, doubtsOf, familiesOf, openRounds, tableOf } from '../test/support/promises/rounds.ts'

/**
 * `npm run promises [-- ROUNDS [SEED [suite]]]`: makes random jams, takes the recommended way out, and compares. `suite`: short
 * plays, of the kinds that PostgreSQL's isolation tests try, in random orders.
 */
const [rounds = 500, seed = Date.now() % 1_000_000] = process.argv.slice(2, 4).map(Number)
const among = process.argv[4] === 'suite' ? suite : families
console.log(`${rounds} rounds from seed ${seed}`)
const started = performance.now()
const promises = await openRounds(4)
try {
  const played = await promises.play(rounds, seed, undefined, among)
  const broken = played.filter((round) => round.broken.length > 0)
  for (const round of broken) console.log(describeRound(round))
  console.table(tableOf(played))
  console.table(doubtsOf(played))
  console.table(familiesOf(played))
  const seconds = Math.round((performance.now() - started) / 1000)
  const count = (what: 'isJoint' | 'isDeadlock') => played.filter((round) => round[what]).length
  console.log(
    `${played.length} jams in ${seconds} s, ${count('isJoint')} with more than one to end, ${count('isDeadlock')} that ended in a deadlock; ${broken.length} with a broken promise`,
  )
  process.exitCode = broken.length > 0 ? 1 : 0
} finally {
  await promises.close()
}
