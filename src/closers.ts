import type { Log } from './log.ts'

/** Everything that a process has opened, closed last-in first-out. */
export type Closers = {
  add(name: string, close: () => Promise<void>): void
  /** Closes all; what does not close keeps nothing else open. */
  close(): Promise<void>
}

export function createClosers(log: Log): Closers {
  const opened: { readonly name: string; readonly close: () => Promise<void> }[] = []
  return {
    add: (name, close) => void opened.push({ name, close }),
    async close() {
      for (const { name, close } of opened.splice(0).reverse())
        await close().catch((error: unknown) => log.error({ err: error }, `${name} did not close`))
    },
  }
}
