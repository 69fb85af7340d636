import fc from 'fast-check'
import type { Message } from 'slack-workspace'
import { expect, it } from 'vitest'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import {
  canaries,
  type HostileCall,
  hostileCall,
  hostileStatement,
  hostileText,
} from '../support/hostileCalls.ts'
import { waitFor } from '../support/postgres.ts'
import { secretOf, tokenOf } from '../support/programs.ts'
import { useShop } from '../support/shop.ts'
import { emptyStoreOn } from '../support/store.ts'

let room: Room
const { server, shop } = await useShop(() => room)

/** HOSTILE_CALLS=100000 for the long form; HOSTILE_SEED repeats a run. */
const calls = Number(process.env.HOSTILE_CALLS ?? 2000)
const seed = Number(process.env.HOSTILE_SEED ?? Date.now() % 2 ** 31)
/** Enough programs that most calls are not too many. */
const programs = 200
/** Largest answer of the API, in bytes: two lists of a page, and what stands around them. */
const largestAnswer = 2_100_000
const atOnce = 32

/** What may happen while programs ask: a person is in none of it. */
const harmless: ReadonlySet<string> = new Set([
  ...['requested', 'refused', 'withdrawn', 'expired', 'offered', 'configured', 'handedBack'],
  // On a busy machine a look comes too late.
  ...['incidentOpened', 'incidentReopened', 'incidentChanged', 'incidentResolved', 'blind', 'seesAgain'],
])

/** Answers that a stranger may get. */
const fine: ReadonlySet<number> = new Set([
  ...[200, 201, 202, 304, 400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429],
])

