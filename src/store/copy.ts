import { constants } from 'node:fs'
import { chmod, copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Database, openDatabase } from './database.ts'
import { StoreError, unreadableFile } from './failure.ts'

/** Files of a store of SQLite; its index of the WAL is made from them. */
const parts = ['', '-wal', '-journal'] as const

/** Number of attempts to copy while the bot writes, and the pause between them. */
const mostTurns = 50
const pauseMs = 100

/**
 * Opens a copy of a store in SQLite, for reading: SQLite writes into the files that it opens even where it only reads them (it
 * empties the WAL, it notes its readers), and evidence must stay as it is. Works also where nothing may be written, and
 * beside a bot that runs.
 * @throws StoreError when it cannot be read
 */
export async function openCopy(path: string): Promise<Database> {
  const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-copy-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  const copy = join(directory, 'store.db')
  try {
    await copyStill(path, copy)
    const opened = await openDatabase({ kind: 'sqlite', path: copy }, null)
    return { ...opened, close: () => opened.close().finally(remove) }
  } catch (error) {
    await remove()
    if (error instanceof StoreError) throw new StoreError(error.message.replaceAll(copy, path), error.cause)
    throw unreadableFile(path, error)
  }
}

/** Copies all parts as they are at one moment: again, when one of them changed meanwhile. */
async function copyStill(from: string, to: string): Promise<void> {
  for (let turn = 0; turn < mostTurns; turn++) {
    const before = await stamp(from)
    await Promise.all(parts.map((part) => copyPart(from + part, to + part)))
    if ((await stamp(from)) === before) return
    await pause(pauseMs)
  }
  throw new StoreError(`The store ${from} changes all the time. Stop the bot, or check a copy.`, null)
}

async function copyPart(from: string, to: string) {
  await rm(to, { force: true })
  await copyFile(from, to, constants.COPYFILE_FICLONE).catch(unlessMissing)
  await chmod(to, 0o600).catch(unlessMissing)
}

async function stamp(path: string): Promise<string> {
  const stamps = parts.map((part) => stat(path + part, { bigint: true }).catch(unlessMissing))
  return (await Promise.all(stamps))
    .map((part) => (part ? `${part.ino} ${part.size} ${part.mtimeNs} ${part.ctimeNs}` : 'none'))
    .join('; ')
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
