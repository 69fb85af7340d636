/** Preloaded into the bot by `npm run soak` (`node --expose-gc --import`): reports what it holds whenever it is asked. */

export type Figures = {
  /** After a garbage collection. */
  readonly heapMb: number
  readonly rssMb: number
  /** Resources that keep the process going, by kind: sockets, timers, … */
  readonly resources: Readonly<Record<string, number>>
}

const megabytes = (bytes: number) => Math.round(bytes / 104_857.6) / 10

process.on('message', () => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const kinds = Map.groupBy(process.getActiveResourcesInfo(), (kind) => kind)
  const resources = Object.fromEntries([...kinds].map(([kind, all]) => [kind, all.length]))
  process.send?.({ heapMb: megabytes(heapUsed), rssMb: megabytes(rss), resources } satisfies Figures)
})
// Whoever asks must not keep the bot alive.
process.channel?.unref()
