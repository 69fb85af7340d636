import type { LogLevel, Logger as SlackLogger } from '@slack/bolt'
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino'

export type Log = PinoLogger

/**
 * JSON lines with the level as a word, to stdout or to `destination`. What is secret or personal does not pass: values
 * under keys that name secrets (tokens, passwords, statements) and, anywhere in a line, tokens, passwords in addresses and
 * Slack's own secret addresses. Errors are written with their name, message, code, reason, stack and cause, and nothing
 * else: those of HTTP clients carry whole requests.
 */
export function createLog({
  level,
  destination,
}: {
  readonly level: string
  readonly destination?: DestinationStream
}): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (entry: object) => cleanValue(entry) as Record<string, unknown>,
    },
    // Errors are clean already; pino's own serializer would take them for something else.
    serializers: { err: (err: unknown) => err },
    hooks: { streamWrite: scrub },
  }
  const log: Log = destination ? pino(options, destination) : pino(options)
  // pino hands the bindings of a child to no formatter.
  const child = log.child
  log.child = function cleanChild(this: Log, bindings: object, ...rest: []) {
    return child.call(this, cleanValue(bindings) as Record<string, unknown>, ...rest)
  } as Log['child']
  return log
}

const secretKey =
  /token|secret|passw|authorization|cookie|credential|signature|connectionstring|^(query|statement|text|payload|body|headers|params|values|response_?url|private_?key|detail)$/i

/** A copy that may be logged. */
function cleanValue(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > 6) return '[…]'
  if (value instanceof Error) return cleanError(value, depth)
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => cleanValue(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      secretKey.test(key) && item !== null && item !== undefined ? '[redacted]' : cleanValue(item, depth + 1),
    ]),
  )
}

const errorKeys = ['code', 'reason', 'retryable', 'statusCode', 'retryAfter'] as const

function cleanError(error: Error, depth: number): Record<string, unknown> {
  const known = Object.fromEntries(
    errorKeys.flatMap((key) => {
      const value: unknown = Reflect.get(error, key)
      return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
        ? [[key, value]]
        : []
    }),
  )
  return {
    type: error.name,
    message: error.message,
    ...known,
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: cleanValue(error.cause, depth + 1) }),
    ...(error instanceof AggregateError ? { errors: cleanValue(error.errors, depth + 1) } : {}),
  }
}

// Each is bounded, so that a long line costs no more than its length. They work on JSON, where a quote is \".
const patterns: readonly (readonly [RegExp, string])[] = [
  [/\bx(?:ox[a-z]|app)[a-z.]*-[A-Za-z0-9-]+/g, '[redacted token]'],
  [/(:\/\/)(?:[^\s"\\@/]|\\.){0,256}:(?:[^\s"\\@]|\\.){0,256}@/g, '$1[redacted]@'],
  [/\b(password\s{0,4}=\s{0,4})(?:[^\s"'\\&]|\\.){1,256}/gi, '$1[redacted]'],
  [/\b(bearer|basic) [A-Za-z0-9+/=._~-]{8,}/gi, '$1 [redacted]'],
  [/([?&](?:ticket|token|secret|signature)=)[^\s"\\&]+/gi, '$1[redacted]'],
  [/(hooks\.slack\.com\/|\/(?:services|commands|actions|workflows)\/T)[^\s"\\]+/g, '$1[redacted]'],
]

/** One serialised line without what looks like a secret. */
function scrub(line: string): string {
  return patterns.reduce((text, [pattern, instead]) => text.replace(pattern, instead), line)
}

/**
 * Creates the `logger` of Bolt and the Slack SDK, which writes to our log. Their debug messages hold whole payloads
 * (what people typed, the cards) and socket addresses with their tickets. So only the fixed beginning of a debug
 * message is kept, and of the others what stands before the first brace. LOG_LEVEL decides the level, not they.
 */
export function createSlackLogger(log: Log): SlackLogger {
  let sdk = 'slack'
  const write = (level: 'debug' | 'info' | 'warn' | 'error', parts: readonly unknown[]) => {
    if (!log.isLevelEnabled(level)) return
    const err = parts.find((part) => part instanceof Error)
    const texts = level === 'debug' ? parts.slice(0, 1) : parts
    const text = texts.filter((part) => typeof part === 'string').join(' ')
    const end = text.search(level === 'debug' ? /[{[\n]|: | \(/ : /[{[\n]/)
    const message = (end < 0 ? text : `${text.slice(0, end).trimEnd()} …`).trimStart().slice(0, 300)
    log[level](err ? { sdk, err } : { sdk }, message || err?.message || '…')
  }
  return {
    debug: (...parts) => write('debug', parts),
    info: (...parts) => write('info', parts),
    warn: (...parts) => write('warn', parts),
    error: (...parts) => write('error', parts),
    setLevel: () => {},
    getLevel: () => (slackLevels[log.level] ?? 'error') as LogLevel,
    setName: (name) => {
      sdk = name
    },
  }
}

const slackLevels: Readonly<Record<string, `${LogLevel}`>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
}
