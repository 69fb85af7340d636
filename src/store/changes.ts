import type { Store } from './store.ts'

/** Changes of the store by all who work with it. */
export type Changes = {
  /** Looks whether somebody wrote there, and tells who waits for it. */
  look(): Promise<void>
  /** Another text after each change that was seen, or that this process made. */
  version(): string
}

export function followChanges(store: Pick<Store, 'changes' | 'writes'>, changed: () => void): Changes {
  let last: number | null = null
  return {
    async look() {
      const before = last
      last = await store.changes()
      if (last !== before) changed()
    },
    version: () => `${last} ${store.writes()}`,
  }
}
