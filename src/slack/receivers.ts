import type { RequestListener } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { App, HTTPReceiver, type Receiver, type Logger as SlackLogger, SocketModeReceiver } from '@slack/bolt'
import { backoff } from '../backoff.ts'
import type { SlackSettings } from '../config/config.ts'
import type { Log } from '../log.ts'
import { clientOptions, slackErrorOf } from './client.ts'
import { envelopeIdOf, expectEnvelopes, expectPayloads, takeOnce } from './requests.ts'

/** The way in from Slack. */
export type SlackIngress = {
  readonly app: App
  /** Takes requests on /slack/events; null in socket mode. */
  readonly requestListener: RequestListener | null
  start(): Promise<void>
  /** No new requests from now on. */
  stop(): Promise<void>
  /** Whether requests can come in at the moment. */
  connected(): boolean
}

/** Who we are, from `auth.test`: asked once, so that no request has to. */
export type BotIdentity = {
  readonly teamId: string
  readonly botId: string | undefined
  readonly botUserId: string | undefined
}

/** Bolt over signed HTTP or over socket mode, as the settings say. */
export function createIngress(deps: {
  readonly settings: SlackSettings
  readonly botIdentity: BotIdentity
  readonly logger: SlackLogger
  readonly log: Log
  readonly now: () => number
}): SlackIngress {
  const { settings, botIdentity, logger, log, now } = deps
  const { botId, botUserId } = botIdentity
  const { apiUrl } = settings
  const makeApp = (receiver: Receiver) =>
    new App({
      receiver,
      logger,
      authorize: async () => ({
        botToken: settings.botToken,
        ...(botId && { botId }),
        ...(botUserId && { botUserId }),
      }),
      clientOptions: clientOptions({ apiUrl, logger, now }),
    })

  if (settings.mode === 'http') {
    const receiver = new HTTPReceiver({
      signingSecret: settings.signingSecret,
      endpoints: '/slack/events',
      logger,
    })
    const app = makeApp(receiver)
    takeOnce(app, log)
    return {
      app,
      requestListener: expectPayloads(settings.signingSecret, receiver.requestListener, log),
      start: async () => {},
      stop: async () => {},
      connected: () => true,
    }
  }

  // Slack refreshes each connection every few hours and closes it first. Two of them leave no gap: Slack sends each
  // request to one that is open, and the app behind them is the same.
  const sockets = [0, 1].map(() =>
    keepConnected(
      new SocketModeReceiver({
        appToken: settings.appToken,
        logger,
        autoReconnectEnabled: false,
        customPropertiesExtractor: envelopeIdOf,
        installerOptions: { clientOptions: clientOptions({ apiUrl, logger, now }) },
      }),
      log,
    ),
  )
  const [first, second] = sockets as [Socket, Socket]
  const app = makeApp(first.receiver)
  second.receiver.init(app)
  takeOnce(app, log)
  return {
    app,
    requestListener: null,
    // The first must be there, so that a bad token is told at the start; the second may follow.
    start: async () => {
      await first.start()
      second.startLater()
    },
    stop: async () => {
      await Promise.all(sockets.map((socket) => socket.stop()))
    },
    connected: () => sockets.some((socket) => socket.connected()),
  }
}

type Socket = {
  readonly receiver: SocketModeReceiver
  /** Rejects with SlackError when the first attempt fails. From then on it comes back by itself. */
  start(): Promise<void>
  /** Tries until it opens. */
  startLater(): void
  stop(): Promise<void>
  connected(): boolean
}

/** Interrupted people wait no longer for the next attempt; and not all bots come at once after an outage. */
const retries = { firstMs: 250, longestMs: 5000, jitter: true }

/**
 * Opens a socket again whenever it closes: at once, then ever more slowly. The SDK's own reconnect waits five seconds
 * first and ends for good (as an unhandled rejection) on a network error.
 */
function keepConnected(receiver: SocketModeReceiver, log: Log): Socket {
  const { client } = receiver
  expectEnvelopes(receiver, log)
  const stopping = new AbortController()
  let open = false
  client.on('connected', () => {
    open = true
    // It was on its way when we stopped.
    if (stopping.signal.aborted) void client.disconnect()
  })
  client.on('disconnected', () => {
    const wasOpen = open
    open = false
    if (wasOpen && !stopping.signal.aborted) void reopen()
  })

  async function reopen() {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      const retryInMs = backoff(attempt, retries)
      try {
        await receiver.start()
        return
      } catch (error) {
        log.warn({ err: error, retryInMs }, 'the socket to Slack did not open')
      }
      await pause(retryInMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  return {
    receiver,
    async start() {
      try {
        await receiver.start()
      } catch (error) {
        throw slackErrorOf(error)
      }
    },
    startLater: () => void reopen(),
    async stop() {
      stopping.abort()
      if (open) await client.disconnect()
    },
    connected: () => open,
  }
}