it(`${calls} hostile calls end nothing, decide nothing, see no constant, call nobody (seed ${seed})`, {
  timeout: 60_000 + calls * 20,
}, async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
  const url = '${DATABASE_URL}'
  const notify = { mention: ['U0DANA'], from: 'warning', remindAfter: '1s' }
  const escalate = [{ after: '2s', mention: ['U0DEVI'] }]
  const { url: store } = await emptyStoreOn(server)
  room = await openRoom(server.marshalUrl, {
    over: {
      http: {
        port: 0,
        api: { tokens: Array.from({ length: programs }, (_, place) => tokenOf(`bot-${place}`)) },
      },
      clusters: [
        { name: 'orders', url, notify: { ...notify, escalate } },
        // What is wrong here gets cards, which call nobody.
        { name: 'stock', url, watch: { blockedFor: '200ms', queryLongerThan: '1s' } },
      ],
      watch: { every: '300ms', blockedFor: '1h', idleInTransactionLongerThan: '1h' },
      store: { url: store },
      queryText: 'full',
    },
  })
  const root = await server.open('<!channel> \u202e', shop)
  await root.query('BEGIN')
  await root.query("UPDATE orders SET state = 'GEHEIM4711' WHERE id = 1 /* GEHEIM4711 */")
  const victims = []
  for (const name of ['<@U0DANA>', 'web']) {
    const victim = await server.open(name, shop)
    void victim.start("UPDATE orders SET state = 'GEHEIM4711' WHERE id = 1 -- GEHEIM4711")
    await server.untilWaiting(victim)
    victims.push(victim)
  }
  const talkers = await Promise.all([1, 2, 3].map((one) => server.open(`talker-${one}`, shop)))
  // What they say may want the row as well.
  for (const talker of talkers)
    await talker.query("SET lock_timeout = '20ms'; SET statement_timeout = '50ms'")
  const app = await room.start()
  const all = [root, ...victims, ...talkers]
  const proposals: string[] = []
  const known = { pids: all.map(({ pid }) => pid), proposals }

  const counts: Record<string, number> = {}
  const wrong: string[] = []
  let largest = 0
  const statements = fc.sample(hostileStatement, { numRuns: Math.ceil(calls / 20), seed })
  const names = fc.sample(hostileText, { numRuns: statements.length, seed })
  const talk = async (turn: number) => {
    const talker = talkers[turn % talkers.length]
    const statement = statements[turn % statements.length] ?? ''
    await talker?.client.query(statement.replaceAll('\0', '')).catch(() => {})
    const name = (names[turn % names.length] ?? '').replaceAll('\0', '').toWellFormed()
    await talker?.client.query("SELECT set_config('application_name', $1, false)", [name]).catch(() => {})
    await talker?.client.query(statement.replaceAll('\0', '')).catch(() => {})
  }

  let next = 0
  // In pieces: what was made by then can be named by the next ones.
  const arbitrary = hostileCall(programs, () => known)
  let made: HostileCall[] = []
  const take = () => {
    if (made.length === 0) made = fc.sample(arbitrary, { numRuns: 250, seed: seed + next })
    return made.pop()
  }
  const began = performance.now()
  const work = async () => {
    for (let turn = next++; turn < calls; turn = next++) {
      const call = take()
      if (!call) continue
      if (turn % 20 === 0) await talk(turn / 20)
      const { method, path, body, headers, program } = call
      const authorization = program === null ? 'Bearer GEHEIM' : `Bearer ${secretOf(`bot-${program}`)}`
      const reply = await fetch(`http://127.0.0.1:${app.port}${path}`, {
        method,
        headers: { ...headers, authorization },
        ...(body !== undefined && { body: body.toWellFormed() }),
      })
      const text = await reply.text()
      const told = `${text}${JSON.stringify([...reply.headers])}`
      const is = (what: string, so: boolean) =>
        so || wrong.push(`${what}: ${JSON.stringify(call)} → ${reply.status} ${text.slice(0, 500)}`)
      largest = Math.max(largest, Buffer.byteLength(text))
      counts[reply.status] = (counts[reply.status] ?? 0) + 1
      is('an answer of its kind', fine.has(reply.status))
      is('no constant', !canaries.test(told))
      is('a limit', Buffer.byteLength(text) <= (reply.ok ? largestAnswer : 2000))
      const isOurs = /^(?:\/api(?:\/.*)?|\/mcp)$/.test(URL.parse(path, 'http://x')?.pathname ?? '')
      is('a request id', !isOurs || reply.headers.has('x-request-id'))
      is('401 for a stranger', !isOurs || program !== null || reply.status === 401)
      is('the allowance', !isOurs || program === null || reply.headers.has('ratelimit-remaining'))
      if (reply.status === 201) proposals.push(JSON.parse(text).id)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const seconds = (performance.now() - began) / 1000

  expect(wrong.slice(0, 5)).toEqual([])
  expect(next).toBeGreaterThan(calls)
  // Nothing was signalled: everybody is there, and those who wait still do.
  const { rows } = await server.admin.query<{ pid: number; waits: boolean }>(
    "SELECT pid, wait_event_type = 'Lock' AS waits FROM pg_stat_activity WHERE pid = ANY ($1)",
    [known.pids],
  )
  expect(rows).toHaveLength(all.length)
  expect(
    rows
      .filter(({ waits }) => waits)
      .map(({ pid }) => pid)
      .sort(),
  ).toEqual(victims.map(({ pid }) => pid).sort())
  // Nothing was decided, and nobody called.
  const schema = new URL(store).username
  const { rows: happened } = await server.admin.query<{ kind: string; event: string }>(
    `SELECT kind, event FROM ${schema}.journal`,
  )
  const kinds = new Set(happened.map(({ kind }) => kind))
  expect([...kinds].filter((kind) => !harmless.has(kind))).toEqual([])
  expect(happened.filter(({ event }) => canaries.test(event))).toEqual([])
  const { rows: states } = await server.admin.query<{ state: string }>(
    `SELECT DISTINCT state FROM ${schema}.proposals`,
  )
  expect(states.filter(({ state }) => !['open', 'withdrawn', 'expired'].includes(state))).toEqual([])
  // All cards stand, and call nobody.
  await waitFor(
    () => room.workspace.messages('C0INCIDENTS').length > 0 || proposals.length === 0,
    'the cards',
  )
  const messages = room.workspace.messages('C0INCIDENTS')
  expect(messages.filter(callsSomebody).map(wordsOf)).toEqual([])
  const ready = await fetch(`http://127.0.0.1:${app.port}/readyz`)
  expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ok' }])
  console.info(
    JSON.stringify({
      calls,
      seed,
      seconds: Math.round(seconds),
      counts,
      largest,
      proposals: new Set(proposals).size,
      cards: messages.length,
      journal: happened.length,
      kinds: [...kinds],
      blind: happened.filter(({ kind }) => kind === 'blind').map(({ event }) => event),
    }),
  )
})

/** Where Slack reads markup: the text itself, mrkdwn in blocks, and elements that mention. The rest is shown as it is. */
const callsSomebody = ({ text, blocks }: Message): boolean =>
  /<[!@#]/.test(text) ||
  [...JSON.stringify(blocks ?? []).matchAll(/"type":"mrkdwn","text":"((?:[^"\\]|\\.)*)"/g)].some(
    ([, markup = '']) => /<[!@#]/.test(markup),
  ) ||
  /"type":"(?:user|usergroup|broadcast)"/.test(JSON.stringify(blocks ?? []))
