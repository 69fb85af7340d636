import { setTimeout as pause } from 'node:timers/promises'
import { exampleTeam, type Message } from 'slack-workspace'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { subjectOf } from '../../src/domain/incidents/finding.ts'
import { readStore } from '../../src/store/reading.ts'
import { type ReportFormat, report } from '../../src/terminal/report.ts'
import { type ReportDocument, reportSchema } from '../../src/views/report/document.ts'
import { hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { lockLogSettings, recordWaits, type SeenWait, waitsInLog } from '../support/lockLog.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'
import { jamOne, openShop } from '../support/shop.ts'

let server: TestServer
let room: Room | undefined
let shop: string

beforeAll(async () => {
  server = await startTestServer({ settings: lockLogSettings })
  shop = await openShop(server)
  await server.admin.query('CREATE TABLE stock (id int); GRANT ALL ON stock TO shop')
})
afterEach(async () => {
  await room?.close()
  await server.closeAll()
})
afterAll(() => server.stop())

/** What the terminal prints. */
async function printed(room: Room, format: ReportFormat, named: string | null = null): Promise<string> {
  const out: string[] = []
  const err: string[] = []
  const code = await report({
    ...{ named, cluster: undefined, format, timeZone: 'Europe/Berlin', now: Date.now },
    config: parseConfig(room.yaml, room.env),
    env: room.env,
    out: { write: (text: string) => out.push(text) },
    err: { write: (text: string) => err.push(text) },
  })
  expect(err.join('')).toBe('')
  expect(code).toBe(0)
  return out.join('')
}

const document = async (room: Room, named: string | null = null): Promise<ReportDocument> =>
  reportSchema.strict().parse(JSON.parse(await printed(room, 'json', named)))

/** Id of the incident behind this session. */
async function incidentOf(room: Room, pid: number): Promise<string> {
  const { store } = parseConfig(room.yaml, room.env)
  const all = await readStore(store, ({ incidents }) => incidents.latest(null, 10))
  return all?.find(({ finding }) => subjectOf(finding)?.pid === pid)?.id ?? ''
}

/** The longest time from one look to the next: on a busy machine they come late. */
async function longestInterval(room: Room, from: number, to: number): Promise<number> {
  const { store } = parseConfig(room.yaml, room.env)
  const looks = await readStore(store, ({ history }) => history.between('orders', from - 2000, to))
  const times = (looks ?? []).map(({ look }) => look.takenAt)
  return Math.max(...times.map((at, index) => at - (times[index - 1] ?? at)))
}

const overlaps = (one: ReportDocument['waits'][number], { pid, from, to }: SeenWait) =>
  one.session.pid === pid && Date.parse(one.from) <= to && Date.parse(one.lastSeenAt) >= from

it('tells the waits that another recorder saw, and that the server wrote into its log', async () => {
  room = await openRoom(server.marshalUrl)
  const app = await room.start()
  const recorder = await recordWaits(server)
  const root = await server.open('checkout', shop)
  await root.query('BEGIN')
  await root.query("UPDATE orders SET state = 'secret-literal' WHERE id = 1")
  // Another jam at the same time, which is none of its business.
  const other = await server.open('stocktaking', shop)
  await other.query('BEGIN; LOCK TABLE stock')
  const elsewhere = await server.open('elsewhere', shop)
  const ends = [elsewhere.start('SELECT * FROM stock')]
  const victims: TestSession[] = []
  for (let n = 0; n < 8; n++) {
    const victim = await server.open(`web-${n}`, shop)
    ends.push(victim.start(`UPDATE orders SET state = 'secret-${n}' WHERE id = 1`))
    await server.untilWaiting(victim)
    victims.push(victim)
    await pause(230)
  }
  const card = await room.card('approve_terminate', 'checkout')
  // Later it may be about the next in the queue.
  const id = await incidentOf(room, root.pid)
  await room.press('U0DANA', card, 'approve_terminate')
  await room.until(card.ts, /^🟢 Resolved/)
  await other.query('COMMIT')
  await Promise.all(ends)
  const seen = await recorder.stop()
  // What the bot saw in its last second is in the record then.
  await app.stop()

  const told = await document(room, id)
  const pids = new Set(victims.map(({ pid }) => pid))
  const interval = await longestInterval(room, Date.parse(told.from), Date.parse(told.to))
  const long = seen.filter(({ pid, from, to }) => pids.has(pid) && to - from > interval)
  expect(long.length).toBeGreaterThan(2)
  const missing = long.filter((one) => !told.waits.some((wait) => overlaps(wait, one)))
  expect(missing.length).toBeLessThanOrEqual(long.length * 0.01)
  expect(told.waits.filter((wait) => !seen.some((one) => overlaps(wait, one)))).toEqual([])
  expect(told.waits.every(({ session }) => pids.has(session.pid))).toBe(true)

  const logged = await waitsInLog(server)
  for (const { session, leastSeconds, mostSeconds } of told.waits) {
    const ms = logged.get(session.pid) ?? 0
    expect(leastSeconds * 1000).toBeLessThanOrEqual(ms + 50)
    expect(mostSeconds * 1000).toBeGreaterThanOrEqual(ms - 50)
  }
  const all = [...pids].reduce((sum, pid) => sum + (logged.get(pid) ?? 0), 0) / 1000
  expect(all).toBeGreaterThanOrEqual(told.cost.leastSeconds - 0.2)
  expect(all).toBeLessThanOrEqual(told.cost.mostSeconds + 0.2)
}, 60_000)

it('names the time in which the bot did not run, and takes nobody for gone in it', async () => {
  room = await openRoom(server.marshalUrl)
  const first = await room.start()
  const { root, victim } = await jamOne(server, shop)
  await room.card('approve_terminate')
  const before = Date.now()
  await first.stop()
  const stopped = Date.now()
  // A look speaks for two seconds.
  await server.until(`SELECT clock_timestamp() > to_timestamp(${stopped / 1000 + 3})`)
  await room.start()
  const card = await room.card('approve_terminate')
  await room.press('U0DANA', card, 'approve_terminate')
  await root.ended
  await room.until(card.ts, /^🟢 Resolved/)
  await room.type('U0RESP', 'report')
  expect(wordsOf(await room.line(/^Report: checkout/))).toMatch(/Not seen/)

  const told = await document(room)
  expect(told.notSeen).toMatchObject([{ sight: 'notSeen' }])
  const [gap] = told.notSeen
  expect(Date.parse(gap?.from ?? '')).toBeGreaterThanOrEqual(before)
  expect(Date.parse(gap?.from ?? '')).toBeLessThanOrEqual(stopped + 2000)
  expect(told.waits).toHaveLength(1)
  const ms = (await waitsInLog(server)).get(victim.pid) ?? 0
  expect(told.waits[0]?.leastSeconds).toBeLessThanOrEqual(ms / 1000 + 0.05)
  expect(told.waits[0]?.mostSeconds).toBeGreaterThanOrEqual(ms / 1000 - 0.05)
  expect(told.began.maybeEarlier).toBe(false)
})

/** Presses "Share to a channel", and waits for the question where to. */
async function openModal(userId: string, told: Message) {
  await room?.press(userId, told, 'pg_share_report')
  await room?.workspace.waitFor(() => room?.workspace.modal(userId), { what: 'the modal' })
}

it('reports in Slack, and shares it for who is in the channel, under their name', async () => {
  const more = { id: 'C0POSTMORTEM', name: 'postmortems', members: ['U0APP', 'U0RESP'] }
  const seed = { ...exampleTeam, channels: [...exampleTeam.channels, more] }
  room = await openRoom(server.marshalUrl, { workspace: { seed } })
  await room.start()
  const { root } = await jamOne(server, shop)
  const card = await room.card('approve_terminate')
  await room.press('U0DANA', card, 'approve_terminate')
  await root.ended
  await room.until(card.ts, /^🟢 Resolved/)

  await room.type('U0RESP', 'report')
  const told = await room.line(/^Report: checkout blocked 1 session on orders/)
  const words = wordsOf(told)
  expect(words).toMatch(/1 session waited/)
  // The bot writes its record before it reads it.
  expect(words).toMatch(/Nobody waits any more/)
  expect(words).toContain('dana approved')
  expect(words).not.toMatch(/paying|"user_id"|subteam/)

  const share = async (userId: string, channel: string) => {
    await openModal(userId, told)
    await room?.workspace.submitView({ userId, values: { channel } })
  }
  await share('U0RESP', 'C0RANDOM')
  await room.whisper('U0RESP', /Nothing was shared: I am not in that channel/)
  await share('U0DANA', 'C0POSTMORTEM')
  await room.whisper('U0DANA', /Nothing was shared: you are not in that channel/)
  expect(room.workspace.messages('C0POSTMORTEM')).toEqual([])
  expect((await room.press('U0GUEST', told, 'pg_share_report')).acked).toBe(true)
  await room.whisper('U0GUEST', /guests may not use this/)
  await share('U0RESP', 'C0POSTMORTEM')
  await room.whisper('U0RESP', /^Shared to <#C0POSTMORTEM>/)
  const [shared, ...others] = room.workspace.messages('C0POSTMORTEM')
  expect(others).toEqual([])
  expect(wordsOf(shared as Message)).toMatch(/Shared by .*U0RESP/)
  expect(hasButton(shared as Message, 'pg_share_report')).toBe(false)

  expect(await printed(room, 'md')).toMatch(/dana approved/)
  expect(await printed(room, 'html')).not.toMatch(/U0DANA|paying/)

  await room.type('U0RESP', 'report 00000000')
  await room.line(/There is no incident 00000000 that you may see/)
})

it('shares what only some may see to its own channel alone', async () => {
  room = await openRoom(server.marshalUrl, {
    over: { access: { viewers: ['U0DANA'], requesters: ['U0DANA'], approvers: ['U0DANA'] } },
    workspace: {
      seed: {
        ...exampleTeam,
        channels: [
          ...exampleTeam.channels,
          { id: 'C0POSTMORTEM', name: 'postmortems', members: ['U0APP', 'U0DANA'] },
        ],
      },
    },
  })
  await room.start()
  await jamOne(server, shop)
  await room.card('approve_terminate')
  await room.type('U0DANA', 'report')
  const told = await room.line(/^Report: checkout blocks 1 session on orders/)
  await room.press('U0RESP', told, 'pg_share_report')
  await room.whisper('U0RESP', /not among those who may/)
  await openModal('U0DANA', told)
  await room.workspace.submitView({ userId: 'U0DANA', values: { channel: 'C0POSTMORTEM' } })
  await room.whisper('U0DANA', /only some may see orders/)
  expect(room.workspace.messages('C0POSTMORTEM')).toEqual([])
})
