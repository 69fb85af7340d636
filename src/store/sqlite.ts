import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { type Dialect, SqliteDialect } from 'kysely'

/** Makes the directory and the file, where they are missing. */
export function prepareFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  // It holds who did what to which session: for our own user's eyes. What SQLite puts beside it takes the same mode.
  closeSync(openSync(path, 'a', 0o600))
}

/**
 * Kysely's SQLite dialect over Node's own `node:sqlite`.
 * `synchronous = FULL`: what is written is on disk before the next step, which the promise "the intent is journalled
 * before the signal" rests on.
 */
export function sqliteDialect(path: string): Dialect {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000')
  return new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare(sql) {
        const statement = database.prepare(sql)
        const values = (parameters: readonly unknown[]) => parameters as readonly SQLInputValue[]
        return {
          reader: statement.columns().length > 0,
          all: (parameters) => statement.all(...values(parameters)),
          run: (parameters) => statement.run(...values(parameters)),
          iterate: (parameters) => statement.iterate(...values(parameters)),
        }
      },
    },
  })
}
