import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createControlApi, type Panel } from './control.ts'
import {
  createHttpDelivery,
  type Delivered,
  type EnvelopeType,
  type HttpOverrides,
  type HttpTarget,
} from './delivery.ts'
import { createDirectory } from './directory.ts'
import { createFaults, type Fault } from './faults.ts'
import { readBody, sendJson } from './http.ts'
import { createInteractions } from './interactions.ts'
import type { Manifest } from './manifest.ts'
import { createFiles } from './methodsFiles.ts'
import { createPacing } from './pacing.ts'
import { createResponseUrls } from './responses.ts'
import { exampleTeam } from './seed.ts'
import { createSockets } from './sockets.ts'
import { createState, type History } from './state.ts'
import { transcriptOf } from './transcript.ts'
import type { Change, Ephemeral, Json, LoggedRequest, Message, Seed, View } from './types.ts'
import { createTriggers, createViews } from './views.ts'
import { createWaitFor } from './wait.ts'
import { createWebApi, type Tokens } from './webapi.ts'

const host = '127.0.0.1'

/** Everything this emulator's methods can ask for: granted when there is neither a list nor a manifest. */
export const everyScope: readonly string[] = [
  'commands',
  'app_mentions:read',
  'chat:write',
  'users:read',
  'usergroups:read',
  'channels:read',
  'groups:read',
  'im:read',
  'channels:history',
  'groups:history',
  'im:history',
  'im:write',
  'files:write',
]

export type WorkspaceOptions = {
  readonly seed?: Seed
  /** 0 (the default) takes a free one. Loopback only, always. */
  readonly port?: number
  readonly tokens?: Partial<Tokens>
  readonly signingSecret?: string
  /** Scopes that the app was granted; the manifest's if absent. */
  readonly scopes?: readonly string[]
  /** Given, payloads go to this address by signed HTTP; else over socket mode. */
  readonly requestUrl?: string
  /** Events the app subscribed to, as in the manifest: `app_home_opened`, … */
  readonly events?: readonly string[]
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** Milliseconds; Slack's own values if absent. */
  readonly timing?: {
    readonly ackMs?: number
    readonly triggerMs?: number
    readonly responseUrlMs?: number
    readonly pingMs?: number
  }
  /** Decides the commands the page completes, and scopes and events where they are not given. */
  readonly manifest?: Manifest
  /** Result of `history()` of an earlier workspace. */
  readonly history?: History
}

/** Events that an app subscribes to, and the names of places in them: https://docs.slack.dev/reference/events/message */
const messageEvents = {
  public: ['message.channels', 'channel'],
  private: ['message.groups', 'group'],
  im: ['message.im', 'im'],
} as const

export type RawDelivery = {
  readonly type: EnvelopeType
  readonly payload: Json
  /** As the app is configured if absent. */
  readonly via?: 'socket' | 'http'
  readonly envelopeId?: string
  readonly http?: HttpOverrides
}

export type Workspace = Awaited<ReturnType<typeof createWorkspace>>

