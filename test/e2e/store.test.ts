import { execFileSync } from 'node:child_process'
import {
  closeSync,
  cpSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { channel, openRoom, type Room } from '../support/harness.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'
import { type Bot, run, serve } from '../support/process.ts'
import { jamOne, openShop } from '../support/shop.ts'

let server: TestServer
let room: Room
let shop: string
const bots: Bot[] = []
const unmount: string[] = []

beforeAll(async () => {
  server = await startTestServer()
  shop = await openShop(server)
})
afterEach(async () => {
  await Promise.all(bots.splice(0).map((bot) => bot.kill('SIGKILL')))
  for (const path of unmount.splice(0)) execFileSync('umount', ['-l', path])
  await room.close()
  await server.closeAll()
})
afterAll(() => server.stop())

const started = async () => {
  const bot = await serve(room)
  bots.push(bot)
  return bot
}
const path = () => join(room.directory, 'store.db')
/** As a tool does that opens the store: another process brings its log into the file. */
const checkpoint = (mode = 'PASSIVE') =>
  execFileSync(process.execPath, [
    '--no-warnings',
    '-e',
    `new (require('node:sqlite').DatabaseSync)(process.argv[1]).exec('PRAGMA wal_checkpoint(${mode})')`,
    path(),
  ])
const texts = () => room.workspace.messages(channel).map(({ text }) => text)

/** Mounts a small disk. @throws where this machine lets nobody mount one */
const mount = (at: string) =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', at], { stdio: 'ignore' })

/** Only root may, and not in every container. */
function mayMount(): boolean {
  const at = mkdtempSync(join(tmpdir(), 'pg-marshal-mount-'))
  try {
    mount(at)
    execFileSync('umount', [at])
    return true
  } catch {
    return false
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}

it.runIf(mayMount())(
  'tells a jam without the store while its disk is full, and has the card soon when there is room',
  async () => {
    room = await openRoom(server.marshalUrl)
    const disk = join(room.directory, 'disk')
    mkdirSync(disk)
    mount(disk)
    unmount.push(disk)
    room = {
      ...room,
      yaml: JSON.stringify({ ...JSON.parse(room.yaml), store: { url: `sqlite:${join(disk, 'store.db')}` } }),
    }
    await started()
    try {
      writeFileSync(join(disk, 'filler'), Buffer.alloc(4_000_000))
    } catch {
      // That is what it is for.
    }
    await room.line(/^My store cannot be used: its disk is full\. Nothing can be approved or logged now/)
    const { root } = await jamOne(server, shop)
    await room.line(
      new RegExp(`^On orders: Blocking ${root.pid} \\(1 session waits\\)\\.\\nMy store cannot be used`),
    )
    expect(texts().filter((text) => text.startsWith('On orders'))).toHaveLength(1)
    rmSync(join(disk, 'filler'))
    const at = performance.now()
    await room.card('approve_terminate')
    expect(performance.now() - at).toBeLessThan(5000)
    await room.line(/^My store can be used again/)
  },
)

describe('while the bot runs', () => {
  it.each([
    ['removed', () => rmSync(path()), 'its file cannot be found'],
    [
      'removed with its directory',
      () => renameSync(room.directory, `${room.directory}-away`),
      'its file cannot',
    ],
    [
      'replaced',
      () => {
        cpSync(path(), `${path()}.backup`)
        renameSync(`${path()}.backup`, path())
      },
      'its file was replaced',
    ],
    [
      'overwritten in place',
      () => writeFileSync(path(), Buffer.alloc(8192)),
      'its file was replaced or changed',
    ],
    [
      'damaged in all pages but the first',
      () => {
        checkpoint()
        const file = openSync(path(), 'r+')
        const pages = fstatSync(file).size - 4096
        writeSync(file, Buffer.alloc(pages, 0xa5), 0, pages, 4096)
        closeSync(file)
      },
      'its file (was replaced or changed|is damaged)',
    ],
    ['cut', () => execFileSync('truncate', ['-s', '100', path()]), 'its file was replaced or changed'],
    ['without its log', () => rmSync(`${path()}-wal`), 'its log cannot be found'],
    ['without its index', () => rmSync(`${path()}-shm`), 'its log cannot be found'],
  ])('a store that is %s is told, and approvals are closed', async (_, happen, why) => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jamOne(server, shop)
    const { port } = await room.start()
    const card = await room.card('approve_terminate')
    happen()
    await room.press('U0DANA', card, 'approve_terminate')
    await room.whisper('U0DANA', /^My store cannot be used: its .*Nothing can be approved or logged now\.$/)
    await room.line(new RegExp(`My store cannot be used: ${why}`))
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
    expect(ready.status).toBe(503)
    expect(JSON.stringify(await ready.json())).toMatch(new RegExp(`Store: it cannot be used: ${why}`))
    expect((await root.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
    rmSync(`${room.directory}-away`, { recursive: true, force: true })
  })

  it('a store that is overwritten by an older copy is told, however valid that is', async () => {
    room = await openRoom(server.marshalUrl)
    const app = await room.start()
    await room.type('U0RESP', 'sessions')
    await app.stop()
    const copy = `${path()}.backup`
    cpSync(path(), copy)
    await room.start()
    execFileSync('cp', [copy, path()])
    await room.line(/^My store cannot be used: its file was replaced or changed/)
  })

  it.each([
    ['touched', () => execFileSync('touch', [path()])],
    ['brought up to date by a tool that reads it', () => checkpoint()],
    ['cut short in its log by that tool', () => checkpoint('TRUNCATE')],
    ['moved away and back', () => renameSync(path(), `${path()}.away`)],
  ])('a store that is %s goes on', async (_, happen) => {
    room = await openRoom(server.marshalUrl)
    await jamOne(server, shop)
    await room.start()
    const card = await room.card('approve_terminate')
    happen()
    if (existsSync(`${path()}.away`)) {
      await room.line(/My store cannot be used: its file cannot be found/)
      renameSync(`${path()}.away`, path())
      await room.line(/^My store can be used again/)
    }
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /is gone after/)
    if (happen.toString().includes('away')) return
    expect(texts().join()).not.toContain('My store')
  })

  it('it goes on when another process only reads it, or writes to it', async () => {
    room = await openRoom(server.marshalUrl)
    await jamOne(server, shop)
    await room.start()
    const card = await room.card('approve_terminate')
    const other = new DatabaseSync(path())
    other.prepare('SELECT count(*) FROM journal').get()
    other.close()
    await room.press('U0DANA', card, 'approve_terminate')
    await room.until(card.ts, /is gone after/)
    expect(texts().join()).not.toContain('My store')
  })
})

it.each([
  ['a symbolic link', (other: string) => symlinkSync(path(), other)],
  ['a hard link', (other: string) => linkSync(path(), other)],
])('a second process does not work with the same file through %s', async (_, link) => {
  room = await openRoom(server.marshalUrl)
  await started()
  const other = join(room.directory, 'other.db')
  link(other)
  const yaml = JSON.stringify({ ...JSON.parse(room.yaml), store: { url: `sqlite:${other}` } })
  const second = await run({ ...room, yaml })
  bots.push(second)
  await second.says('waiting up to 15 s')
  expect(second.output()).not.toContain('is ready')
})
