import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One event that the bot sent to the pager, as PagerDuty's Events API v2 takes it. */
export type PagerEvent = {
  readonly at: number
  readonly action: 'trigger' | 'acknowledge' | 'resolve'
  /** The same for all events of one incident. */
  readonly key: string
  readonly severity: string
  readonly summary: string
}

export type Pager = {
  /** Address for `notify.webhooks`. */
  readonly url: string
  /** The last ones, newest first. */
  events(): readonly PagerEvent[]
  close(): Promise<void>
}

const mostKept = 50
/** More than any event is long. */
const mostBytes = 512 * 1024

/**
 * Plays the pager: takes what PagerDuty would take, on the loopback interface, and shows it.
 * @param heard is called with each event
 */
export async function openPager(heard: (event: PagerEvent) => void): Promise<Pager> {
  const events: PagerEvent[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
      if (body.length > mostBytes) request.destroy()
    })
    request.on('end', () => {
      const event = readEvent(body)
      if (event) {
        events.unshift(event)
        events.length = Math.min(events.length, mostKept)
        heard(event)
      }
      response.writeHead(event ? 202 : 400, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ status: event ? 'success' : 'invalid event' }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v2/enqueue`,
    events: () => events,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function readEvent(body: string): PagerEvent | null {
  try {
    const { event_action: action, dedup_key: key, payload = {} } = JSON.parse(body)
    if (!['trigger', 'acknowledge', 'resolve'].includes(action) || typeof key !== 'string') return null
    const { severity = '', summary = '' } = payload
    return { at: Date.now(), action, key, severity: String(severity), summary: String(summary) }
  } catch {
    return null
  }
}
