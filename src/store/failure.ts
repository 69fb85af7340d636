import { ClusterError } from '../postgres/errors.ts'

/** The store cannot be used; the message says why and what to do. */
export class StoreError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'StoreError'
  }
}

/** Explains why the file of a store cannot be read, by the code of the error alone. */
export function unreadableFile(path: string, error: unknown): StoreError {
  const why = error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be copied'
  return new StoreError(
    `The store ${path} cannot be read (${why}). Check store.url and its permissions.`,
    error,
  )
}

/** Primary result codes of SQLite: https://www.sqlite.org/rescode.html */
const sqliteReasons: Readonly<Record<number, string>> = {
  3: 'its file may not be written',
  5: 'another process holds it',
  6: 'another process holds it',
  8: 'its file can only be read',
  10: 'its disk reports an error',
  11: 'its file is damaged',
  13: 'its disk is full',
  14: 'its file cannot be opened',
  26: 'its file is damaged',
}

/** Says why the store cannot be used, as a clause; null for an error that is not the store's. */
export function storeFailureOf(error: unknown): string | null {
  if (error instanceof StoreError) return error.message
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null
  return sqliteReasons[error.errcode & 0xff] ?? null
}

/** Decides whether the store's server may be well again in a moment, as in a restart or a failover. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ClusterError) return error.retryable
  return error instanceof StoreError && isPassing(error.cause)
}
