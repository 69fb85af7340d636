import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import type { Delivered, EnvelopeType } from './delivery.ts'
import type { Json } from './types.ts'

type Options = {
  readonly appId: string
  /** Deadline of an ack, in milliseconds. */
  readonly ackMs: number
  /** Between two pings of ours, in milliseconds. Clients give up after 30 s without one. */
  readonly pingMs: number
  readonly onChange: (open: number) => void
}

/** Slack allows ten connections for one app. */
const connectionLimit = 10
/** After `refresh_requested` Slack hangs up by itself if the app does not. */
const refreshGraceMs = 10_000

/** Socket mode's server side: https://docs.slack.dev/apis/events-api/using-socket-mode */
export const createSockets = (options: Options) => {
  const server = new WebSocketServer({ noServer: true })
  const tickets = new Set<string>()
  const open = new Set<WebSocket>()
  /** Was asked to go: gets nothing new. */
  const retired = new WeakSet<WebSocket>()
  const acks = new Map<string, (result: Delivered) => void>()
  const timers = new Set<NodeJS.Timeout>()
  const debug = { host: 'applink-local' }

  const issueTicket = (): string => {
    const ticket = randomUUID()
    tickets.add(ticket)
    return ticket
  }

  const onMessage = (data: string) => {
    let message: { envelope_id?: unknown; payload?: unknown }
    try {
      message = JSON.parse(data)
    } catch {
      return
    }
    const id = String(message.envelope_id)
    const payload = message.payload as Json | undefined
    acks.get(id)?.({ acked: true, body: payload && Object.keys(payload).length > 0 ? payload : undefined })
  }

  const welcome = (socket: WebSocket) => {
    if (open.size >= connectionLimit) {
      socket.send(JSON.stringify({ type: 'disconnect', reason: 'too_many_websockets', debug_info: debug }))
      socket.close()
      return
    }
    open.add(socket)
    const ping = setInterval(() => socket.ping('slack-workspace'), options.pingMs)
    socket.on('message', (data) => onMessage(String(data)))
    socket.on('error', () => socket.terminate())
    socket.once('close', () => {
      clearInterval(ping)
      open.delete(socket)
      options.onChange(open.size)
    })
    socket.send(
      JSON.stringify({
        type: 'hello',
        num_connections: open.size,
        debug_info: { ...debug, build_number: 1, approximate_connection_time: 18_060 },
        connection_info: { app_id: options.appId },
      }),
    )
    options.onChange(open.size)
  }

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const ticket = new URL(request.url ?? '/', 'http://localhost').searchParams.get('ticket') ?? ''
    if (!tickets.delete(ticket)) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n')
      return
    }
    server.handleUpgrade(request, socket, head, welcome)
  }

  const willing = () =>
    [...open].filter((socket) => socket.readyState === WebSocket.OPEN && !retired.has(socket))

  /** One connection, chosen at random, gets the payload; the ack may come back over any of them. */
  const send = (type: EnvelopeType, payload: Json, envelopeId: string = randomUUID()): Promise<Delivered> => {
    const sockets = willing()
    const socket = sockets[Math.floor(Math.random() * sockets.length)]
    if (!socket) return Promise.resolve({ acked: false, error: 'dispatch_failed' })
    return new Promise((resolve) => {
      const settle = (result: Delivered) => {
        clearTimeout(timer)
        timers.delete(timer)
        acks.delete(envelopeId)
        resolve(result)
      }
      const timer = setTimeout(() => settle({ acked: false, error: 'operation_timeout' }), options.ackMs)
      timers.add(timer)
      acks.set(envelopeId, settle)
      socket.send(
        JSON.stringify({
          envelope_id: envelopeId,
          payload,
          type,
          accepts_response_payload: type !== 'events_api',
          ...(type === 'events_api' ? { retry_attempt: 0, retry_reason: '' } : {}),
        }),
      )
    })
  }

  /** `warning` comes some seconds before the end, `refresh_requested` at the end, `link_disabled` when the app lost socket mode. */
  const refresh = (reason: 'warning' | 'refresh_requested' | 'link_disabled' = 'refresh_requested') => {
    for (const socket of open) {
      socket.send(JSON.stringify({ type: 'disconnect', reason, debug_info: debug }))
      if (reason === 'warning') continue
      retired.add(socket)
      const timer = setTimeout(() => socket.terminate(), refreshGraceMs)
      timers.add(timer)
      socket.once('close', () => {
        clearTimeout(timer)
        timers.delete(timer)
      })
    }
  }

  const disconnect = () => {
    for (const socket of open) socket.terminate()
  }

  const close = () => {
    for (const timer of timers) clearTimeout(timer)
    for (const settle of [...acks.values()]) settle({ acked: false, error: 'dispatch_failed' })
    for (const socket of server.clients) socket.terminate()
    server.close()
  }

  return { issueTicket, upgrade, send, refresh, disconnect, close, count: () => open.size }
}

export type Sockets = ReturnType<typeof createSockets>
