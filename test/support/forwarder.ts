import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** An address that stays while the server behind it changes, as a virtual address or a DNS name does at a failover. */
export type Forwarder = {
  readonly port: number
  /** Cuts what is open; new connections go to this port of this machine. */
  moveTo(port: number): void
  /** Cuts what is open and refuses what is new, until it heals. */
  cut(): void
  /** Loses nothing and passes nothing on, until it heals: both sides wait. */
  hold(): void
  /** Keeps everything for so many milliseconds on its way, until it heals. */
  slow(ms: number): void
  heal(): void
  close(): Promise<void>
}

export async function startForwarder(target: number): Promise<Forwarder> {
  const host = '127.0.0.1'
  const open = new Set<Socket>()
  let isCut = false
  let slowMs = 0
  let held: { readonly until: Promise<void>; readonly end: () => void } | null = null

  /** Passes on what comes; whatever ends one side ends the other. */
  const pass = async (from: Socket, to: Socket) => {
    try {
      for await (const chunk of from) {
        if (slowMs > 0) await delay(slowMs)
        await held?.until
        if (!to.write(chunk)) await once(to, 'drain')
      }
      to.end()
    } catch {
      to.destroy()
    }
  }
  const server = createServer((near) => {
    if (isCut) {
      near.destroy()
      return
    }
    const far = connect(target, host)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket)
      socket
        .on('error', () => {})
        .once('close', () => {
          open.delete(socket)
          other.destroy()
        })
      void pass(socket, other)
    }
  })
  server.listen(0, host)
  await once(server, 'listening')
  const cutOpen = () => {
    for (const socket of open) socket.destroy()
  }
  const heal = () => {
    isCut = false
    slowMs = 0
    held?.end()
    held = null
  }
  return {
    port: (server.address() as AddressInfo).port,
    moveTo(port) {
      target = port
      cutOpen()
    },
    cut() {
      isCut = true
      cutOpen()
    },
    hold() {
      if (held) return
      const { promise, resolve } = Promise.withResolvers<void>()
      held = { until: promise, end: resolve }
    },
    slow(ms) {
      slowMs = ms
    },
    heal,
    async close() {
      server.close()
      cutOpen()
      heal()
      await once(server, 'close')
    },
  }
}
