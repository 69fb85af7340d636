import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Exposition } from './metrics.ts'
import type { Readiness } from './readiness.ts'

export type HttpServer = { readonly port: number; close(): Promise<void> }

/** Slack's timestamps may be this old, and no further ahead: Bolt checks the first only. */
const clockSkewSeconds = 300

/** Decides whether a path belongs to the API. */
const isForPrograms = (path: string): boolean =>
  path === '/api' || path.startsWith('/api/') || path === '/mcp'

/** Time for which running requests may go on when the server closes. */
const closeGraceMs = 1000

/**
 * Anybody may open connections here and say nothing, or say it slowly. Slack answers its people after three seconds, so
 * whoever needs longer is not Slack.
 */
const usualLimits = {
  /** Largest number of connections at the same time; one more, and the oldest is closed. */
  connections: 128,
  /** For the headers of a request, from the opening of the connection. */
  headersMs: 5000,
  /** For a whole request. */
  requestMs: 10_000,
  /** Between two requests over one connection. */
  idleMs: 5000,
  /** Between two looks at all that. */
  checkMs: 1000,
}

type HttpReply = { readonly status: number; readonly contentType: string; readonly body: string }

const json = (status: number, body: object): HttpReply => ({
  status,
  contentType: 'application/json',
  body: `${JSON.stringify(body)}\n`,
})

/**
 * `/healthz` (the process lives), `/readyz` (it can do its job, or why not), `/metrics` for Prometheus, `/api/…` and `/mcp`
 * for programs and, in http mode, `/slack/events`.
 * @param slack takes Slack's signed requests; null in socket mode
 */
export async function startHttp(settings: {
  readonly host: string
  readonly port: number
  readonly slack: RequestListener | null
  /** Takes the requests of programs. */
  readonly programs?: RequestListener
  readonly ready: () => Readiness
  readonly metrics?: () => Promise<Exposition>
  readonly now: () => number
  readonly limits?: Partial<typeof usualLimits>
}): Promise<HttpServer> {
  const { slack, programs, ready, metrics, now } = settings
  const limits = { ...usualLimits, ...settings.limits }
  const pages: Readonly<Record<string, () => HttpReply | Promise<HttpReply>>> = {
    '/healthz': () => json(200, { status: 'ok' }),
    '/readyz': () => {
      const { stops, degrades, watching } = ready()
      const problems = [...stops, ...degrades]
      const status = stops.length > 0 ? 'not ready' : degrades.length > 0 ? 'degraded' : 'ok'
      return json(stops.length > 0 ? 503 : 200, { status, problems, watching })
    },
    ...(metrics && { '/metrics': async () => ({ status: 200, ...(await metrics()) }) }),
  }
  const reply = async (method: string | undefined, path: string): Promise<HttpReply> => {
    if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'method not allowed' })
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    return page ? page() : json(404, { error: 'not found' })
  }

  const patience = {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: limits.checkMs,
  }
  const server = createServer(patience, (request, response) => {
    // Anybody may send what is no path (`GET //`): that must not throw.
    const path = URL.parse(request.url ?? '/', 'http://localhost')?.pathname ?? ''
    const answer = ({ status, contentType, body }: HttpReply) =>
      response.writeHead(status, { 'content-type': contentType }).end(body)
    if (path === '/slack/events' && slack && request.method === 'POST') {
      const stamp = Number(request.headers['x-slack-request-timestamp'])
      if (stamp > now() / 1000 + clockSkewSeconds)
        return answer(json(401, { error: 'timestamp in the future' }))
      return slack(request, response)
    }
    if (programs && isForPrograms(path)) return programs(request, response)
    // What went wrong may name a path or an address; who scrapes needs to know only that it did.
    return reply(request.method, path).then(answer, () => answer(json(500, { error: 'internal error' })))
  })
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    // Not the newest: that may be Slack, while somebody holds all the others.
    const [oldest] = open
    if (open.size > limits.connections) oldest?.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(settings.port, settings.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        // A request that never comes to its end must not keep the process.
        setTimeout(() => server.closeAllConnections(), closeGraceMs).unref()
      }),
  }
}
