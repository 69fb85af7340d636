import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore, type Store } from '../../src/store/store.ts'

/** A store on disk, which is gone when it is closed. */
export async function openTestStore(): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-store-'))
  const store = await openStore({ kind: 'sqlite', path: join(directory, 'store.db') })
  const close = async () => {
    await store.close()
    await rm(directory, { recursive: true })
  }
  return { ...store, close }
}
