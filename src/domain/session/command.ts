import type { Session } from './session.ts'

/** What a statement is, by the words that it begins with: all that is looked at, and only where the statement is known. */

/** Comments before a statement are masked to `?`. */
const startOf = ({ query }: Pick<Session, 'query'>): string => (query ?? '').replace(/^[\s?]+/, '')

/** The words that a statement begins with, where they are a command that one knows by its name. */
export function commandOf(session: Pick<Session, 'query'>): string | null {
  const words = /^([a-z]+(?:\s+[a-z]+){0,3})/i
    .exec(startOf(session))?.[1]
    ?.toUpperCase()
    .replaceAll(/\s+/g, ' ')
  return commands.find((command) => words === command || words?.startsWith(`${command} `)) ?? null
}
const objects = [
  'MATERIALIZED VIEW',
  'TABLE',
  'INDEX',
  'VIEW',
  'TYPE',
  'FUNCTION',
  'TRIGGER',
  'SEQUENCE',
  'SCHEMA',
]
const commands = [
  ...[
    'CREATE UNIQUE INDEX',
    'CREATE INDEX',
    'REFRESH MATERIALIZED VIEW',
    'LOCK TABLE',
    'LOCK',
    'VACUUM FULL',
  ],
  ...['ALTER', 'DROP', 'CREATE', 'REINDEX'].flatMap((verb) => objects.map((object) => `${verb} ${object}`)),
  ...['VACUUM', 'ANALYZE', 'CLUSTER', 'TRUNCATE', 'REINDEX', 'COPY', 'CALL', 'MERGE'],
  ...['SELECT', 'UPDATE', 'INSERT', 'DELETE'],
]

/** One that commits between its steps, so that it is half done when it ends early. REFRESH … CONCURRENTLY is one transaction. */
export function isConcurrently(session: Pick<Session, 'query'>): boolean {
  const start = startOf(session)
  return (
    /^(?:CREATE(?:\s+UNIQUE)?|DROP)\s+INDEX\s+CONCURRENTLY\b/i.test(start) ||
    (/^(?:REINDEX|ALTER\s+TABLE)\b/i.test(start) && /\bCONCURRENTLY\b/i.test(start))
  )
}

/** Not VACUUM FULL, which writes a new table, in a transaction. */
export const isVacuum = (session: Pick<Session, 'query'>): boolean =>
  /^VACUUM\b(?!\s*(?:FULL|\([^)]*\bFULL)\b)/i.test(startOf(session))
