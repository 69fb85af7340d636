import { readFileSync } from 'node:fs'
import fc from 'fast-check'

/** Calls and texts that nobody means well with: some from a corpus, the rest made of it and of chance. */

const corpus: readonly string[] = JSON.parse(
  readFileSync(new URL('./hostileTexts.json', import.meta.url), 'utf8'),
)

/** Stands in the constants and comments of all statements here, and nowhere else: none may be seen. */
export const canary = 'GEHEIM4711'
const canaryNumber = '47114711'
export const canaries = new RegExp(`${canary}|${canaryNumber}`, 'i')

export const hostileText = fc.oneof(
  fc.constantFrom(...corpus),
  fc.array(fc.constantFrom(...corpus), { maxLength: 4 }).map((some) => some.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 400 }),
)

/** A constant or a comment with the canary in it, which ends where it should. */
const constant = hostileText.chain((text) =>
  fc.constantFrom(
    `'${without(text, /['\\\0]/g)}${canary}'`,
    `E'\\'${without(text, /['\\\0]/g)}${canary}'`,
    `$$${without(text, /[$\0]/g)}${canary}$$`,
    `$t$${without(text, /[$\0]/g)}${canary}$t$`,
    `/* /* ${without(text, /[*/=:\0]/g)} */ ${canary} */`,
    `/*password='${canary}',action='create'*/`,
    `-- ${without(text, /[\r\n\0]/g)}${canary}\n`,
    ` ${canaryNumber} `,
  ),
)

const without = (text: string, what: RegExp): string => text.replace(what, '').slice(0, 200)

/** A statement, most of which no server takes. */
export const hostileStatement = fc
  .tuple(
    fc.constantFrom('SELECT', 'UPDATE orders SET state =', 'COPY', 'NOTIFY x,', '', 'SELECT pg_sleep'),
    fc.array(constant, { minLength: 1, maxLength: 6 }),
    fc.constantFrom(...['', "'", '$q$', '/*', '--', 'E'].map((end) => (end === '' ? '' : `${end}${canary}`))),
  )
  .map(([verb, parts, cut]) => `${verb} ${parts.join(' ')} ${cut === `E${canary}` ? '' : cut}`)

/** Sessions that there are, and proposals that were made: what the calls may name. */
export type Known = { readonly pids: readonly number[]; readonly proposals: readonly string[] }

export type HostileCall = {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly headers: Readonly<Record<string, string>>
  /** Place of the program in the list of tokens; null: none that is known. */
  readonly program: number | null
}

const encoded = hostileText.map((text) => encodeURIComponent(text.toWellFormed()).slice(0, 2000))
const cluster = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('orders', 'stock') },
  { weight: 1, arbitrary: encoded },
)
const query = (...names: string[]) =>
  fc
    .dictionary(
      fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...names, 'limit', 'after') }, encoded),
      fc.oneof(encoded, fc.constantFrom('1', '2', '200', '10m', 'web')),
      { maxKeys: 3 },
    )
    .map((all) =>
      Object.entries(all)
        .map(([key, value]) => `${key}=${value}`)
        .join('&'),
    )
const headers = fc.dictionary(
  fc.constantFrom('idempotency-key', 'if-none-match', 'accept', 'x-http-method-override', 'x-forwarded-for'),
  fc.string({ maxLength: 220 }).map((text) => text.replace(/[^\x20-\x7e]/g, '?')),
  { maxKeys: 2 },
)

