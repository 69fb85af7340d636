import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import {
  afterLook,
  afterReply,
  createHeartbeat,
  type Heartbeat,
  type HeartbeatReply,
  type Pulse,
} from '../../src/watch/heartbeat.ts'
import { logTo } from '../support/cluster.ts'
import { waitFor } from '../support/postgres.ts'

const all = ['a', 'b']
const fresh: Pulse = { missing: new Set(all), failures: 0, notBefore: 0 }

describe('the cycle', () => {
  /** `a+` is a look that saw a, `a-` one that did not; `|` stands where a heartbeat goes. */
  const play = (looks: string, slackWorks = true, notBefore = 0) => {
    let pulse: Pulse = { ...fresh, notBefore }
    return looks
      .split(' ')
      .map((look) => {
        const next = afterLook(
          pulse,
          { cluster: look[0] ?? '', seen: look[1] === '+' },
          { clusters: all, allElse: slackWorks, now: 100 },
        )
        pulse = next.pulse
        return next.beat ? `${look} |` : look
      })
      .join(' ')
  }

  it.each([
    ['a+ b+', 'a+ b+ |'],
    ['b+ b+ b+ a+ a+ b+', 'b+ b+ b+ a+ | a+ b+ |'],
    ['a+ b- b- b+ a+', 'a+ b- b- b+ | a+'],
    ['a+ a- b+ a+', 'a+ a- b+ a+ |'],
    ['a+ a+ a+', 'a+ a+ a+'],
  ])('%s', (looks, expected) => {
    expect(play(looks)).toBe(expected)
  })

  it('is full without a heartbeat while Slack does not take messages, or the last one was not taken', () => {
    expect(play('a+ b+ a+ b+', false)).toBe('a+ b+ a+ b+')
    expect(play('a+ b+', true, 101)).toBe('a+ b+')
    expect(play('a+ b+', true, 100)).toBe('a+ b+ |')
  })
})

describe('what the other side says', () => {
  const pauses = (...replies: HeartbeatReply[]) => {
    let pulse = fresh
    return replies.map((reply) => {
      pulse = afterReply(pulse, reply, 1000)
      return pulse.notBefore - 1000
    })
  }
  const ok = { status: 204, retryAfterMs: 0 }
  const broken = { status: 500, retryAfterMs: 0 }

  it('backs off, a minute at most, and begins again when it was taken', () => {
    const refused = { code: 'ECONNREFUSED' }
    expect(pauses(ok, broken, refused, { status: 301, retryAfterMs: 0 }, ok, broken)).toEqual([
      0, 1000, 2000, 4000, 0, 1000,
    ])
    expect(pauses(...Array.from({ length: 9 }, () => broken)).slice(-3)).toEqual([60_000, 60_000, 60_000])
  })

  it('waits as long as it is asked to', () => {
    expect(pauses({ status: 503, retryAfterMs: 30_000 })).toEqual([30_000])
    expect(pauses({ status: 429, retryAfterMs: 0 })).toEqual([15_000])
    expect(pauses({ status: 429, retryAfterMs: 3_600_000 })).toEqual([60_000])
  })
})

describe('a heartbeat', () => {
  let server: Server
  let heartbeat: Heartbeat
  afterEach(async () => {
    await heartbeat.stop()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  /** Every request is handed to `answer`. */
  async function start(answer: (response: ServerResponse, request: IncomingMessage) => void) {
    const lines: string[] = []
    const requests: string[] = []
    let time = 1_000_000
    server = createServer((request, response) => {
      if (request.url === '/barrier') return response.end()
      requests.push(`${request.method} ${request.url}`)
      return answer(response, request)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    let slackWorks = true
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    heartbeat = createHeartbeat({
      url: `${address}/ping/secret-uuid`,
      clusters: () => all,
      allElse: () => slackWorks,
      log: logTo(lines),
      steady: () => time,
    })
    return {
      lines,
      requests,
      pass: (ms: number) => {
        time += ms
      },
      slack: (works: boolean) => {
        slackWorks = works
      },
      cycle: () => {
        for (const cluster of all) heartbeat.looked(cluster, true)
      },
      /** What was sent before has arrived after it: connections are taken in order. */
      barrier: () => fetch(`${address}/barrier`, { headers: { connection: 'close' } }),
      arrived: (count: number) => waitFor(() => requests.length >= count, `${count} requests`),
    }
  }

  it('goes after each full cycle, with a plain GET', async () => {
    const room = await start((response) => response.end('OK'))
    heartbeat.looked('a', true)
    heartbeat.looked('b', false)
    room.cycle()
    await room.arrived(1)
    // The next one goes when the first has come back: cycles in between are skipped, not queued.
    await waitFor(() => {
      room.cycle()
      return room.requests.length === 2
    }, 'the second')
    expect(new Set(room.requests)).toEqual(new Set(['GET /ping/secret-uuid']))
    expect(room.lines).toEqual([])
  })

  it('does not go while Slack does not take messages', async () => {
    const room = await start((response) => response.end())
    room.slack(false)
    room.cycle()
    await room.barrier()
    expect(room.requests).toHaveLength(0)
    room.slack(true)
    room.cycle()
    await room.arrived(1)
  })

  it('backs off when it is not taken, says so once and without the address, and that it is taken again', async () => {
    let status = 503
    const room = await start((response) => response.writeHead(status).end())
    room.cycle()
    await waitFor(() => room.lines.length === 1, 'it is said')
    room.cycle()
    room.pass(999)
    room.cycle()
    await room.barrier()
    expect(room.requests).toHaveLength(1)
    room.pass(1)
    room.cycle()
    await room.arrived(2)
    // Until its reply is worked in, nothing goes; then it waits for twice as long.
    await waitFor(() => {
      room.pass(1999)
      status = 200
      room.cycle()
      return room.lines.length === 2
    }, 'it is taken again')
    expect(room.lines.map((line) => JSON.parse(line).msg)).toEqual([
      'the heartbeat was not taken',
      'the heartbeat is taken again',
    ])
    expect(room.lines.join()).not.toContain('secret-uuid')
  })

  it('reports a refused connection by its code', async () => {
    const room = await start((response) => response.socket?.destroy())
    room.cycle()
    await waitFor(() => room.lines.length === 1, 'it is said')
    expect(JSON.parse(room.lines[0] ?? '')).toMatchObject({ reply: { code: 'ECONNRESET' } })
    expect(room.lines.join()).not.toContain('127.0.0.1')
  })

  it('stops at once, even under a request that hangs', async () => {
    const room = await start(() => {})
    room.cycle()
    await room.arrived(1)
    await heartbeat.stop()
    room.cycle()
    await room.barrier()
    expect(room.requests).toHaveLength(1)
    expect(room.lines).toEqual([])
  })

  it('does not wait for a long answer to end', async () => {
    const ends: Promise<unknown>[] = []
    const room = await start((response) => {
      ends.push(once(response, 'close'))
      response.write('x')
    })
    room.cycle()
    await room.arrived(1)
    await Promise.all(ends)
    await waitFor(() => {
      room.cycle()
      return room.requests.length === 2
    }, 'the next one goes')
  })
})

it('a heartbeat goes nowhere where nobody listens', async () => {
  const asked = () => {
    throw new Error('nobody has to ask')
  }
  const none = createHeartbeat({
    url: null,
    clusters: asked,
    allElse: asked,
    log: logTo([]),
    steady: asked,
  })
  none.looked('a', true)
  none.idled()
  await expect(none.stop()).resolves.toBeUndefined()
})
