import type { webApi } from '@slack/bolt'
import {
  type AnyBlock,
  canBePlain,
  chartKind,
  chartStandIns,
  inPlain,
  isBlock,
} from '../views/plainBlocks.ts'

/** Calls over HTTP, as the Slack SDK makes them. */
export type Fetch = (...args: Parameters<webApi.FetchFunction>) => Promise<Response>

/** Kinds of blocks that the workspace refuses. */
export type RefusedBlocks = {
  /** Those that are refused now. */
  kinds(): ReadonlySet<string>
  /** Takes over what an earlier process learned. */
  remember(kind: string, at: number): void
  /** Calls Slack as `fetch` does; what a workspace does not know goes again as plain sections with the same buttons. */
  wrap(fetch: Fetch): Fetch
}

/** After so long a kind is tried again: a workspace learns new ones. */
export const tryAgainMs = 86_400_000

/** Decides whether a kind that was refused at this time is still written plainly. A time to come is of a wrong clock. */
export const isStillRefused = (at: number, now: number): boolean => at <= now && now - at < tryAgainMs

/**
 * Slack's codes for blocks that it does not take: https://docs.slack.dev/reference/methods/chat.postMessage#errors. Of a view
 * it says `invalid_arguments`, and where: https://docs.slack.dev/reference/methods/views.open#errors
 */
const blockCodes: readonly unknown[] = ['invalid_blocks', 'invalid_attachments']
const viewCode = 'invalid_arguments'

