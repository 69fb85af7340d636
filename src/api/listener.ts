import type { EventEmitter } from 'node:events'
import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Requests } from '../actions/request.ts'
import type { Past } from '../answers/openCards.ts'
import type { PastLooks } from '../answers/record.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { ApiToken } from '../config/api.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { createAsks } from './asks.ts'
import { createLooks, longestText } from './looks.ts'
import { createMcpEndpoint } from './mcp/endpoint.ts'
import { createApi } from './routes.ts'
import { createTokens } from './tokens.ts'

/** Everything that programs look at, and ask through. */
export type ForPrograms = {
  /** Returns the tokens of the configuration that holds now. */
  readonly tokens: () => readonly ApiToken[]
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly requests: Pick<Requests, 'byProgram'>
  readonly store: Store
  readonly past: Past
  readonly record: PastLooks | null
  readonly maskText: (text: string | null) => string | null
  readonly linkTo: (cardId: string) => Promise<string | null>
  /** Finds the address also of a card that is on its way. */
  readonly patientLinkTo: (cardId: string) => Promise<string | null>
  readonly version: string
  readonly now: () => number
  readonly steady: () => number
  readonly log: Log
}

/** Makes what answers the requests of programs: the API, and MCP. */
export function createProgramListener(
  deps: ForPrograms & {
    readonly changes: EventEmitter<{ changed: [] }>
    /** Those who wait are answered with what there is. */
    readonly stopping: AbortSignal
  },
): RequestListener {
  const { store } = deps
  const tokens = createTokens(deps.tokens)
  const maskText = (text: string | null) => {
    const masked = deps.maskText(text)
    return masked === null ? null : shorten(masked)
  }
  const looks = createLooks({ ...deps, tokens, maskText })
  const asks = createAsks({
    ...{ ...deps, maskText, tokens },
    proposals: store.proposals,
    messages: store.messages,
  })
  const mcp = createMcpEndpoint({ ...deps, tokens, looks, asks })
  return getRequestListener(createApi({ ...deps, tokens, looks, asks, mcp }).fetch)
}

/** Cuts a statement to what programs get; a character that would be cut in two goes. */
function shorten(statement: string): string {
  const bytes = Buffer.from(statement)
  return bytes.length <= longestText
    ? statement
    : new TextDecoder().decode(bytes.subarray(0, longestText), { stream: true })
}