/** Makes a call, most of which get further than the first check. */
export function hostileCall(programs: number, known: () => Known): fc.Arbitrary<HostileCall> {
  const program = fc.oneof(
    { weight: 40, arbitrary: fc.nat(programs - 1) },
    { weight: 1, arbitrary: fc.constant(null) },
  )
  const pid = fc.oneof(
    { weight: 3, arbitrary: fc.nat().map((at) => known().pids[at % known().pids.length] ?? 1) },
    { weight: 1, arbitrary: fc.integer() },
  )
  const id = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.nat().map((at) => known().proposals[at % known().proposals.length] ?? 'none'),
    },
    { weight: 1, arbitrary: encoded },
  )
  const get = (path: fc.Arbitrary<string>, search: fc.Arbitrary<string>) =>
    fc.record({
      method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD'),
      path: fc.tuple(path, search).map(([where, what]) => `/api/v1/${where}?${what}`),
      headers,
      program,
    })
  const asking = fc.record(
    {
      cluster: fc.oneof({ weight: 6, arbitrary: fc.constantFrom('orders', 'stock') }, hostileText),
      pid: fc.oneof({ weight: 6, arbitrary: pid }, fc.jsonValue()),
      action: fc.oneof({ weight: 6, arbitrary: fc.constantFrom('cancel', 'terminate') }, hostileText),
      reason: hostileText,
      onBehalfOf: hostileText,
      backendStart: hostileText,
      approve: fc.boolean(),
      approvedBy: fc.constant(['U0DANA']),
      mention: fc.constant(['U0DANA']),
      state: fc.constant('claimed'),
    },
    { requiredKeys: ['cluster', 'pid', 'action', 'reason'] },
  )
  // Half of them would be let through to people.
  const sound = fc.record({
    cluster: fc.constantFrom('orders', 'stock'),
    pid,
    action: fc.constantFrom('cancel', 'terminate'),
    reason: hostileText.map((text) => `why ${text}`.slice(0, 300)),
    onBehalfOf: hostileText.map((text) => `Dana ${text}`.slice(0, 80)),
  })
  const body = fc.oneof(
    { weight: 4, arbitrary: sound.map((value) => JSON.stringify(value)) },
    { weight: 3, arbitrary: asking.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: hostileText },
    { weight: 1, arbitrary: fc.constant('x'.repeat(20_000)) },
  )
  const type = fc.oneof(
    { weight: 8, arbitrary: fc.constant('application/json') },
    { weight: 1, arbitrary: fc.constantFrom('text/plain', 'application/x-www-form-urlencoded', 'x', '') },
  )
  const post = (path: fc.Arbitrary<string>, sent: fc.Arbitrary<string>) =>
    fc
      .record({ method: fc.constant('POST'), path, headers, program, type, body: sent })
      .map(({ type: contentType, ...call }) => ({
        ...call,
        headers: { ...call.headers, 'content-type': contentType },
      }))
  const tool = fc
    .record({
      jsonrpc: fc.constant('2.0'),
      id: fc.nat(),
      method: fc.oneof(
        fc.constantFrom('tools/call', 'tools/list', 'resources/read', 'initialize'),
        hostileText,
      ),
      params: fc.record({
        name: fc.oneof(
          fc.constantFrom(
            'clusters',
            'sessions',
            'blocking',
            'session',
            'health',
            'history',
            'at',
            'propose',
          ),
          fc.constantFrom('proposal', 'approve', 'deny', 'snooze'),
          hostileText,
        ),
        arguments: fc.oneof(asking, sound, fc.record({ cluster: fc.constantFrom('orders', 'stock'), pid })),
      }),
    })
    .map((value) => JSON.stringify(value))
  const mcp = post(fc.constant('/mcp'), tool).map((call) => ({
    ...call,
    headers: { ...call.headers, accept: 'application/json, text/event-stream' },
  }))
  const anywhere = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'),
    path: fc
      .tuple(
        fc.constantFrom('/api/v1/', '/api/v1/proposals/', '/api/', '/mcp/'),
        fc.array(encoded, { maxLength: 3 }),
      )
      .map(([root, parts]) => root + parts.join('/')),
    headers,
    program,
  })
  const inCluster = (rest: string) => cluster.map((name) => `clusters/${name}/${rest}`)
  return fc.oneof(
    { weight: 1, arbitrary: get(fc.constant('clusters'), query('name')) },
    { weight: 2, arbitrary: get(inCluster('sessions'), query('db', 'user', 'app', 'state', 'older')) },
    {
      weight: 2,
      arbitrary: get(
        fc.tuple(cluster, pid).map(([name, one]) => `clusters/${name}/sessions/${one}`),
        query(),
      ),
    },
    { weight: 2, arbitrary: get(inCluster('blocking'), query()) },
    { weight: 1, arbitrary: get(inCluster('health'), query()) },
    { weight: 2, arbitrary: get(inCluster('history'), query('since')) },
    { weight: 2, arbitrary: get(inCluster('at'), query('time')) },
    {
      weight: 2,
      arbitrary: get(
        id.map((one) => `proposals/${one}`),
        fc.constantFrom('', 'wait=1ms', 'wait=61s', 'wait=x'),
      ),
    },
    { weight: 4, arbitrary: post(fc.constant('/api/v1/proposals'), body) },
    { weight: 2, arbitrary: anywhere },
    { weight: 2, arbitrary: mcp },
  )
}