/** A local Slack workspace. Everything it opened is gone after `close()`. */
export const createWorkspace = async (options: WorkspaceOptions = {}) => {
  const now = options.now ?? Date.now
  const ackMs = options.timing?.ackMs ?? 3000
  const tokens: Tokens = { bot: 'xoxb-local', app: 'xapp-local', ...options.tokens }
  const signingSecret = options.signingSecret ?? 'local-signing-secret'
  const { manifest } = options
  const commands = manifest?.commands ?? []
  const scopes = new Set(options.scopes ?? manifest?.scopes ?? everyScope)
  const subscriptions = new Set(options.events ?? manifest?.events ?? [])
  let requestUrl = options.requestUrl
  let duplicates = 0
  let base = ''
  const baseUrl = () => base
  /** Origins of what stands in front of it. */
  const fronts = new Set<string>()

  const state = createState(options.seed ?? exampleTeam, now, options.history)
  const views = createViews(state)
  const triggers = createTriggers(state, options.timing?.triggerMs ?? 3000)
  const faults = createFaults()
  const pacing = createPacing(now)
  const files = createFiles(state, baseUrl)
  const responseUrls = createResponseUrls(state, {
    baseUrl,
    uses: 5,
    ttlMs: options.timing?.responseUrlMs ?? 30 * 60_000,
  })
  const sockets = createSockets({
    appId: state.seed.app.id,
    ackMs,
    pingMs: options.timing?.pingMs ?? 5000,
    onChange: (open) => state.announce({ kind: 'sockets', open }),
  })
  const http = createHttpDelivery({ ackMs, now })
  const target = (): HttpTarget | undefined => (requestUrl ? { url: requestUrl, signingSecret } : undefined)

  const sendOnce = (type: EnvelopeType, payload: Json): Promise<Delivered> => {
    const url = target()
    return url ? http.send(url, type, payload) : sockets.send(type, payload)
  }
  const deliver = async (type: EnvelopeType, payload: Json): Promise<Delivered> => {
    if (duplicates === 0) return sendOnce(type, payload)
    duplicates -= 1
    const [first] = await Promise.all([sendOnce(type, payload), sendOnce(type, payload)])
    return first
  }
  const interactions = createInteractions({
    state,
    views,
    triggers,
    responseUrls,
    deliver,
    defaultCommand: commands[0]?.command,
    shortcuts: manifest?.shortcuts,
    verificationToken: 'local-verification-token',
  })

  const webApi = createWebApi(
    ({ headers }) => ({
      state,
      views,
      triggers,
      sockets,
      scopes,
      hasHome: manifest?.hasHome ?? true,
      tokens,
      files,
      // The socket goes the way of the call that asks for it.
      baseUrl: () => (fronts.has(`http://${headers.host}`) ? `http://${headers.host}` : base),
    }),
    faults,
    pacing,
  )

  const responseUrlCall = async (request: IncomingMessage, response: ServerResponse, path: string) => {
    const body = await readBody(request)
    let args: Json
    try {
      args = JSON.parse(body) as Json
    } catch {
      return sendJson(response, 400, { ok: false, error: 'invalid_payload' })
    }
    await faults.respond(
      { method: 'response_url', response },
      () => responseUrls.use(path, args),
      (answer) =>
        state.log({ method: 'response_url', args, at: now(), ...(answer ? { response: answer } : {}) }),
    )
  }

  /** A message typed by a person. */
  const say = (given: {
    readonly userId: string
    readonly channelId: string
    readonly text: string
    readonly threadTs?: string
  }): Message => {
    const channel = state.channels.get(given.channelId)
    if (!state.users.has(given.userId)) throw new Error(`no user ${given.userId} in this workspace`)
    if (!channel) throw new Error(`no channel ${given.channelId} in this workspace`)
    if (channel.archived) throw new Error(`#${channel.name} is archived`)
    const message = state.post({
      channel: given.channelId,
      user: given.userId,
      text: given.text,
      ...(given.threadTs ? { threadTs: given.threadTs } : {}),
    })
    const [event, type] = messageEvents[channel.kind]
    // What is said where the app is not, it does not hear.
    const isThere = channel.members.includes(state.seed.app.botUserId)
    // https://docs.slack.dev/reference/events/app_mention: not in a conversation with the app itself.
    if (
      subscriptions.has('app_mention') &&
      scopes.has('app_mentions:read') &&
      isThere &&
      channel.kind !== 'im' &&
      given.text.includes(`<@${state.seed.app.botUserId}>`)
    )
      void interactions.sendEvent({ ...message, type: 'app_mention', channel: given.channelId })
    if (subscriptions.has(event) && isThere)
      void interactions.sendEvent({ ...message, channel: given.channelId, channel_type: type })
    return message
  }

  const openHome = async (userId: string): Promise<void> => {
    if (!subscriptions.has('app_home_opened')) return
    const view = state.homes.get(userId)
    await interactions.sendEvent({
      type: 'app_home_opened',
      user: userId,
      channel: state.openIm(userId).id,
      tab: 'home',
      ...(view ? { view: { id: view.id, type: 'home', hash: view.hash } } : {}),
    })
  }

  const control = {
    ...interactions,
    ...createDirectory(state),
    say,
    openHome,
    fault: (fault: Fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    /** A fault that stays until `null` is held under its name. */
    holdFault: (name: string, fault: Fault | null) => faults.hold(name, fault),
    /** Refuses more than one message a second in a channel and 100 Homes a minute, as Slack does. Off at first. */
    setPacing: (on: boolean) => pacing.set(on),
    /** “Dismiss”: takes a private message off the screen. */
    dismiss: (userId: string, channelId: string, ts: string) => {
      const ephemeral = state.findEphemeral(channelId, ts)
      if (ephemeral?.to === userId) state.removeEphemeral(ephemeral)
    },
    /**
     * Plays a workspace that does not know these kinds of blocks.
     * @param named false: its refusals do not say which block it is
     */
    refuseBlocks: (kinds: readonly string[], named = true) => state.setRefusedKinds({ kinds, named }),
    faults: () => faults.list(),
    disconnectSockets: () => sockets.disconnect(),
    refreshSockets: sockets.refresh,
    /** The next payload comes twice, as after a hiccup of the network. */
    duplicateNext: (times = 1) => {
      duplicates += times
    },
  }

  const api = createControlApi({
    state,
    control,
    origin: baseUrl,
    fronts,
    commands,
    shortcuts: manifest?.shortcuts ?? [],
    socketCount: sockets.count,
    viaHttp: () => requestUrl !== undefined,
  })

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!api.isOurs(request)) return sendJson(response, 403, { ok: false, error: 'forbidden' })
    const url = new URL(request.url ?? '/', 'http://localhost')
    const path = url.pathname
    if (path.startsWith('/api/')) return webApi(request, response, url)
    if (path.startsWith('/upload/')) return files.upload(request, response, path)
    if (/^\/(commands|actions)\//.test(path) && request.method === 'POST')
      return responseUrlCall(request, response, path)
    return api.handle(request, response)
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (!response.headersSent)
        sendJson(response, 500, { ok: false, error: error instanceof Error ? error.message : 'fatal_error' })
      else response.destroy()
    })
  })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    if (request.url?.startsWith('/link/')) sockets.upgrade(request, socket, head)
    else socket.destroy()
  })
  server.listen(options.port ?? 0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  base = `http://${host}:${port}`

  const messages = (channelId: string): readonly Message[] => state.messagesIn(channelId)

  const workspace = {
    ...control,
    url: base,
    port,
    seed: state.seed,
    tokens,
    signingSecret,
    /** Environment for starting the app. */
    env: {
      SLACK_API_URL: `${base}/api/`,
      SLACK_BOT_TOKEN: tokens.bot,
      SLACK_APP_TOKEN: tokens.app,
      SLACK_SIGNING_SECRET: signingSecret,
    },
    /** Lets apps reach it also through a forwarder of the caller's, at this origin. */
    setFront: (origin: string) => {
      fronts.add(origin)
    },
    /** Turns to signed HTTP (an address) or back to socket mode (`undefined`). */
    setRequestUrl: (url: string | undefined) => {
      requestUrl = url
    },
    setScopes: (names: readonly string[]) => {
      scopes.clear()
      for (const name of names) scopes.add(name)
    },
    /** Everything in the channel, replies included, oldest first. */
    messages,
    /** The parent and its replies. */
    thread: (channelId: string, ts: string): readonly Message[] =>
      messages(channelId).filter((message) => message.ts === ts || message.thread_ts === ts),
    ephemerals: (userId: string, channelId?: string): readonly Ephemeral[] =>
      state.ephemerals.filter((entry) => entry.to === userId && (!channelId || entry.channel === channelId)),
    complaints: (userId: string) => state.complaints.filter((entry) => entry.user === userId),
    modal: (userId: string): View | undefined => views.stackOf(userId).at(-1),
    home: (userId: string): View | undefined => state.homes.get(userId),
    dms: (userId: string): readonly Message[] => messages(`D${userId.slice(1)}`),
    sockets: sockets.count,
    /** Lists the app's calls, oldest first; those of one method if named. */
    requests: (method?: string): readonly LoggedRequest[] =>
      state.requests.filter((request) => method === undefined || request.method === method),
    onChange: (listener: (change: Change) => void): (() => void) => {
      state.changes.on('change', listener)
      return () => state.changes.off('change', listener)
    },
    /** A hand-made delivery: forged signatures, old timestamps, foreign payloads, the same envelope again. */
    sendRaw: (raw: RawDelivery): Promise<Delivered> => {
      const url = target()
      if (raw.via === 'socket' || (!raw.via && !url))
        return sockets.send(raw.type, raw.payload, raw.envelopeId)
      if (!url) throw new Error('the app has no request URL')
      return http.send(url, raw.type, raw.payload, raw.http)
    },
    /** Puts the host's own panel beside the workspace. */
    attach: (panel: Panel) => api.attach(panel),
    /** Returns what has been said so far, to go on from another time. */
    history: () => state.history(),
    /** Writes what everybody sees, as text: for people and for failed tests. */
    transcript: () => transcriptOf(state),
    waitFor: createWaitFor(state),
    close: async (): Promise<void> => {
      api.close()
      faults.clear()
      http.close()
      sockets.close()
      state.changes.removeAllListeners()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return workspace
}
