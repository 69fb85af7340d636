import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** An address that stays while the server behind it changes, as a virtual address or a DNS name does at a failover. */
export type Forwarder = {
  readonly port: number
  /** Cuts what is open; new connections go to this port of this machine. */
  moveTo(port: number): void
  close(): Promise<void>
}

export async function startForwarder(target: number): Promise<Forwarder> {
  const host = '127.0.0.1'
  const open = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(target, host)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket)
      // Whatever ends one side ends the other.
      socket
        .on('error', () => {})
        .once('close', () => {
          open.delete(socket)
          other.destroy()
        })
    }
    near.pipe(far).pipe(near)
  })
  server.listen(0, host)
  await once(server, 'listening')
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    moveTo(port) {
      target = port
      cut()
    },
    async close() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
