import { createServer, type Socket } from 'node:net'

/** A server that speaks the protocol as far as a test lets it. */
export type HostileServer = { readonly url: string; close(): Promise<void> }

export const message = (type: string, body: Buffer = Buffer.alloc(0), length = body.length + 4): Buffer => {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, body])
}
export const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
export const ready = message('Z', Buffer.from('I'))
export const loggedIn = Buffer.concat([message('R', int32(0)), message('K', Buffer.alloc(8, 1)), ready])

/**
 * `answer` is called for the startup packet (`phase` 0) and for each further piece that arrives (1, 2, …).
 */
export async function startHostileServer(
  answer: (socket: Socket, phase: number, received: Buffer) => void,
  query = '',
): Promise<HostileServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let phase = 0
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => answer(socket, phase++, data))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return {
    url: `postgres://marshal:hunter2@127.0.0.1:${port}/postgres${query}`,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
