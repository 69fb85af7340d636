import { isStillRefused, tryAgainMs } from '../slack/refusedBlocks.ts'
import { StoreError } from '../store/failure.ts'
import { readStore } from '../store/reading.ts'
import type { StoreSettings } from '../store/store.ts'
import type { Check } from './doctorCheck.ts'

/** Looks which kinds of blocks the workspace refused lately. A bot that runs is not disturbed. */
export async function checkRefusedBlocks(settings: StoreSettings, now: number): Promise<Check[]> {
  try {
    const known = (await readStore(settings, ({ refusedBlocks }) => refusedBlocks.all())) ?? []
    const refused = known.filter(({ at }) => isStillRefused(at, now))
    return refused.map(({ kind, at }) => ({
      what: `this workspace refuses blocks of the kind ${kind}`,
      fix: `They go as plain sections with the same buttons. They are tried again after a day, at ${new Date(at + tryAgainMs).toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
      needed: false,
    }))
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return [
      { what: 'not known which kinds of blocks this workspace refuses', fix: error.message, needed: false },
    ]
  }
}
