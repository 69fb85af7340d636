import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that a receiver of webhooks got. */
export type Received = { readonly headers: IncomingHttpHeaders; readonly body: string; readonly path: string }

export type Receiver = {
  readonly url: string
  readonly received: readonly Received[]
  /** Answers so from now on; at first with 204. */
  answer(listener: RequestListener): void
  /** Resolves with what it got as soon as that fits. */
  until(fits: (received: readonly Received[]) => boolean): Promise<readonly Received[]>
  close(): Promise<void>
}

export const status =
  (code: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    void response.writeHead(code, headers).end()

/** A receiver of webhooks on this machine. */
export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = []
  let listener: RequestListener = status(204)
  let waiting: (() => void)[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    received.push({ headers: request.headers, body, path: request.url ?? '' })
    for (const wake of waiting.splice(0)) wake()
    listener(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/geheim`,
    received,
    answer: (next) => {
      listener = next
    },
    async until(fits) {
      while (!fits(received)) await new Promise<void>((resolve) => waiting.push(resolve))
      return received
    },
    close: () =>
      new Promise((resolve) => {
        waiting = []
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
