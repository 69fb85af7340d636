import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { type App, HTTPModuleFunctions, type ReceiverEvent, type SocketModeReceiver } from '@slack/bolt'
import type { Log } from '../log.ts'

/** Requests that Slack may send and Bolt does not expect. They are answered here, so that Bolt never gets them. */

/** Slack's largest payloads, a message of ours with all its blocks, are far smaller. */
const bodyLimit = 1024 * 1024

/** The payloads that we listen to, beside slash commands: https://docs.slack.dev/reference/interaction-payloads */
const ours: ReadonlySet<unknown> = new Set(['block_actions', 'view_submission', 'shortcut', 'message_action'])

/** The events that we listen to: https://docs.slack.dev/reference/events */
const ourEvents: ReadonlySet<unknown> = new Set(['app_home_opened', 'app_mention'])

/** So many envelopes are known again: more than come in the minutes in which Slack sends one again. */
const mostKnown = 2000

/** Milliseconds that an event waits at most for the word that it is ours. */
const longestAskMs = 1000

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isEvent = (body: unknown): body is Record<string, unknown> =>
  isObject(body) && body.type === 'event_callback'

const isOurs = (body: unknown): boolean =>
  isEvent(body)
    ? isObject(body.event) && ourEvents.has(body.event.type)
    : isObject(body) && (typeof body.command === 'string' || ours.has(body.type))

export type Intake = {
  /** Takes no more, and resolves when what is under way has ended. */
  drain(): Promise<void>
}

/**
 * Hands to the app what is for it, and each envelope and event once: the same one may come over both sockets, and again when
 * an acknowledgement was lost, an event also over HTTP and in another envelope. The second one is acknowledged when the
 * first is. What is not for us is acknowledged and does nothing. What comes while we stop is not acknowledged, so that Slack
 * offers it to the next process: Bolt never gets it, since it acknowledges an event before any listener runs.
 *
 * An event may also come to another replica. It is acknowledged at once, as Bolt does, and then `takes` says whether it is ours.
 */
export function takeOnce(deps: {
  readonly app: Pick<App, 'processEvent'>
  /** Takes an event for this replica alone; false where another one took it before. */
  readonly takes: (event: string) => Promise<boolean>
  readonly log: Log
}): Intake {
  const { app, takes, log } = deps
  const underWay = new Set<Promise<void>>()
  let draining = false
  const process = app.processEvent.bind(app)
  const handle = async (event: ReceiverEvent, isOurs: Promise<boolean> = Promise.resolve(true)) => {
    const handling = isOurs
      .then((is) => (is ? process(event) : undefined))
      .finally(() => underWay.delete(handling))
    underWay.add(handling)
    await handling
  }
  /** Rather twice than never: where the store does not say it in time, the event is ours. */
  const isFirst = (event: string): Promise<boolean> => {
    const late = pause(longestAskMs, true, { ref: false })
    return Promise.race([late, takes(event)]).catch((err: unknown) => {
      log.warn({ err }, 'nobody knows whether another replica has this event, so it is handled')
      return true
    })
  }
  const known = new Map<string, Promise<void>>()
  app.processEvent = async (event) => {
    if (!isOurs(event.body)) {
      log.info('Slack sent what is not for this app')
      return event.ack()
    }
    const id = isEvent(event.body) ? event.body.event_id : event.customProperties?.[envelopeId]
    if (typeof id !== 'string') return draining ? undefined : handle(event)
    const before = known.get(id)
    if (before) return before.then(() => event.ack())
    if (draining) return
    const { promise: acknowledged, resolve } = Promise.withResolvers<void>()
    known.set(id, acknowledged)
    for (const oldest of known.keys()) {
      if (known.size <= mostKnown) break
      known.delete(oldest)
    }
    if (isEvent(event.body)) {
      // Before anything is asked: Slack waits three seconds.
      await event.ack().finally(resolve)
      return handle({ ...event, ack: async () => {} }, isFirst(id))
    }
    const ack: ReceiverEvent['ack'] = async (response) => {
      resolve()
      await event.ack(response)
    }
    return handle({ ...event, ack })
  }
  return {
    async drain() {
      draining = true
      await Promise.allSettled(underWay)
    },
  }
}

const envelopeId = 'envelopeId'

/** For the receiver's `customPropertiesExtractor`: by this `takeOnce` recognises an envelope. */
export const envelopeIdOf = (envelope: Record<string, unknown>) => ({ [envelopeId]: envelope.envelope_id })

/** Keeps from the socket's client what would be a fault in it: what is no envelope. */
export function expectEnvelopes({ client }: SocketModeReceiver, log: Log): void {
  const handlers = client.listeners('ws_message')
  client.removeAllListeners('ws_message')
  client.on('ws_message', (data: unknown, isBinary: boolean) => {
    if (isBinary || !isEnvelope(String(data))) log.warn('Slack sent over the socket what is no envelope')
    else for (const handler of handlers) handler(data, isBinary)
  })
}

function isEnvelope(text: string): boolean {
  const envelope = parse(text)
  if (!isObject(envelope) || typeof envelope.type !== 'string') return false
  if (envelope.type !== 'events_api') return true
  return isObject(envelope.payload) && isObject(envelope.payload.event)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Answers what is not signed (401), too large (413) or no payload (400), and hands on the rest. */
export function expectPayloads(signingSecret: string, next: RequestListener, log: Log): RequestListener {
  const answer = (response: ServerResponse, status: number) => {
    // What was not read of a body that is too large is not waited for.
    if (!response.headersSent) response.writeHead(status, { connection: 'close' }).end()
  }
  const statusOf = async (request: IncomingMessage): Promise<number | null> => {
    let buffered: Awaited<ReturnType<typeof HTTPModuleFunctions.parseAndVerifyHTTPRequest>>
    try {
      buffered = await HTTPModuleFunctions.parseAndVerifyHTTPRequest(
        { enabled: true, signingSecret, bodyLimit },
        request,
      )
    } catch (error) {
      return HTTPModuleFunctions.isRawBodyError(error) ? error.statusCode : 401
    }
    try {
      return isObject(HTTPModuleFunctions.parseHTTPRequestBody(buffered)) ? null : 400
    } catch {
      return 400
    }
  }
  return (request, response) =>
    void statusOf(request)
      .then((status) => {
        if (status === null) return next(request, response)
        log.warn({ status }, 'a request to /slack/events was not taken')
        answer(response, status)
      })
      .catch((error: unknown) => {
        log.error({ err: error }, 'a request to /slack/events ended in a fault')
        answer(response, 500)
      })
}
