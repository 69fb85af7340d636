import { afterEach, describe, expect, it } from 'vitest'
import type { RunningApp } from '../../src/app.ts'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import { waitFor } from '../support/postgres.ts'
import { type Bot, serve } from '../support/process.ts'
import { jamOne, useShop } from '../support/shop.ts'
import { emptyStoreOn } from '../support/store.ts'

let room: Room
const bots: Bot[] = []
/** A slow machine takes some rounds. */
const patience = { timeout: 15_000 }
const { server, shop } = await useShop(() => room)
afterEach(async () => {
  await Promise.all(bots.splice(0).map((bot) => bot.kill('SIGKILL')))
})

const open = async (over: Record<string, unknown> = {}) => {
  const { url } = await emptyStoreOn(server)
  room = await openRoom(server.marshalUrl, { over: { store: { url }, ...over } })
}
const process = async (): Promise<Bot> => {
  const bot = await serve(room)
  bots.push(bot)
  return bot
}
/** What stands in the channel itself, but for the lines about actions. */
/** Cards of the jam. On a busy machine there may be one that the watching is behind. */
const cards = () =>
  room.workspace
    .messages('C0INCIDENTS')
    .flatMap(({ thread_ts, text }) => (!thread_ts && /checkout block/.test(text) ? [text] : []))
const watching = async ({ port }: RunningApp): Promise<string[]> =>
  ((await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as { watching: string[] }).watching

describe('several replicas on one store', () => {
  it('share the clusters, and take over at once what one gives back', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
    const clusters = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, url: '${DATABASE_URL}' }))
    await open({ clusters })
    const first = await room.start()
    expect(await watching(first)).toEqual(['a', 'b', 'c', 'd', 'e'])
    const second = await room.start()
    const shared = async (...apps: RunningApp[]) =>
      (await Promise.all(apps.map(watching))).map((names) => names.length).sort()
    await expect.poll(() => shared(first, second), patience).toEqual([2, 3])
    const third = await room.start()
    await expect.poll(() => shared(first, second, third), patience).toEqual([1, 2, 2])
    await second.stop()
    await expect.poll(() => shared(first, third), patience).toEqual([2, 3])
    await first.stop()
    await expect.poll(() => watching(third), patience).toHaveLength(5)
  })

  it('answer a mention once, though each of them gets it', async () => {
    await open()
    await room.start()
    await room.start()
    const { workspace } = room
    const said = (text: string) => workspace.say({ userId: 'U0RESP', channelId: 'C0INCIDENTS', text }).ts
    const ts = said('how is it?')
    await expect.poll(() => workspace.sockets(), patience).toBe(4)
    const event = {
      type: 'app_mention',
      user: 'U0RESP',
      text: '<@U0APP> clusters',
      ts,
      channel: 'C0INCIDENTS',
    }
    const payload = { type: 'event_callback', team_id: 'T0DEMO', event_id: 'Ev1', event }
    // Over any socket each time: both replicas get it.
    for (let times = 0; times < 24; times++)
      expect(await workspace.sendRaw({ type: 'events_api', payload })).toMatchObject({ acked: true })
    // What comes after it was answered: by now a second answer stood there too.
    await room.thread(said('<@U0APP> clusters'), /cluster/)
    await room.thread(ts, /cluster/)
    const inThread = workspace.messages('C0INCIDENTS').filter((message) => message.thread_ts === ts)
    expect(inThread.filter((message) => message.ts !== ts)).toHaveLength(1)
  })

  it('post one card, and whichever gets the press carries it out once', async () => {
    await open()
    const apps = [await room.start(), await room.start(), await room.start()]
    for (const _ of [1, 2, 3, 4]) {
      const { root } = await jamOne(server, shop)
      const card = await room.card('approve_terminate')
      await room.press('U0DANA', card, 'approve_terminate')
      await room.until(card.ts, /is gone after/)
      await root.ended
      await server.closeAll()
    }
    expect(apps).toHaveLength(3)
    await room.line(/checkout block/)
    // The row is the same, so it is the same trouble, which comes back.
    expect(cards()).toHaveLength(1)
  })
})

describe('a replica that stops in the middle', () => {
  it('killed, leaves its card to another one, which goes on with it', async () => {
    await open()
    const first = await process()
    const { root } = await jamOne(server, shop)
    const card = await room.card('approve_terminate')
    await process()
    await first.kill('SIGKILL')
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /is gone after/)
    await root.ended
    expect(cards()).toHaveLength(1)
  })

  it('frozen for longer than its leases, posts nothing of what it saw before when it wakes', async () => {
    await open()
    const [first, second] = [await process(), await process()]
    const leads = ({ output }: Bot) => output().includes('"lease":"cluster:orders"')
    await waitFor(() => leads(first) || leads(second), 'somebody leads')
    const [leader, other] = leads(first) ? [first, second] : [second, first]
    leader.child.kill('SIGSTOP')
    await jamOne(server, shop)
    const card = await room.card('approve_terminate')
    expect(leads(other)).toBe(true)
    leader.child.kill('SIGCONT')
    await waitFor(() => leader.output().includes('"this replica leads no longer"'), 'it notices')
    await room.press('U0DANA', card, 'approve_terminate')
    const done = await room.until(card.ts, /is gone after/)
    expect(wordsOf(done)).not.toContain('approve_')
    expect(cards()).toHaveLength(1)
  })
})
