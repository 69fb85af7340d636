import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'

/**
 * Settings of V8, before anything else of ours is loaded. Looks at hundreds of clusters leave much garbage and little that lasts:
 * by itself V8 would let the heap grow to several times of that, and wake its helpers for each small collection. What each
 * costs and saves: docs/decisions/0014-memory-of-many-clusters.md.
 */
const settings = [
  '--optimize-for-size',
  '--semi-space-growth-factor=1',
  '--heap-growing-percent=40',
  '--no-parallel-scavenge',
  '--no-parallel-compaction',
  '--no-parallel-pointer-update',
]
for (const setting of settings) setFlagsFromString(setting)

// A probe that runs every minute would spend half of its time on compiling. Where nobody may write there, it does without.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/pg-marshal/compiled'))

await import('./process.ts')
