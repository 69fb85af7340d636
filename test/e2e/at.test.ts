import type { Message } from 'slack-workspace'
import { expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { readStore } from '../../src/store/reading.ts'
import { historyAt } from '../../src/terminal/historyAt.ts'
import { hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import { jamOne, useShop } from '../support/shop.ts'
import { storePlaces } from '../support/store.ts'

let room: Room | undefined
const { server, shop } = await useShop(() => room)

const urlOf = (settings: { kind: string; path?: string; url?: string }): string =>
  settings.kind === 'sqlite' ? `sqlite:${settings.path}` : `${settings.url}`

/** Waits until a look that was taken after this moment is in the store. */
async function recorded(room: Room, from: number): Promise<void> {
  const { store } = parseConfig(room.yaml, room.env)
  await expect
    .poll(
      async () =>
        (await readStore(store, ({ history }) => history.between('orders', from, Date.now())))?.length,
      {
        timeout: 20_000,
      },
    )
    .toBeGreaterThan(1)
}

const iso = (at: number) => new Date(at).toISOString()

/** What the terminal prints. */
async function printed(room: Room, time: string, json: boolean) {
  const out: string[] = []
  const err: string[] = []
  const code = await historyAt({
    ...{ time, json, name: null, timeZone: 'Europe/Berlin', steady: () => performance.now(), now: Date.now },
    config: parseConfig(room.yaml, room.env),
    out: { write: (text: string) => out.push(text) },
    err: { write: (text: string) => err.push(text) },
  })
  return { code, out: out.join(''), err: err.join('') }
}

const titleOf = ({ text }: Message) => text.split('\n')[0] ?? ''

it.each(storePlaces)('a jam is shown afterwards as it was, over a restart (%s)', async (_, place) => {
  const stores = await place()
  room = await openRoom(server.marshalUrl, {
    over: {
      watch: { every: '200ms', blockedFor: '1h' },
      store: { url: urlOf(await stores.empty()) },
      queryText: 'hidden',
    },
  })
  const open = room
  const masked = { queryText: 'full' }
  const began = Date.now()
  let bot = await open.start(masked)
  await recorded(open, began)
  const { root, victim } = await jamOne(server, shop)
  const jammed = Date.now()
  await recorded(open, jammed + 300)
  const during = Date.now()
  // A look in the middle of the end would show who waits still, and nobody who holds.
  await bot.stop()
  await root.query('ROLLBACK')
  await server.until("SELECT wait_event_type IS DISTINCT FROM 'Lock' FROM pg_stat_activity WHERE pid = $1", [
    victim.pid,
  ])
  bot = await open.start(masked)
  await recorded(open, Date.now())

  await open.type('U0RESP', `at ${iso(during)}`)
  const answer = await open.line(/^Who blocks whom on orders at \d/)
  expect(answer.text).toContain('(Europe/Amsterdam)')
  expect(answer.text).toContain('Seen, with its locks.')
  expect(answer.text).toMatch(new RegExp(`^${root.pid} · idle in transaction.* · blocks 1, .*checkout`, 'm'))
  expect(answer.text).toMatch(new RegExp(`${victim.pid} · waits`))
  // The record holds no constant, whatever is shown now.
  expect(answer.text).toContain('UPDATE orders SET state = ? WHERE id = ?')
  expect(wordsOf(answer)).not.toMatch(/paying|pg_propose|pg_refresh|\/pg terminate/)

  await open.press('U0RESP', answer, 'pg_next_change')
  const after = await open.until(answer.ts, /Sessions on orders at/)
  expect(after.text).toContain('Nobody waits for a lock')
  await open.press('U0DANA', after, 'pg_earlier')
  const again = await open.until(answer.ts, /Who blocks whom on orders at/)
  await open.press('U0RESP', again, 'pg_later')
  await open.until(answer.ts, /Sessions on orders at/)

  await open.type('U0RESP', `at ${iso(began - 60_000)}`)
  await open.whisper('U0RESP', /The record of orders begins at .*: ask for a time from then on/)
  await open.type('U0RESP', 'at half past')
  await open.whisper('U0RESP', /Write a time like 14:05/)

  const shown = { ...open, yaml: JSON.stringify({ ...JSON.parse(open.yaml), ...masked }) }
  const { code, out, err } = await printed(shown, iso(during), true)
  expect(err).toBe('')
  expect(code).toBe(0)
  const json = JSON.parse(out)
  expect(Date.parse(json.takenAt)).toBeLessThanOrEqual(during)
  expect(Date.parse(json.takenAt)).toBeGreaterThan(during - 2000)
  expect(json.roots).toMatchObject([
    { pid: root.pid, victims: [victim.pid], recommendation: { action: 'terminate', pid: root.pid } },
  ])
  expect(json.sessions).toHaveLength(2)
  expect(json.sessions).toContainEqual(
    expect.objectContaining({
      pid: victim.pid,
      blockedBy: [root.pid],
      query: 'UPDATE orders SET state = ? WHERE id = ?',
    }),
  )
  const words = await printed(shown, iso(during), false)
  expect(words.code).toBe(0)
  expect(words.out).toMatch(/^Who blocks whom on orders at .*\nAs it was at .* \(Europe\/Berlin\)/)
  const hidden = await printed(open, iso(during), true)
  expect(hidden.out).not.toContain('UPDATE')

  const missing = await printed(open, iso(began - 60_000), true)
  expect(missing.code).toBe(2)
  expect(missing.err).toContain('The record of orders begins at')
  expect(JSON.parse(missing.out)).toMatchObject({
    ...{ cluster: 'orders', takenAt: null, roots: null, sessions: null },
    notSeen: { at: iso(began - 60_000), why: null, before: null, after: expect.any(String) },
  })
  await bot.stop()
  await stores.close()
})

it('a time that was not seen is never shown as calm', async () => {
  room = await openRoom(server.marshalUrl, { over: { watch: { every: '200ms', blockedFor: '1h' } } })
  const open = room
  const began = Date.now()
  await open.start()
  await recorded(open, began)
  server.suspend()
  const { store } = parseConfig(open.yaml, open.env)
  const unseen = async () => {
    const looks = await readStore(store, ({ history }) => history.between('orders', began, Date.now()))
    return looks?.findLast(({ look }) => 'unseen' in look)?.look.takenAt ?? 0
  }
  await expect.poll(unseen, { timeout: 60_000 }).toBeGreaterThan(0)
  const at = await unseen()
  await open.type('U0RESP', `at ${iso(at)}`)
  const answer = await open.line(/^orders was not seen at/)
  expect(answer.text).toContain('This says nothing about how it was.')
  expect(hasButton(answer, 'pg_earlier')).toBe(true)
  const { code, out, err } = await printed(open, iso(at), true)
  expect(code).toBe(2)
  expect(err).toContain('orders was not seen at')
  expect(JSON.parse(out)).toMatchObject({
    ...{ cluster: 'orders', takenAt: null, roots: null, cycles: null, sessions: null },
    notSeen: { at: iso(at), why: expect.any(String), before: expect.any(String) },
  })
  server.resume()
  await open.press('U0RESP', answer, 'pg_earlier')
  const seen = await open.until(answer.ts, /Sessions on orders at/)
  expect(titleOf(seen)).toMatch(/^Sessions on orders at/)
})

it('says how to record where nothing is recorded', async () => {
  room = await openRoom(server.marshalUrl, { over: { history: { keep: 'off' } } })
  await room.start()
  await room.type('U0RESP', 'at 1 sec ago')
  await room.whisper('U0RESP', /Nothing is recorded here: history.keep is off/)
  const { code, out, err } = await printed(room, '1 sec ago', true)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain('history.keep')
})
