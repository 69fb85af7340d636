import { existsSync } from 'node:fs'
import { openCopy } from './copy.ts'
import { openHistoryToRead, openPostgresToRead, type StoreSettings } from './database.ts'
import { type History, historyIn } from './history.ts'
import { type Tables, tablesIn } from './store.ts'

/**
 * Runs something that only reads, beside a bot or without one. Nothing changes in the store: it may be evidence, and a role
 * that may only read is enough.
 * @param warn says what of the record cannot be read
 * @returns null when there is no store, since no bot has worked with it yet
 * @throws StoreError when it cannot be read
 */
export async function readStore<T>(
  settings: StoreSettings,
  run: (tables: Tables & { readonly history: History }) => Promise<T>,
  warn?: (sentence: string) => void,
): Promise<T | null> {
  const opened = await (settings.kind === 'postgres'
    ? openPostgresToRead(settings.url)
    : existsSync(settings.path)
      ? openFiles(settings.path)
      : null)
  if (!opened) return null
  try {
    return await run({ ...tablesIn(opened.db), history: historyIn(opened.history, warn) })
  } finally {
    await opened.close()
  }
}

/** The record of looks is no evidence, and large: it is read where it is. */
async function openFiles(path: string) {
  const copy = await openCopy(path)
  const history = openHistoryToRead(path)
  return { ...copy, history: history.run, close: () => copy.close().finally(history.close) }
}
