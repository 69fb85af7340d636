import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseArguments } from './arguments.ts'
import type { Faults } from './faults.ts'
import { readBody, sendJson } from './http.ts'
import { chatMethods } from './methodsChat.ts'
import { type Files, fileMethods } from './methodsFiles.ts'
import { readMethods } from './methodsRead.ts'
import { viewMethods } from './methodsViews.ts'
import type { Pacing } from './pacing.ts'
import type { Sockets } from './sockets.ts'
import type { State } from './state.ts'
import { type Json, SlackRefusal } from './types.ts'
import type { Triggers, Views } from './views.ts'

export type Tokens = { readonly bot: string; readonly app: string }

export type MethodContext = {
  readonly state: State
  readonly views: Views
  readonly triggers: Triggers
  readonly sockets: Sockets
  readonly scopes: ReadonlySet<string>
  readonly hasHome: boolean
  readonly tokens: Tokens
  readonly files: Files
  readonly baseUrl: () => string
}

export type Method = {
  /** Kind of token that it takes; the bot's if absent. */
  readonly token?: 'bot' | 'app'
  readonly scope?: (state: State, args: Json) => string
  readonly run: (context: MethodContext, args: Json, token: string) => Json
}

const rootMethods: Readonly<Record<string, Method>> = {
  'api.test': { run: (_context, args) => ({ args }) },
  'auth.test': {
    run: ({ state: { seed }, baseUrl }) => ({
      url: `${baseUrl()}/`,
      team: seed.team.name,
      user: seed.app.name,
      team_id: seed.team.id,
      user_id: seed.app.botUserId,
      bot_id: seed.app.botId,
      is_enterprise_install: false,
    }),
  },
  'apps.connections.open': {
    token: 'app',
    run: ({ sockets, baseUrl, state }) => ({
      url: `${baseUrl().replace(/^http/, 'ws')}/link/?ticket=${sockets.issueTicket()}&app_id=${state.seed.app.id}`,
    }),
  },
}

const methods: Readonly<Record<string, Method>> = {
  ...rootMethods,
  ...chatMethods,
  ...fileMethods,
  ...readMethods,
  ...viewMethods,
}

const check = (context: MethodContext, method: Method, token: string, args: Json): void => {
  if (token === '') throw new SlackRefusal('not_authed')
  const kind = token === context.tokens.bot ? 'bot' : token === context.tokens.app ? 'app' : undefined
  if (!kind) throw new SlackRefusal('invalid_auth')
  if (kind !== (method.token ?? 'bot')) throw new SlackRefusal('not_allowed_token_type')
  const needed = method.scope?.(context.state, args)
  if (needed && !context.scopes.has(needed)) {
    throw new SlackRefusal('missing_scope', { needed, provided: [...context.scopes].join(',') })
  }
}

/** Answers `/api/<method>` as https://docs.slack.dev/apis/web-api/ describes: always 200, except for 429 and trouble. */
export const createWebApi = (
  contextOf: (request: IncomingMessage) => MethodContext,
  faults: Faults,
  pacing: Pacing,
) => {
  const answer = (context: MethodContext, name: string, args: Json, token: string): Json => {
    try {
      const method = Object.hasOwn(methods, name) ? methods[name] : undefined
      if (!method) throw new SlackRefusal('unknown_method', { req_method: name })
      check(context, method, token, args)
      return { ok: true, ...method.run(context, args, token) }
    } catch (error) {
      if (!(error instanceof SlackRefusal)) throw error
      return { ok: false, error: error.code, ...error.extra }
    }
  }

  return async (request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> => {
    const context = contextOf(request)
    const { state, scopes } = context
    const name = url.pathname.slice('/api/'.length)
    const body = await readBody(request)
    let given: Json
    try {
      given = await parseArguments(url.searchParams, request.headers['content-type'] ?? '', body)
    } catch (error) {
      sendJson(response, 200, {
        ok: false,
        error: error instanceof SlackRefusal ? error.code : 'fatal_error',
      })
      return
    }
    const { token: inBody, ...args } = given
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? String(inBody ?? '')
    await faults.respond(
      { method: name, response, headers: { 'x-oauth-scopes': [...scopes].join(',') } },
      () => pacing.refuse(name, args) ?? { status: 200, body: answer(context, name, args, token) },
      (result) => state.log({ method: name, args, at: state.now(), ...(result ? { response: result } : {}) }),
    )
  }
}
