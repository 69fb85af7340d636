import type { RequestListener } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { App, HTTPReceiver, type Receiver, type Logger as SlackLogger, SocketModeReceiver } from '@slack/bolt'
import { backoff } from '../backoff.ts'
import type { SlackSettings } from '../config/config.ts'
import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import { clientOptions, slackErrorOf } from './client.ts'
import type { RefusedBlocks } from './refusedBlocks.ts'
import { envelopeIdOf, expectEnvelopes, expectPayloads, type Intake, takeOnce } from './requests.ts'

/** The way in from Slack. */
export type SlackIngress = Intake & {
  readonly app: App
  /** Takes requests on /slack/events; null in socket mode. */
  readonly requestListener: RequestListener | null
  start(): Promise<void>
  /** No new requests from now on. */
  stop(): Promise<void>
  /** Returns true when requests can come in now. */
  connected(): boolean
  /** Returns why no request can come in, as a clause; null when they can. */
  failure(): string | null
}

/** Identity of the bot, from `auth.test`: read once, so that no request has to. */
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
  readonly refusedBlocks: RefusedBlocks
  /** Takes an event for this replica alone; false where another one took it before. */
  readonly takes: (event: string) => Promise<boolean>
}): SlackIngress {
  const { settings, botIdentity, logger, log, now, refusedBlocks, takes } = deps
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
      clientOptions: clientOptions({ apiUrl, logger, now, refusedBlocks }),
    })

  if (settings.mode === 'http') {
    const receiver = new HTTPReceiver({
      signingSecret: settings.signingSecret,
      endpoints: '/slack/events',
      logger,
    })
    const app = makeApp(receiver)
    return {
      ...takeOnce({ app, takes, log }),
      app,
      requestListener: expectPayloads(settings.signingSecret, receiver.requestListener, log),
      start: async () => {},
      stop: async () => {},
      connected: () => true,
      failure: () => null,
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
  return {
    ...takeOnce({ app, takes, log }),
    app,
    requestListener: null,
    // The first must be there, so that a bad token is reported at the start; the second may follow.
    start: async () => {
      await first.start()
      second.startLater()
    },
    stop: async () => {
      await Promise.all(sockets.map((socket) => socket.stop()))
    },
    connected: () => sockets.some((socket) => socket.connected()),
    failure: () =>
      sockets.some((socket) => socket.connected())
        ? null
        : `no socket is open${sockets.map((socket) => socket.failure()).find((why) => why !== null) ?? ''}`,
  }
}

type Socket = {
  readonly receiver: SocketModeReceiver
  /**
   * Rejects with SlackError when the first attempt fails, unless that passes by itself. From then on it comes back by
   * itself.
   */
  start(): Promise<void>
  /** Tries until it opens. */
  startLater(): void
  stop(): Promise<void>
  connected(): boolean
  /** Returns why the last attempt failed; null when it did not. */
  failure(): string | null
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
  let failure: string | null = null
  client.on('connected', () => {
    open = true
    failure = null
    // It was on its way when we stopped.
    if (stopping.signal.aborted) void client.disconnect()
  })
  client.on('disconnected', () => {
    const wasOpen = open
    open = false
    if (wasOpen && !stopping.signal.aborted) void reopen()
  })

  async function reopen(waitMs = 0) {
    await pause(waitMs, undefined, { signal: stopping.signal }).catch(() => {})
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      try {
        await receiver.start()
        return
      } catch (error) {
        const retryInMs = noted(error, attempt)
        await pause(retryInMs, undefined, { signal: stopping.signal }).catch(() => {})
      }
    }
  }

  /** @returns the milliseconds until the next attempt: what Slack asks for, where that is longer than our own pace */
  function noted(error: unknown, attempt: number): number {
    const { code, retryAfterMs } = failureOf(error)
    const retryInMs = Math.max(retryAfterMs, backoff(attempt, retries))
    failure = ` (${code}; tried again ${retryAfterMs > 0 ? `after the ${retryAfterMs / 1000} s that Slack asks for` : 'soon'})`
    log.warn({ err: error, retryInMs }, 'the socket to Slack did not open')
    return retryInMs
  }

  return {
    receiver,
    async start() {
      try {
        await receiver.start()
      } catch (error) {
        const why = slackErrorOf(error)
        if (!why.retryable) throw why
        void reopen(noted(why, 0))
      }
    },
    startLater: () => void reopen(),
    async stop() {
      stopping.abort()
      if (open) await client.disconnect()
    },
    connected: () => open,
    failure: () => failure,
  }
}

/** Explains why a socket did not open: the SDK may throw something that is not an answer of Slack's. */
function failureOf(error: unknown): Pick<SlackError, 'code' | 'retryAfterMs'> {
  if (error instanceof SlackError) return error
  try {
    return slackErrorOf(error)
  } catch {
    return { code: 'it did not open', retryAfterMs: 0 }
  }
}
