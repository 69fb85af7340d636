import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type pg from 'pg'
import { type LoginMethod, loginMethods } from '../domain/text/databaseUrl.ts'
import { ClusterError, clusterErrorWith } from './errors.ts'

/**
 * The edge between a server and the driver. Whatever a server sends is looked at here first, message by message: the
 * driver believes lengths, loops over fields that never end, throws within the socket's handler (which would end the
 * process), and keeps all rows of an answer. What no PostgreSQL would send ends this connection, and nothing else.
 */

/**
 * For all that comes from one of our requests to the next, as it weighs in memory: some small rows or empty fields take much
 * more room there than on the wire.
 */
const mostWeight = 32 * 2 ** 20
/** For one message: the driver reads it in one go, and meanwhile nobody else is served. Our largest rows have a tenth of it. */
const mostOfOne = 2 ** 20
const weightOf = { message: 256, field: 64 }

/**
 * Looks at all that the driver of this client is to read. Call it before the client connects.
 * @param methods how the server may ask for the password; null: by SCRAM, and in any way where its certificate was verified
 */
export function guardClient(client: pg.Client, methods: readonly LoginMethod[] | null): void {
  const connection = client.connection as pg.Connection & { attachListeners(stream: EventEmitter): void }
  const attach = connection.attachListeners.bind(connection)
  // The driver calls it once for each connection, with the socket or with what decrypts it.
  connection.attachListeners = (stream) => attach(checked(stream as Duplex, methods))
}

/** The same stream for the driver to read, in whole messages that have the form of their kind. */
function checked(stream: Duplex, methods: readonly LoginMethod[] | null): EventEmitter {
  const messages = new EventEmitter()
  const isVerified = () => stream instanceof TLSSocket && stream.authorized
  const checkLogin = createLoginCheck(() => methods ?? (isVerified() ? loginMethods : safeMethods))
  const { read, asked } = createMessageReader((type, body) => {
    if (type === 'R') checkLogin(body.readInt32BE(0))
  })
  const write = stream.write
  stream.write = (...args: unknown[]) => {
    asked()
    return Reflect.apply(write, stream, args)
  }
  stream.on('data', (chunk: Buffer) => {
    // What came before the connection was given up may still arrive.
    if (stream.destroyed) return
    try {
      read(chunk, (message) => messages.emit('data', message))
    } catch (error) {
      stream.destroy(error instanceof ClusterError ? error : clusterErrorWith('BAD_MESSAGE'))
    }
  })
  stream.on('end', () => messages.emit('end'))
  return messages
}

const safeMethods: readonly LoginMethod[] = ['none', 'scram-sha-256']

const requests: ReadonlyMap<number, LoginMethod> = new Map([
  [3, 'password'],
  [5, 'md5'],
  [10, 'scram-sha-256'],
])

/** Throws where the server asks for the password in a way that is not allowed: whoever answers there would learn it. */
function createLoginCheck(allowed: () => readonly LoginMethod[]) {
  let hasAsked = false
  return (code: number): void => {
    const isStep = code === 11 || code === 12
    // AuthenticationOk: the end of every login, or all of it.
    const method = code === 0 ? (hasAsked ? null : 'none') : isStep ? null : requests.get(code)
    // GSSAPI, SSPI and what is yet to come: the driver speaks none of them.
    if (method === undefined) throw clusterErrorWith('LOGIN_UNKNOWN')
    if (method !== null && !allowed().includes(method)) throw clusterErrorWith('LOGIN_NOT_ALLOWED')
    hasAsked = true
  }
}

/**
 * Cuts what arrives into messages; each whole one is checked, shown to `look` and passed on. It holds no more than
 * one message, and throws a ClusterError when that, or all since `asked`, becomes too large, or has not the form of its kind.
 * That a server says that it is ready ends nothing: it may say so without end.
 */
