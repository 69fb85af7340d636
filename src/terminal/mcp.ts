import {
  isJSONRPCErrorResponse,
  type JSONRPCMessage,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import type { Env } from '../config/config.ts'
import { problemIn, type RemoteSettings, remoteFrom, unreachable } from './remote.ts'

/**
 * `mcp`: a bridge for a client that speaks over stdin and stdout, as on a laptop. Every message goes to the bot as it is,
 * with the token, and its answers come back. It ends with its input.
 */
export async function mcp(env: Env): Promise<0> {
  const settings = remoteFrom(env)
  const client = new StdioServerTransport()
  const bot = new StreamableHTTPClientTransport(new URL('/mcp', settings.url), {
    requestInit: { headers: { authorization: `Bearer ${settings.token}` } },
  })
  /** Requests without an answer, so that they can be called off. */
  const running = new Map<string | number, AbortController>()

  client.onmessage = (message) => void forward(message)
  bot.onmessage = (message) => {
    if ('id' in message && message.id !== undefined) running.delete(message.id)
    void client.send(message)
  }
  const closed = new Promise<void>((resolve) => {
    client.onclose = resolve
  })
  await bot.start()
  await client.start()
  await closed
  await bot.close()
  return 0

  async function forward(message: JSONRPCMessage): Promise<void> {
    if ('method' in message && message.method === 'notifications/cancelled') {
      const { requestId } = message.params ?? {}
      if (typeof requestId === 'string' || typeof requestId === 'number') running.get(requestId)?.abort()
    }
    if (!('method' in message && 'id' in message)) return bot.send(message).catch(() => {})
    const { id } = message
    const call = new AbortController()
    running.set(id, call)
    // Over stdio every request has an answer, unless it was called off.
    const end = (error: unknown) => {
      if (running.delete(id) && !call.signal.aborted) void client.send(failed(id, error, settings))
    }
    return bot
      .send(message, { requestSignal: call.signal, onRequestStreamEnd: () => end(null) })
      .catch((error: unknown) => end(error))
  }
}

/** Makes of an answer that is none of the protocol one that is. */
function failed(id: string | number, error: unknown, settings: RemoteSettings): JSONRPCMessage {
  const said = error instanceof SdkHttpError ? parsed(error.data.text) : null
  if (isJSONRPCErrorResponse(said) && said.id === id) return said
  const { message } =
    error instanceof SdkHttpError ? problemIn(said, error.data.status) : unreachable(settings, error)
  return { jsonrpc: '2.0', id, error: { code: -32_603, message } }
}

function parsed(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return null
  }
}
