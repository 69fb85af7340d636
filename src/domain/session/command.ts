import { tokens } from '../text/mask.ts'
import type { Session } from './session.ts'

/** Kinds of statements by their keywords. Nothing else is looked at, and only when the statement is known. */

/**
 * The statements of a query string, each as its words in capitals with one space between. Comments and constants are left out,
 * and names in quotes are `"…"`, so that none of them can be taken for a keyword. In masked text the former two are `?`.
 */
export function statementsIn({ query }: Pick<Session, 'query'>): string[] {
  const statements: string[][] = [[]]
  for (const { kind, start, end } of query === null ? [] : tokens(query)) {
    const word = kind === 'kept' ? (query ?? '').slice(start, end) : '?'
    if (word === ';') statements.push([])
    else if (word !== '?') statements.at(-1)?.push(word.startsWith('"') ? '"…"' : word.toUpperCase())
  }
  return statements.filter(({ length }) => length > 0).map((words) => words.join(' '))
}

/** The words that a statement begins with, where they are a command that one knows by its name; null where two are. */
export function commandOf(session: Pick<Session, 'query'>): string | null {
  const known = statementsIn(session).flatMap(
    (words) => commands.find((command) => words === command || words.startsWith(`${command} `)) ?? [],
  )
  return known.length === 1 ? (known[0] ?? null) : null
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
  'DATABASE',
  'TABLESPACE',
  'SUBSCRIPTION',
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
  ...['VACUUM', 'ANALYZE', 'CLUSTER', 'REPACK', 'TRUNCATE', 'REINDEX', 'COPY', 'CALL', 'DO', 'MERGE'],
  ...['SELECT', 'UPDATE', 'INSERT', 'DELETE'],
]
