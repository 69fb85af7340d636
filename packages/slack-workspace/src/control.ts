import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { basename, extname } from 'node:path'
import { readBody, sendJson } from './http.ts'
import type { Manifest } from './manifest.ts'
import type { State } from './state.ts'
import type { Change, Json } from './types.ts'

/** Panel that a host puts beside the workspace on its page. */
export type Panel = {
  /**
   * A file: the JavaScript module that draws it. It exports `createPanel(root, top, store, say)`, which gives an object with
   * `draw(state)`, or a promise of one. Its directory is served at `/panel/`.
   */
  readonly module: URL
  /** May be called at `POST /control/panel/<name>`. */
  readonly controls: Options['control']
  /** Pages that are made when somebody opens `/panel/<name>`: HTML with nothing but styles of its own; null: there is none. */
  readonly pages?: Readonly<Record<string, () => Promise<string | null> | null>>
  readonly state: () => Json
  readonly onChange: (listener: () => void) => void
}

type Options = {
  readonly state: State
  /** Functions that may be called at `POST /control/<name>`; a JSON array is the arguments, anything else the only one. */
  // biome-ignore lint/suspicious/noExplicitAny: the functions differ; each is called with what the page sent.
  readonly control: Readonly<Record<string, (...args: any[]) => unknown>>
  readonly origin: () => string
  /** Further origins under which it is reached. */
  readonly fronts: ReadonlySet<string>
  readonly commands: Manifest['commands']
  readonly shortcuts: Manifest['shortcuts']
  readonly socketCount: () => number
  readonly viaHttp: () => boolean
}

const pageDir = new URL('../page/', import.meta.url)
const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}
const heartbeatMs = 15_000
const security = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' https: data:; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

/** For pages of the host, which run nothing and load nothing. */
const still = {
  ...security,
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}

/** The page, its live updates, and the switches of the workspace. */
export const createControlApi = (options: Options) => {
  const { state } = options
  const listeners = new Set<ServerResponse>()

  const snapshot = (): Json => ({
    team: state.seed.team,
    app: state.seed.app,
    commands: options.commands,
    shortcuts: options.shortcuts,
    users: [...state.users.values()],
    channels: [...state.channels.values()],
    userGroups: [...state.userGroups.values()],
    messages: Object.fromEntries(state.messages),
    ephemerals: state.ephemerals,
    complaints: state.complaints,
    modals: Object.fromEntries(state.modals),
    homes: Object.fromEntries(state.homes),
    connection: { http: options.viaHttp(), sockets: options.socketCount() },
  })

  const tellAll = (change: Change) => {
    if (change.kind === 'request' || change.kind === 'interaction') return
    const line = `event: change\ndata: ${JSON.stringify(change)}\n\n`
    for (const listener of listeners) listener.write(line)
  }
  state.changes.on('change', tellAll)

  let panel: Panel | undefined
  const panelLine = (): string => {
    if (!panel) return ''
    const drawn = { module: `/panel/${basename(panel.module.pathname)}`, state: panel.state() }
    return `event: panel\ndata: ${JSON.stringify(drawn)}\n\n`
  }
  const attach = (given: Panel) => {
    panel = given
    given.onChange(() => {
      if (listeners.size === 0) return
      const line = panelLine()
      for (const listener of listeners) listener.write(line)
    })
  }
  const heartbeat = setInterval(() => {
    for (const listener of listeners) listener.write(': still here\n\n')
  }, heartbeatMs).unref()

  /** The whole state first, then every change, in one stream: so nothing falls between the two. */
  const stream = (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', ...security })
    response.write(`retry: 500\nevent: state\ndata: ${JSON.stringify(snapshot())}\n\n${panelLine()}`)
    listeners.add(response)
    response.once('close', () => listeners.delete(response))
  }

  const file = async (response: ServerResponse, directory: URL, name: string) => {
    const type = mediaTypes[extname(name)]
    if (!type || !/^[\w-]+(\/[\w-]+)*\.\w+$/.test(name))
      return sendJson(response, 404, { ok: false, error: 'not_found' })
    try {
      const content = await readFile(new URL(name, directory))
      response.writeHead(200, { 'content-type': type, ...security })
      response.end(content)
    } catch {
      sendJson(response, 404, { ok: false, error: 'not_found' })
    }
  }

  const ownPage = (pages: NonNullable<Panel['pages']>, name: string) =>
    Object.hasOwn(pages, name) ? pages[name] : undefined

  const madePage = async (response: ServerResponse, make: () => Promise<string | null> | null) => {
    const content = await make()
    if (content === null) return sendJson(response, 404, { ok: false, error: 'not_found' })
    response.writeHead(200, { 'content-type': mediaTypes['.html'], ...still })
    response.end(content)
  }

  const call = async (request: IncomingMessage, response: ServerResponse, name: string) => {
    const [table, own] = name.startsWith('panel/')
      ? [panel?.controls ?? {}, name.slice('panel/'.length)]
      : [options.control, name]
    const method = Object.hasOwn(table, own) ? table[own] : undefined
    if (!method) return sendJson(response, 404, { ok: false, error: 'unknown_control' })
    try {
      const body = await readBody(request)
      const given: unknown = body === '' ? [] : JSON.parse(body)
      const result = await method(...(Array.isArray(given) ? given : [given]))
      sendJson(response, 200, { ok: true, ...(result === undefined ? {} : { result }) })
    } catch (error) {
      sendJson(response, 400, { ok: false, error: error instanceof Error ? error.message : String(error) })
    }
  }

  /** Another site in the same browser must not press buttons here, nor reach us under a name of its own. */
  const isOurs = (request: IncomingMessage): boolean => {
    // Not as text: a browser leaves port 80 out.
    const here = new URL(options.origin()).origin
    const allowed = [here, here.replace('127.0.0.1', 'localhost'), ...options.fronts]
    const { host, origin } = request.headers
    return (
      URL.canParse(`http://${host}`) &&
      allowed.includes(new URL(`http://${host}`).origin) &&
      (origin === undefined || allowed.includes(origin))
    )
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (request.method === 'POST' && pathname.startsWith('/control/')) {
      return call(request, response, pathname.slice('/control/'.length))
    }
    if (request.method !== 'GET') return sendJson(response, 405, { ok: false, error: 'method_not_allowed' })
    if (pathname === '/control/events') return stream(response)
    if (pathname === '/control/state') return sendJson(response, 200, snapshot())
    if (pathname.startsWith('/page/')) return file(response, pageDir, pathname.slice('/page/'.length))
    const page = panel?.pages && ownPage(panel.pages, pathname.slice('/panel/'.length))
    if (page && pathname.startsWith('/panel/')) return madePage(response, page)
    if (panel && pathname.startsWith('/panel/'))
      return file(response, new URL('./', panel.module), pathname.slice('/panel/'.length))
    if (pathname === '/' || pathname.startsWith('/archives/')) return file(response, pageDir, 'index.html')
    sendJson(response, 404, { ok: false, error: 'not_found' })
  }

  const close = () => {
    clearInterval(heartbeat)
    for (const listener of listeners) listener.destroy()
    listeners.clear()
  }

  return { handle, isOurs, close, attach }
}