/** Place of a fault in the call, as a JSON pointer: https://docs.slack.dev/reference/methods/chat.postMessage#errors */
const pointerIn = /\[json-pointer:(?:\/view)?\/blocks\/(\d+)(\/type)?/

/**
 * Remembers kinds of blocks that the workspace refuses for a day. A kind is only remembered where Slack points to its type,
 * or points to nothing: a block with another fault goes as plain sections this once.
 * @param learned is called with each kind that is new
 * @param bare is called with the kinds in a message of which Slack took the text alone
 */
export function createRefusedBlocks(deps: {
  readonly now: () => number
  readonly learned: (kind: string, at: number) => void
  readonly bare: (kinds: readonly string[]) => void
}): RefusedBlocks {
  const { now, learned, bare } = deps
  const since = new Map<string, number>()
  /** By the kinds in a message: a limit in between must not make us begin again. */
  const failed = new Map<string, Search>()

  const kinds = () => new Set([...since].flatMap(([kind, at]) => (isStillRefused(at, now()) ? [kind] : [])))

  function refused(kind: string) {
    const isNew = !kinds().has(kind)
    const at = now()
    since.set(kind, at)
    if (isNew) learned(kind, at)
  }

  return {
    kinds,
    remember: (kind, at) => since.set(kind, at),
    wrap: (fetch) => async (url, init) => {
      const call = readCall(init?.body)
      if (!call) return fetch(url, init)
      const kindsIn = [...new Set(call.blocks.map(({ type }) => type))].sort()
      const make = kindsIn.join(' ')
      const search = failed.get(make) ?? { tried: new Set<string>(), suspects: null, isKind: true }
      for (;;) {
        const known = kinds()
        const way = nextWay(call.blocks, known, search)
        const blocks = way && inPlain(call.blocks, new Set([...known, ...way]))
        // An alert without its buttons is better than none: its text says what is wrong.
        const body = blocks ? call.write(blocks) : call.bare()
        if (body === null) {
          failed.delete(make)
          return fetch(url, init)
        }
        const response = await fetch(url, { ...init, body })
        const answer = await answerOf(response, call.isView)
        if (answer === 'other') return response
        if (answer === 'taken' || !blocks) {
          failed.delete(make)
          if (answer === 'taken' && !blocks) bare(kindsIn)
          if (answer === 'taken' && search.isKind) for (const kind of way ?? []) refused(kind)
          return response
        }
        search.tried.add(nameOf(way))
        failed.set(make, search)
        const named = answer.flatMap(({ index }) => blocks[index]?.type ?? []).filter(canBePlain)
        // What stands in for one kind may be refused as well.
        search.suspects = named.length > 0 ? [...new Set([...(search.suspects ?? []), ...named])] : null
        search.isKind = answer.every(({ isType }) => isType)
      }
    },
  }
}

/** Ways that were tried for messages of the same kinds, and what Slack said last. */
type Search = {
  readonly tried: Set<string>
  suspects: readonly string[] | null
  isKind: boolean
}

const nameOf = (way: readonly string[]): string => [...way].sort().join(' ')

/**
 * Chooses what to write plainly next: nothing, what Slack points to, each kind alone, the newest first, then all. Undefined:
 * all was tried.
 */
function nextWay(
  blocks: readonly AnyBlock[],
  known: ReadonlySet<string>,
  { tried, suspects }: Search,
): readonly string[] | undefined {
  const types = new Set(blocks.map(({ type }) => type))
  const unknown = (kind: string) => canBePlain(kind) && !known.has(kind)
  const standIns = types.has(chartKind) ? chartStandIns.filter(unknown) : []
  // A workspace knows the newest kind last.
  const kinds = [...types].filter(unknown).sort((a, b) => Number(b === chartKind) - Number(a === chartKind))
  const all = [...new Set([...kinds, ...standIns])]
  const ways = [[], ...(suspects ? [suspects] : []), ...kinds.map((kind) => [kind]), all]
  return ways.find((way) => !tried.has(nameOf(way)))
}

type Call = {
  readonly isView: boolean
  readonly blocks: readonly AnyBlock[]
  write(blocks: readonly AnyBlock[]): string
  /** The same without blocks; null where there would be nothing left. */
  bare(): string | null
}

/** Reads a call with blocks: of the Web API (a form) or of a `response_url` (JSON); null for all others. */
function readCall(body: unknown): Call | null {
  if (typeof body !== 'string') return null
  const json = body.startsWith('{') ? objectIn(body) : null
  const form = json ? null : new URLSearchParams(body)
  const view = form ? objectIn(form.get('view')) : null
  const found: unknown = json ? json.blocks : (view?.blocks ?? valueIn(form?.get('blocks')))
  if (!Array.isArray(found) || found.length === 0 || !found.every(isBlock)) return null
  const write = (blocks: readonly AnyBlock[]) => {
    if (json) return JSON.stringify({ ...json, blocks })
    const [name, value] = view ? (['view', { ...view, blocks }] as const) : (['blocks', blocks] as const)
    const changed = new URLSearchParams(body)
    changed.set(name, JSON.stringify(value))
    return changed.toString()
  }
  const text = json ? json.text : form?.get('text')
  return { isView: view !== null, blocks: found, write, bare: () => (!view && text ? write([]) : null) }
}

function valueIn(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}

function objectIn(text: string | null): Readonly<Record<string, unknown>> | null {
  const value = valueIn(text)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
}

type Fault = { readonly index: number; readonly isType: boolean }

/** Reads where Slack finds fault with blocks (nowhere: an empty list), or that it took them; other errors say neither. */
async function answerOf(response: Response, isView: boolean): Promise<readonly Fault[] | 'taken' | 'other'> {
  const body = await response.clone().text()
  // A response_url may answer with the bare code.
  const answer: Readonly<Record<string, unknown>> = objectIn(body) ?? { error: body.trim() }
  const details = answer.response_metadata
  const messages = details instanceof Object ? Reflect.get(details, 'messages') : null
  const faults = (Array.isArray(messages) ? messages : []).flatMap((message): Fault[] => {
    const found = pointerIn.exec(String(message))
    return found ? [{ index: Number(found[1]), isType: found[2] !== undefined }] : []
  })
  if (blockCodes.includes(answer.error)) return faults
  if (isView && answer.error === viewCode && faults.length > 0) return faults
  // A response_url says ok in a word, or nothing at all.
  const isFault = 'ok' in answer ? answer.ok !== true : !['', 'ok'].includes(body.trim())
  return response.ok && !isFault ? 'taken' : 'other'
}
