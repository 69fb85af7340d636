import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a probe is told: `problems` is empty when all is well. */
export type Readiness = { readonly problems: readonly string[] }

export type HttpServer = { readonly port: number; close(): Promise<void> }

/** Slack's timestamps may be this old, and no further ahead: Bolt checks the first only. */
const clockSkewSeconds = 300

/**
 * `/healthz` (the process lives), `/readyz` (it can do its job, or why not) and, in http mode, `/slack/events`.
 * @param slack takes Slack's signed requests; null in socket mode
 */
export async function startHttp(settings: {
  readonly host: string
  readonly port: number
  readonly slack: RequestListener | null
  readonly ready: () => Readiness
  readonly now: () => number
}): Promise<HttpServer> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
    if (path === '/slack/events' && settings.slack) {
      const stamp = Number(request.headers['x-slack-request-timestamp'])
      if (stamp > settings.now() / 1000 + clockSkewSeconds)
        return answer(401, { error: 'timestamp in the future' })
      return settings.slack(request, response)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(405, { error: 'method not allowed' })
    if (path === '/healthz') return answer(200, { status: 'ok' })
    if (path === '/readyz') {
      const { problems } = settings.ready()
      return answer(problems.length === 0 ? 200 : 503, {
        status: problems.length === 0 ? 'ok' : 'not ready',
        problems,
      })
    }
    return answer(404, { error: 'not found' })
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
      }),
  }
}
