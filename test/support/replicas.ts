import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { everyScope, exampleTeam, type Message } from 'slack-workspace'
import { type Forwarder, startForwarder } from './forwarder.ts'
import { hasButton, openRoom, type Room } from './harness.ts'
import { mortal, setLifeline } from './lifeline.ts'
import { atPort, type MovingStore, startMovingStore } from './movingStore.ts'
import { startTestServer, type TestServer } from './postgres.ts'
import { type Bot, type Place, serve } from './process.ts'
import { openShop } from './shop.ts'
import { unpackVersionBefore } from './versionBefore.ts'

/** Names of the watched servers. Each has a channel of its own, since Slack takes one message a second in each. */
export const watchedNames = ['alpha', 'beta', 'gamma'] as const
export type WatchedName = (typeof watchedNames)[number]
export const channelOf = (name: WatchedName): string => `C0${name.toUpperCase()}`

export type Watched = { readonly name: WatchedName; readonly server: TestServer; readonly shop: string }

/** Servers that outlive the rounds. */
export type Ground = {
  readonly store: MovingStore
  readonly watched: readonly Watched[]
  /** Path of main.ts of the version before; null where it is not here. */
  readonly before: string | null
  stop(): Promise<void>
}

export async function openGround(): Promise<Ground> {
  const stops: (() => Promise<void>)[] = []
  const stop = async () => {
    await Promise.all(stops.splice(0).map((one) => one()))
  }
  try {
    // One after the other: each makes a database cluster, which takes all processors.
    const store = await startMovingStore()
    stops.push(store.stop)
    const watched: Watched[] = []
    for (const name of watchedNames) {
      const server = mortal(await startTestServer())
      stops.push(server.stop)
      const shop = await openShop(server)
      await server.admin.query('CREATE EXTENSION pg_stat_statements')
      watched.push({ name, server, shop })
    }
    const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-before-'))
    stops.push(() => rm(directory, { recursive: true, force: true }))
    return { store, watched, before: await unpackVersionBefore(join(directory, 'code')), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Servers that a replica reaches over the network, by the names of its links. */
export const linkNames = ['slack', 'store', ...watchedNames] as const
export type LinkName = (typeof linkNames)[number]

/** A place for one process of the bot, with a network and a clock of its own. */
export type Replica = {
  readonly links: Readonly<Record<LinkName, Forwarder>>
  start(): Promise<void>
  /** Ends it cleanly, and starts the version of now in its place. */
  upgrade(): Promise<void>
  /** Sends a signal to the process that runs. */
  signal(name: NodeJS.Signals): void
  /** Resolves when it has ended. */
  end(name: NodeJS.Signals): Promise<void>
  /** Everything that its processes said. */
  said(): string
}

/** Several replicas in one workspace, on one store that is theirs alone. */
export type Fleet = {
  readonly room: Room
  readonly replicas: readonly Replica[]
  /** Connection string of the store, wherever it was at first: for `Ground.store.ask`. */
  readonly storeUrl: string
  messages(name: WatchedName): readonly Message[]
  /** The card with a button that approves, if there is one now. */
  approvable(name: WatchedName): Message | undefined
  close(): Promise<void>
}

/**
 * @param clocksMs one replica for each: how far its clock is from the machine's
 * @param main that of the version that they begin with; null for that of now
 */
export async function openFleet(
  { store, watched }: Ground,
  clocksMs: readonly number[],
  main: string | null,
): Promise<Fleet> {
  const storeUrl = await store.empty()
  const clusters = watchedNames.map((name) => ({
    name,
    url: `\${${name.toUpperCase()}_URL}`,
    channel: channelOf(name),
  }))
  const room = await openRoom('unused', {
    over: {
      clusters,
      slack: { mode: 'socket', channel: channelOf('alpha') },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name the environment
      store: { url: '${STORE_URL}' },
      watch: { every: '500ms', blockedFor: '1s', idleInTransactionLongerThan: '1h' },
      notify: {
        mention: ['U0DANA'],
        from: 'warning',
        remindAfter: '2s',
        escalate: [{ after: '4s', mention: ['U0DEVI'] }],
      },
    },
    workspace: {
      // Where the bot may not read a channel, a message comes twice whose process was killed before it heard of it.
      scopes: everyScope,
      seed: {
        ...exampleTeam,
        channels: watchedNames.map((name) => ({
          id: channelOf(name),
          name,
          members: ['U0APP', 'U0RESP', 'U0DANA', 'U0DEVI', 'U0GUEST'],
        })),
      },
    },
  })
  const replicas = await Promise.all(
    clocksMs.map((apartMs, place) =>
      openReplica(
        { ...room, directory: join(room.directory, `replica-${place}`), ...(main && { main }) },
        {
          slack: room.workspace.port,
          store: store.port(),
          ...Object.fromEntries(watched.map(({ name, server }) => [name, server.port])),
        } as Record<LinkName, number>,
        (links) => ({
          SLACK_API_URL: `http://127.0.0.1:${links.slack.port}/api/`,
          STORE_URL: atPort(storeUrl, links.store.port),
          ...Object.fromEntries(
            watched.map(({ name, server }) => [
              `${name.toUpperCase()}_URL`,
              atPort(server.marshalUrl, links[name].port),
            ]),
          ),
          TEST_CLOCK_MS: String(apartMs),
        }),
      ),
    ),
  )
  const messages = (name: WatchedName) => room.workspace.messages(channelOf(name))
  return {
    room,
    replicas,
    storeUrl,
    messages,
    approvable: (name) => messages(name).find((message) => hasButton(message, 'approve_terminate')),
    async close() {
      await Promise.all(replicas.map((replica) => replica.end('SIGKILL')))
      await Promise.all(replicas.flatMap(({ links }) => Object.values(links).map((link) => link.close())))
      await room.close()
    },
  }
}

const clockModule = new URL('./shiftedClock.ts', import.meta.url).href

async function openReplica(
  given: Place & { readonly workspace: Room['workspace'] },
  ports: Readonly<Record<LinkName, number>>,
  envOf: (links: Replica['links']) => Record<string, string>,
): Promise<Replica> {
  await mkdir(given.directory)
  const links = Object.fromEntries(
    await Promise.all(linkNames.map(async (name) => [name, await startForwarder(ports[name])])),
  ) as Replica['links']
  given.workspace.setFront(`http://127.0.0.1:${links.slack.port}`)
  let place: Place = { ...given, env: { ...given.env, ...envOf(links) } }
  const bots: Bot[] = []
  const replica: Replica = {
    links,
    async start() {
      const begun = (bot: Bot) => {
        bots.push(bot)
        const dismiss = setLifeline(bot.child.pid ?? 0)
        bot.child.once('exit', dismiss)
      }
      await serve(place, ['--import', clockModule], begun, 120_000)
    },
    async upgrade() {
      await replica.end('SIGTERM')
      const { main: _, ...now } = place
      place = now
      await replica.start()
    },
    signal: (name) => void bots.at(-1)?.child.kill(name),
    async end(name) {
      const bot = bots.at(-1)
      if (!bot || bot.child.exitCode !== null || bot.child.signalCode !== null) return
      await bot.kill(name)
    },
    said: () => bots.map((bot) => bot.output()).join('\n--- started again ---\n'),
  }
  return replica
}
