import type { Message } from 'slack-workspace'
import { afterAll, afterEach } from 'vitest'
import type { RunningApp } from '../../src/app.ts'
import type { Room } from './harness.ts'
import { startTestServer, type TestServer, type TestSession } from './postgres.ts'

/** A table with one row that everybody wants, and an ordinary role to want it: superusers' sessions are out of reach. */
export async function openShop(server: TestServer): Promise<string> {
  const shop = await server.createRole('shop')
  await server.admin.query(
    "CREATE TABLE orders (id int PRIMARY KEY, state text); INSERT INTO orders VALUES (1, 'open'); GRANT ALL ON orders TO shop",
  )
  return shop
}

/** A server with a shop, and the role of its sessions. */
export type Shop = { readonly server: TestServer; readonly shop: string }

/**
 * Gives the tests of a file a server with a shop, and closes after each test what it opened.
 * @param room that the test has opened, if any
 */
export async function useShop(room: () => Room | undefined): Promise<Shop> {
  const server = await startTestServer()
  afterEach(async () => {
    server.resume()
    await room()?.close()
    await server.closeAll()
  })
  afterAll(() => server.stop())
  return { server, shop: await openShop(server) }
}

/** A session that is idle in its transaction, and one that waits for the row that it changed. */
export async function jamOne(
  server: TestServer,
  shop: string,
): Promise<{ readonly root: TestSession; readonly victim: TestSession }> {
  const root = await server.open('checkout', shop)
  await root.query('BEGIN')
  await root.query("UPDATE orders SET state = 'paying' WHERE id = 1")
  const victim = await server.open('web', shop)
  void victim.start("UPDATE orders SET state = 'x' WHERE id = 1")
  await server.untilWaiting(victim)
  return { root, victim }
}

/** A jam of the shop, the bot that watches it, and the card that it posted. */
export type OpenedCard = {
  readonly root: TestSession
  readonly victim: TestSession
  readonly bot: RunningApp
  readonly card: Message
}

/** Makes a jam, starts the bot of a room, and waits for its card with an Approve button. */
export async function openCard(room: Room, server: TestServer, shop: string): Promise<OpenedCard> {
  const sessions = await jamOne(server, shop)
  const bot = await room.start()
  return { ...sessions, bot, card: await room.card('approve_terminate') }
}
