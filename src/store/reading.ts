import { existsSync } from 'node:fs'
import { openCopy } from './copy.ts'
import { openPostgresToRead, type StoreSettings } from './database.ts'
import { type Tables, tablesIn } from './store.ts'

/**
 * Runs something that only reads, beside a bot or without one. Nothing changes in the store: it may be evidence, and a role
 * that may only read is enough.
 * @returns null when there is no store, since no bot has worked with it yet
 * @throws StoreError when it cannot be read
 */
export async function readStore<T>(
  settings: StoreSettings,
  run: (tables: Tables) => Promise<T>,
): Promise<T | null> {
  const opened = await (settings.kind === 'postgres'
    ? openPostgresToRead(settings.url)
    : existsSync(settings.path)
      ? openCopy(settings.path)
      : null)
  if (!opened) return null
  try {
    return await run(tablesIn(opened.db))
  } finally {
    await opened.close()
  }
}