export function createMessageReader(look: (type: string, body: Buffer) => void) {
  let store: Buffer = Buffer.alloc(0)
  let held = 0
  let answered = 0

  /** Joins what arrived with what was held of it. The buffer doubles, so that many small pieces cost no more than one. */
  const joined = (chunk: Buffer): Buffer => {
    if (held === 0) return chunk
    if (held + chunk.length > store.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * store.length, held + chunk.length))
      store.copy(larger, 0, 0, held)
      store = larger
    }
    chunk.copy(store, held)
    return store.subarray(0, held + chunk.length)
  }

  const read = (chunk: Buffer, pass: (message: Buffer) => void): void => {
    const arrived = joined(chunk)
    let at = 0
    while (arrived.length - at >= 5) {
      const type = String.fromCharCode(arrived[at] ?? 0)
      const form = forms.get(type)
      const length = arrived.readUInt32BE(at + 1)
      const end = at + 1 + length
      // Only a row may be so large that it is one; anything else was never meant as a message.
      if (form === undefined || length < 4 || (length > mostOfOne && type !== 'D'))
        throw clusterErrorWith('BAD_MESSAGE')
      // What is announced counts at once, before there is room for it.
      if (length > mostOfOne || answered + length > mostWeight) throw clusterErrorWith('TOO_LARGE')
      if (arrived.length < end) break
      const body = arrived.subarray(at + 5, end)
      if (!form(body)) throw clusterErrorWith('BAD_MESSAGE')
      look(type, body)
      const fields = type === 'D' || type === 'T' ? body.readUInt16BE(0) : 0
      answered += length + weightOf.message + fields * weightOf.field
      pass(arrived.subarray(at, end))
      at = end
    }
    const rest = arrived.subarray(at)
    // A copy, not the piece itself: it may lie in the store, where the next one is written.
    if (at > 0 || held === 0) store = Buffer.from(rest)
    held = rest.length
  }
  return {
    read,
    /** Begins to count anew: what comes now may be the answer to a request. */
    asked() {
      answered = 0
    },
  }
}

type Form = (body: Buffer) => boolean

const sized =
  (size: number): Form =>
  (body) =>
    body.length === size

/** After the first `from` bytes: so many texts that end with a zero, and nothing else. */
const texts =
  (count: number, from = 0): Form =>
  (body) => {
    let at = from
    for (let index = 0; index < count; index++) {
      const end = body.indexOf(0, at)
      if (at > body.length || end < 0) return false
      at = end + 1
    }
    return at === body.length
  }

/** A count of two bytes, then each of so many; `next` returns where one ends, or -1. */
const counted =
  (next: (body: Buffer, at: number) => number): Form =>
  (body) => {
    if (body.length < 2) return false
    let at = 2
    for (let left = body.readUInt16BE(0); left > 0; left--) {
      at = next(body, at)
      if (at < 0 || at > body.length) return false
    }
    return at === body.length
  }

const field = (body: Buffer, at: number): number => {
  if (at + 4 > body.length) return -1
  const length = body.readInt32BE(at)
  return length === -1 ? at + 4 : length < 0 ? -1 : at + 4 + length
}

const column = (body: Buffer, at: number): number => {
  const end = body.indexOf(0, at)
  return end < 0 ? -1 : end + 1 + 18
}

/** Fields of one letter and a text, up to a zero. */
const fields: Form = (body) => {
  let at = 0
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1)
    if (end < 0) return false
    at = end + 1
  }
  return at === body.length - 1
}

const login: Form = (body) => {
  if (body.length < 4) return false
  const code = body.readInt32BE(0)
  if (code === 0 || code === 3) return body.length === 4
  if (code === 5) return body.length === 8
  if (code !== 10) return true
  // Names, each with its zero, and one zero more.
  return body.length > 5 && body[body.length - 1] === 0 && body[body.length - 2] === 0
}

/** The messages that a server may send to us, "Message Formats" in the manual. We never copy and ask for no parts of a result. */
const forms: ReadonlyMap<string, Form> = new Map([
  ['R', login],
  ['S', texts(2)],
  ['K', sized(8)],
  ['E', fields],
  ['N', fields],
  ['Z', sized(1)],
  ['T', counted(column)],
  ['D', counted(field)],
  ['C', texts(1)],
  ['A', texts(2, 4)],
  ['t', counted((_, at) => at + 4)],
  ['I', sized(0)],
  ['n', sized(0)],
  ['1', sized(0)],
  ['2', sized(0)],
  ['3', sized(0)],
])
