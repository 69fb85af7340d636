import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectSocket, createServer, type Socket } from 'node:net'
import type pg from 'pg'
import type { Tool } from './tools.ts'

/** Cost of one look. Null: it was given up. */
export type Cost = {
  /** CPU of the backends that serve it, milliseconds. */
  readonly serverMs: number
  /** CPU of this process, milliseconds. */
  readonly clientMs: number
  readonly wallMs: number
  readonly bytes: number
  /** The server gave up: everything above is what was spent until then. */
  readonly timedOut: boolean
}

/** CPU time of a process in nanoseconds: the first number of schedstat; `stat` counts in ticks of 10 ms only. */
const cpuNs = (pid: number): number => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0])

/** Measures the median cost of `times` looks, of each kind; fewer looks when one takes long. */
export async function measure(
  pids: readonly number[],
  times: number,
  look: () => Promise<{ readonly bytes: number; readonly timedOut: boolean }>,
): Promise<Cost> {
  const costs: Cost[] = []
  const budget = performance.now() + 1_500
  while (costs.length < times && (costs.length === 0 || performance.now() < budget)) {
    const serverBefore = pids.map(cpuNs)
    const clientBefore = process.cpuUsage()
    const started = performance.now()
    const { bytes, timedOut } = await look()
    const wallMs = performance.now() - started
    const { user, system } = process.cpuUsage(clientBefore)
    const serverMs = pids.reduce((sum, pid, index) => sum + cpuNs(pid) - (serverBefore[index] ?? 0), 0) / 1e6
    costs.push({ serverMs, clientMs: (user + system) / 1_000, wallMs, bytes, timedOut })
  }
  const middle = (of: (cost: Cost) => number): number =>
    costs.map(of).sort((a, b) => a - b)[Math.floor(costs.length / 2)] ?? 0
  return {
    serverMs: middle((cost) => cost.serverMs),
    clientMs: middle((cost) => cost.clientMs),
    wallMs: middle((cost) => cost.wallMs),
    bytes: middle((cost) => cost.bytes),
    timedOut: costs.some((cost) => cost.timedOut),
  }
}

/** One look with a tool's queries. */
export async function lookWith(client: pg.Client, tool: Tool) {
  const { stream } = client.connection
  const before = (stream as Socket).bytesRead
  let timedOut = false
  for (const text of tool.statements) {
    await client.query(text).catch((error) => {
      if (error.code !== '57014') throw error
      timedOut = true
    })
    if (timedOut) break
  }
  return { bytes: (stream as Socket).bytesRead - before, timedOut }
}

/** Counts what comes from the server; for bytes only, since it costs CPU itself. */
export async function countingProxy(host: string, port: number) {
  let bytes = 0
  const sockets = new Set<Socket>()
  const proxy = createServer((socket) => {
    const server = connectSocket(port, host)
    for (const one of [socket, server]) sockets.add(one.on('error', () => {}))
    server.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.pipe(server).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    bytes: () => bytes,
    /** Ports of its own connections to the server. */
    ports: () => [...sockets].flatMap((socket) => socket.localPort ?? []),
    close: () => {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
