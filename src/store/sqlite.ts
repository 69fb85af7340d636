import { randomInt } from 'node:crypto'
import { type BigIntStats, closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { type Dialect, SqliteDialect } from 'kysely'
import { StoreError } from './failure.ts'
import { isWrite } from './schema.ts'

/** Makes the directory and the file, where they are missing. */
export function prepareFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  // It holds who did what to which session: for our own user's eyes. What SQLite puts beside it takes the same mode.
  closeSync(openSync(path, 'a', 0o600))
}

export type SqliteFile = {
  readonly dialect: Dialect
  /** Writes something small, so that a store that takes nothing any more is noticed. Throws what SQLite says. */
  probe(): void
  /** Counts the statements that wrote something. */
  writes(): number
}

/** Statements that differ; lists of values make some of any length. */
const mostPrepared = 200
/** From this size on what is in the write-ahead log is brought into the file: SQLite's own default, 1,000 pages. */
const checkpointBytes = 4_096_000n

/**
 * Kysely's SQLite dialect over Node's own `node:sqlite`.
 * `synchronous = FULL`: what is written is on disk before the next step, which the promise "the intent is journalled
 * before the signal" rests on. SQLite does not notice when its files are removed or replaced: it goes on with those that
 * nobody can find any more. So each statement looks first whether they are the same still. Only we bring the log into
 * the file (no automatic checkpoint), so whatever else changes the file is somebody else: then its content is checked. A
 * `touch`, or a tool that brings the log into the file as it reads, does no harm.
 * @param isGuest another process works with it, whose count and file are left alone
 */
export function openSqlite(path: string, isGuest = false): SqliteFile {
  // Kept open: to close any descriptor of a file gives up the locks that SQLite has on it.
  const descriptor = openSync(path, 'r')
  const database = new DatabaseSync(path)
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 0',
  )
  // Makes the files beside it, where they are missing.
  database.exec('BEGIN IMMEDIATE; COMMIT')
  const version = () => Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0)
  let counted = version()
  const count = (to: number) => {
    database.exec(`PRAGMA user_version = ${to}`)
    counted = to
  }
  // A new store begins with a number that another one hardly has; and each copy from before this moment is older.
  if (!isGuest) {
    count(counted === 0 ? randomInt(1, 2 ** 30) : counted + 1)
    database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  }
  let main = stat(path)
  let inFile = versionIn(descriptor)
  const beside = [`${path}-wal`, `${path}-shm`].map((name) => ({ name, was: stat(name) }))

  function checkFiles() {
    const is = stat(path)
    if (!isSameFile(main, is)) throw new StoreError(replaced, null)
    if (main.size !== is.size || main.mtimeNs !== is.mtimeNs) checkContent(is)
    for (const { name, was } of beside)
      if (!isSameFile(was, stat(name)))
        throw new StoreError('a file beside it was replaced by somebody else, so restart me', null)
  }

  /**
   * Checks that the content of the file is ours, by the counter in its header. Content that is older than our last
   * write into the file is a copy from before. Content that is newer than all that we wrote is another store. With
   * anything between, the log makes up the present state.
   */
  function checkContent(is: BigIntStats) {
    const found = versionIn(descriptor)
    if (is.size < main.size || found < inFile || found > counted) throw new StoreError(replaced, null)
    // One of its own, for ours need not read again what it has in memory.
    const other = new DatabaseSync(path, { readOnly: true })
    try {
      if (other.prepare('PRAGMA quick_check(1)').get()?.quick_check !== 'ok')
        throw new StoreError(replaced, null)
    } finally {
      other.close()
    }
    main = is
    inFile = found
  }

  function checkpoint() {
    if (database.isTransaction || stat(`${path}-wal`).size < checkpointBytes) return
    try {
      database.exec('PRAGMA wal_checkpoint(PASSIVE)')
    } finally {
      main = stat(path)
      inFile = versionIn(descriptor)
    }
  }

  let written = 0
  return {
    writes: () => written,
    probe() {
      checkFiles()
      // It belongs to whoever has one open: that one reports how it ends.
      if (database.isTransaction) return
      checkpoint()
      count(counted + 1)
    },
    dialect: dialectOver(database, {
      before(sql) {
        checkFiles()
        if (isWrite(sql)) written++
      },
      closed: () => closeSync(descriptor),
    }),
  }
}

/**
 * Opens a file for what is of no weight, as the record of looks is: it is written without waiting for the disk, so a machine that
 * loses its power may lose the last of it, a process that is killed nothing. SQLite brings the log into the file.
 */
export function openLightSqlite(path: string, readOnly: boolean): Dialect {
  const database = new DatabaseSync(path, { readOnly })
  database.exec('PRAGMA busy_timeout = 5000')
  if (!readOnly) database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  const was = path === memory ? null : stat(path)
  return dialectOver(database, {
    before() {
      if (was && !isSameFile(was, stat(path))) throw new StoreError(replaced, null)
    },
    closed() {},
  })
}

/** SQLite's own name for a database that is nowhere. */
export const memory = ':memory:'

function dialectOver(
  database: DatabaseSync,
  { before, closed }: { readonly before: (sql: string) => void; readonly closed: () => void },
): Dialect {
  /** As long as it is open: the driver of Kysely prepares a statement for each time that it runs. */
  const prepared = new Map<string, StatementSync>()
  const statementOf = (sql: string): StatementSync => {
    const statement = prepared.get(sql) ?? database.prepare(sql)
    // The one that was not used for longest goes first.
    prepared.delete(sql)
    prepared.set(sql, statement)
    const [oldest] = prepared.keys()
    if (prepared.size > mostPrepared && oldest !== undefined) prepared.delete(oldest)
    return statement
  }
  return new SqliteDialect({
    database: {
      close() {
        database.close()
        closed()
      },
      prepare(sql) {
        const isRollback = /^rollback$/i.test(sql)
        // SQLite has rolled back by itself after some failures: that must not hide why.
        if (isRollback && !database.isTransaction) return nothingToDo
        if (!isRollback) before(sql)
        const statement = statementOf(sql)
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

const replaced = 'its file was replaced or changed by somebody else, so restart me'

/** The user_version in the file itself, whatever the log has: https://www.sqlite.org/fileformat.html, "The Database Header". */
function versionIn(descriptor: number): number {
  const bytes = Buffer.alloc(4)
  readSync(descriptor, bytes, 0, 4, 60)
  return bytes.readInt32BE()
}

const nothingToDo = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
}

function stat(path: string): BigIntStats {
  try {
    return statSync(path, { bigint: true })
  } catch (error) {
    throw new StoreError(
      `its ${path.endsWith('-wal') || path.endsWith('-shm') ? 'log' : 'file'} cannot be found any more, so put it back or restart me`,
      error,
    )
  }
}

const isSameFile = (was: BigIntStats, is: BigIntStats) => was.dev === is.dev && was.ino === is.ino
