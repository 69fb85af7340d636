import { type Kysely, sql } from 'kysely'
import { openCopy } from './copy.ts'
import { type Database, openDatabase, openHistoryToRead, type StoreSettings } from './database.ts'
import { StoreError, unreadableFile } from './failure.ts'
import { lockStore } from './lock.ts'
import { atomically, historyTables, type Schema, tableNames } from './schema.ts'

/** Rows that are written at once; those of the record of looks are large. */
const page = 500
const historyPage = 50

/**
 * Copies all that a store has into an empty one, row by row as it is stored, so that the chain of the journal holds. All
 * of it or nothing. The bot must not run meanwhile: what it writes would be missing.
 * @param report is called with the number of rows after each table
 * @returns the number of rows
 * @throws StoreError when one cannot be used, the first is in use, or the second is not empty
 */
export async function transferStore(
  from: StoreSettings,
  to: StoreSettings,
  report: (table: string, rows: number) => void,
): Promise<number> {
  const source = await openSource(from)
  try {
    const target = await openDatabase(to, {})
    try {
      await refuseWhileUsed(target)
      await refuseUnlessEmpty(target)
      // Of no weight on its own, so what is left of one that failed makes room.
      const looks = await copyHistory(source, target, report)
      return looks + (await atomically(target.db, (db) => copyTables(source.db, db, report)))
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** Opens a store in which nobody else writes until it is closed. */
async function openSource(settings: StoreSettings): Promise<Database> {
  if (settings.kind === 'postgres') {
    const source = await openDatabase(settings, {})
    try {
      await refuseWhileUsed(source)
      return source
    } catch (error) {
      await source.close()
      throw error
    }
  }
  const { path } = settings
  const unlock = await lockStore(path).catch((error: unknown) => {
    throw error instanceof StoreError ? error : unreadableFile(path, error)
  })
  try {
    const copy = await openCopy(path)
    const history = openHistoryToRead(path)
    return {
      ...copy,
      history: history.run,
      close: () => copy.close().finally(history.close).finally(unlock),
    }
  } catch (error) {
    unlock()
    throw error
  }
}

/** @throws StoreError while a bot works with it */
async function refuseWhileUsed({ join }: Database) {
  const membership = join('store copy', 1000)
  const { replicas } = await membership.round({ clusters: [], unseen: [] })
  await membership.leave()
  if (replicas.some(({ id }) => id !== membership.id))
    throw new StoreError(
      'Another pg-marshal works with the store. Stop it, and try again after ten seconds.',
      null,
    )
}

async function refuseUnlessEmpty({ db }: Database) {
  for (const table of tableNames)
    if (await db.selectFrom(table).select(sql`1`.as('one')).limit(1).executeTakeFirst())
      throw new StoreError(
        `The store to copy into is not empty: its table ${table} has rows. Name another one.`,
        null,
      )
}

async function copyHistory(
  from: Pick<Database, 'history'>,
  to: Pick<Database, 'history'>,
  report: (table: string, rows: number) => void,
): Promise<number> {
  let sum = 0
  for (const table of ['history_chunks', 'history_texts'] as const) {
    const [first, second] = historyTables[table]
    await to.history((db) => db.deleteFrom(table).execute())
    let rows = 0
    let last: Record<string, unknown> | undefined
    for (;;) {
      const some = await from.history((db) => {
        const all = db.selectFrom(table).selectAll().orderBy(sql.ref(first)).orderBy(sql.ref(second))
        const after =
          last && sql<boolean>`(${sql.ref(first)}, ${sql.ref(second)}) > (${last[first]}, ${last[second]})`
        return (after ? all.where(after) : all).limit(historyPage).execute()
      })
      if (some.length > 0) await to.history((db) => db.insertInto(table).values(some).execute())
      rows += some.length
      last = some.at(-1)
      if (some.length < historyPage) break
    }
    report(table, rows)
    sum += rows
  }
  return sum
}

async function copyTables(
  from: Kysely<Schema>,
  to: Kysely<Schema>,
  report: (table: string, rows: number) => void,
): Promise<number> {
  let sum = 0
  for (const table of tableNames) {
    let rows = 0
    for (;;) {
      const some = await from
        .selectFrom(table)
        .selectAll()
        .orderBy(sql`1, 2`)
        .limit(page)
        .offset(rows)
        .execute()
      if (some.length > 0) await to.insertInto(table).values(some).execute()
      rows += some.length
      if (some.length < page) break
    }
    report(table, rows)
    sum += rows
  }
  return sum
}
