import { setTimeout as delay } from 'node:timers/promises'
import { everyScope } from 'slack-workspace'
import { seeded } from '../test/support/chaos.ts'
import { openRoom } from '../test/support/harness.ts'
import { startTestServer, waitFor } from '../test/support/postgres.ts'
import { type Bot, serve } from '../test/support/process.ts'
import {
  doSomething,
  figuresArgs,
  isSettled,
  judge,
  makeFault,
  makeTrouble,
  type Sample,
  sample,
} from './soakSteps.ts'

/**
 * `npm run soak [-- MINUTES [SEED]]`: trouble, faults and people without end for so long, then quiet; prints what the
 * bot held all the while, and whether everything is as it should be afterwards.
 */
const [minutes = 3, seed = Date.now() % 1_000_000] = process.argv.slice(2).map(Number)
if (!(minutes > 0 && minutes <= 120)) throw new Error('MINUTES: a number up to 120')
const random = seeded(seed)
console.log(`${minutes} minutes, seed ${seed}`)

const server = await startTestServer()
const shop = await server.createRole('shop')
await server.admin.query(
  'CREATE TABLE orders (id int PRIMARY KEY, state text); INSERT INTO orders SELECT n FROM generate_series(1, 500) AS n; GRANT ALL ON orders TO shop',
)
const room = await openRoom(server.marshalUrl, {
  over: {
    watch: {
      ...{ every: '500ms', blockedFor: '1s', queryLongerThan: '2s', idleInTransactionLongerThan: '2s' },
      ...{ idleLongerThan: 'never', cardsPerMinute: 10 },
    },
  },
  workspace: { scopes: [...everyScope] },
})
const happened = new Map<string, number>()
const count = (what: string) => happened.set(what, (happened.get(what) ?? 0) + 1)
const samples: Sample[] = []
let bot: Bot | undefined
let over = false
const started = performance.now()
const seconds = () => Math.round((performance.now() - started) / 1000)

/** Again and again with a random pause, until it is over. */
async function repeat(fewest: number, most: number, run: () => Promise<unknown>) {
  while (!over) {
    await run()
    await delay((fewest + random() * (most - fewest)) * 1000)
  }
}

try {
  const running = await serve(room, figuresArgs)
  bot = running
  const measure = async () => {
    const one = await sample(room, running, server, seconds())
    samples.push(one)
    print(one)
  }
  const ends = new Set<Promise<void>>()
  header()
  const all = Promise.all([
    repeat(3, 9, async () => {
      const { what, end } = await makeTrouble(server, shop, random)
      count(`trouble: ${what}`)
      const ending = delay(2000 + random() * 12_000).then(end)
      ends.add(ending)
      void ending.finally(() => ends.delete(ending))
    }),
    repeat(4, 12, async () => count(`fault: ${await makeFault(room, server, random)}`)),
    repeat(1, 4, async () => count(`person: ${await doSomething(room, random)}`)),
    repeat(10, 10, measure),
  ])
  await Promise.race([delay(minutes * 60_000), all])
  over = true
  await all
  await Promise.all(ends)
  room.workspace.clearFaults()
  await waitFor(() => isSettled(room), 'every incident is over, and Slack shows it', {
    boundMs: 300_000,
  })
  await waitFor(() => room.workspace.sockets() === 2, 'both sockets are open', { boundMs: 60_000 })
  await measure()

  console.log('\nhappened')
  for (const [what, n] of [...happened].sort()) console.log(`  ${String(n).padStart(4)}  ${what}`)
  console.log(`\n${samples.at(-1)?.incidents} incidents, ${samples.at(-1)?.journalRows} rows of the journal`)
  const checks = judge(room, samples)
  console.log('\nchecks')
  for (const { what, seen, holds } of checks)
    console.log(`  ${holds ? 'ok    ' : 'FAILED'}  ${what}: ${seen}`)
  const failed = checks.filter(({ holds }) => !holds).length
  console.log(`\n${checks.length - failed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
} catch (error) {
  console.error(error)
  console.error(bot?.output().split('\n').slice(-20).join('\n'))
  process.exitCode = 1
} finally {
  over = true
  await bot?.kill('SIGTERM')
  await room.close()
  await server.stop()
}

function header() {
  console.log('second  heap MB  rss MB  handles  sockets  connections  outbox  incidents (open)  store kB')
}

function print(one: Sample) {
  const handles = Object.values(one.resources).reduce((sum, n) => sum + n, 0)
  const cells: [unknown, number][] = [
    [one.second, 6],
    [one.heapMb, 9],
    [one.rssMb, 8],
    [handles, 9],
    [one.sockets, 9],
    [one.connections, 13],
    [one.outbox, 8],
    [`${one.incidents} (${one.open})`, 18],
    [one.storeKb, 10],
  ]
  console.log(cells.map(([value, width]) => String(value).padStart(width)).join(''))
}
