import { existsSync } from 'node:fs'
import { isStillRefused, tryAgainMs } from '../slack/refusedBlocks.ts'
import { openCopy } from '../store/copy.ts'
import { StoreError } from '../store/failure.ts'
import { openStore, type StoreSettings } from '../store/store.ts'
import type { Check } from './doctorCheck.ts'

/** Looks which kinds of blocks the workspace refused lately. A bot that runs is not disturbed. */
export async function checkRefusedBlocks(settings: StoreSettings, now: number): Promise<Check[]> {
  if (settings.kind === 'sqlite' && !existsSync(settings.path)) return []
  try {
    const store = await openCopy(settings, openStore)
    try {
      const refused = (await store.refusedBlocks.all()).filter(({ at }) => isStillRefused(at, now))
      return refused.map(({ kind, at }) => ({
        what: `this workspace refuses blocks of the kind ${kind}`,
        fix: `They go as plain sections with the same buttons. They are tried again after a day, at ${new Date(at + tryAgainMs).toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
        needed: false,
      }))
    } finally {
      await store.close()
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return [
      { what: 'not known which kinds of blocks this workspace refuses', fix: error.message, needed: false },
    ]
  }
}
