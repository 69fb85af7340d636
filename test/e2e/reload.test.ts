import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openRoom, type Room, wordsOf } from '../support/harness.ts'
import { startTestServer, type TestServer, waitFor } from '../support/postgres.ts'
import { type Bot, run, serve } from '../support/process.ts'
import { jamOne, openShop } from '../support/shop.ts'

let server: TestServer
let room: Room
let shop: string
let bot: Bot

beforeAll(async () => {
  server = await startTestServer()
  shop = await openShop(server)
})
afterEach(async () => {
  await bot.kill('SIGKILL')
  await room.close()
  await server.closeAll()
})
afterAll(() => server.stop())

const other = 'stock'
const file = (name: string, text: string) => writeFile(join(room.directory, 'clusters.d', name), text)
const clusterAt = (name: string, more = '') => `{ name: ${name}, url: "${server.marshalUrl}"${more} }`
const hangUp = () => bot.child.kill('SIGHUP')
const texts = () => room.workspace.messages('C0INCIDENTS').map(({ text }) => text)
const readings = () => texts().filter((text) => text.startsWith('Configuration'))
const spoken = (words: string) => waitFor(() => bot.output().includes(words), words, { seen: bot.output })

/** A room whose bot watches `orders`, which sees no trouble, and what stands in clusters.d. */
async function open(over: Record<string, unknown> = {}, clusters = '') {
  room = await openRoom(server.marshalUrl, {
    over: {
      clusters: undefined,
      clustersFrom: './clusters.d',
      watch: { every: '200ms', blockedFor: '1h', idleInTransactionLongerThan: '1h' },
      ...over,
    },
  })
  await mkdir(join(room.directory, 'clusters.d'))
  await file('orders.yaml', clusterAt('orders'))
  if (clusters) await file('more.yaml', clusters)
}

describe('SIGHUP', () => {
  it('adds a cluster, whose trouble gets a card, changes one and lets one go, with its card', async () => {
    await open()
    bot = await serve(room)
    const { root } = await jamOne(server, shop)
    await file('stock.yaml', clusterAt(other, ', watch: { blockedFor: 1s }'))
    hangUp()
    await room.line(/^Configuration read: 1 cluster added \(stock\)\.$/)
    const card = await room.card('approve_terminate', other)
    // A threshold of one cluster.
    await file('orders.yaml', clusterAt('orders', ', watch: { blockedFor: 1s }'))
    hangUp()
    await room.line(/^Configuration read: 1 cluster changed \(orders\)\.$/)
    const second = await room.card('approve_terminate', 'orders')
    expect(second.ts).not.toBe(card.ts)
    await rm(join(room.directory, 'clusters.d', 'stock.yaml'))
    hangUp()
    await room.line(/^Configuration read: 1 cluster removed \(stock\)\.$/)
    const over = await room.until(card.ts, /Cluster stock is not configured any more, so nobody watches it/)
    expect(wordsOf(over)).not.toContain('approve_terminate')
    // What stays is carried out as ever.
    await room.press('U0DANA', second, 'approve_terminate')
    await room.until(second.ts, /is gone after/)
    await root.ended
  })

  it('keeps what it has where anything is wrong, and says all of it without secrets', async () => {
    await open()
    bot = await serve(room)
    await file('a.yaml', '{ name: a, url: "mysql://root:hunter2@db" }')
    await file('b.yaml', '{ name: b, url: "postgres://x@y/z", wacth: {} }')
    hangUp()
    const { text } = await room.line(/^Configuration not read: 2 problems\. What held before still holds\./)
    expect(text).toContain('clusters.d/a.yaml: url: This is not the address of a PostgreSQL server.')
    expect(text).toContain('clusters.d/b.yaml: wacth: Unknown key.')
    expect(`${text}${bot.output()}`).not.toContain('hunter2')
    await room.type('U0DANA', 'clusters')
    await room.line(/1 cluster, seen|orders \|/)
    // A file that went is wrong as well.
    await rm(join(room.directory, 'pg-marshal.yaml'))
    hangUp()
    await room.line(/^Configuration not read: 1 problem\. .*\n• There is no file /)
    await writeFile(join(room.directory, 'pg-marshal.yaml'), room.yaml)
    await rm(join(room.directory, 'clusters.d', 'a.yaml'))
    await file('b.yaml', clusterAt('b'))
    hangUp()
    await room.line(/^Configuration read: 1 cluster added \(b\)\.$/)
  })

  it('does what was asked for twice once more at most, and says nothing where nothing changed', async () => {
    await open()
    bot = await serve(room)
    hangUp()
    await spoken('the configuration was read again')
    await file('stock.yaml', clusterAt(other))
    for (let count = 0; count < 5; count++) hangUp()
    await room.line(/stock/)
    await file('orders.yaml', clusterAt('orders', ', watch: { every: 300ms }'))
    hangUp()
    hangUp()
    await room.line(/changed \(orders\)/)
    expect(readings()).toHaveLength(2)
  })

  it('says what needs a restart, and keeps that as it is', async () => {
    await open()
    bot = await serve(room)
    await writeFile(
      join(room.directory, 'pg-marshal.yaml'),
      JSON.stringify({ ...JSON.parse(room.yaml), queryText: 'full', store: { url: 'sqlite:./x.db' } }),
    )
    hangUp()
    await room.line(/^Configuration read\. Needs a restart: store\.url, queryText\.$/)
    await room.type('U0DANA', 'clusters')
    await room.line(/orders \|/)
  })

  it('reconnects a cluster that is reached in another way', async () => {
    await open({}, '{ name: stock, url: "postgres://nobody@127.0.0.1:1/db" }')
    bot = await serve(room)
    const blind = await room.line(/stock.*cannot be seen|Nothing listens there/)
    await file('more.yaml', clusterAt(other))
    hangUp()
    await room.line(/^Configuration read: 1 cluster changed \(stock\)\.$/)
    await room.until(blind.ts, /The server answers again/)
  })
})

describe('SIGHUP at a bad moment', () => {
  it('during the start, is done after it', async () => {
    await open()
    room.workspace.fault({ method: 'auth.test', kind: 'error500', times: 3 })
    bot = await run(room)
    await spoken('Slack cannot be reached yet')
    await file('stock.yaml', clusterAt(other))
    hangUp()
    await room.line(/^Configuration read: 1 cluster added \(stock\)\.$/)
  })

  it('while it stops, changes nothing of that', async () => {
    await open()
    bot = await serve(room)
    bot.child.kill('SIGTERM')
    hangUp()
    expect(await bot.ended).toBe(0)
  })
})
