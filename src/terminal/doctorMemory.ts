import { StoreError } from '../store/failure.ts'
import type { HistoryExtent } from '../store/history/limits.ts'
import { readStore } from '../store/reading.ts'
import type { Enrolment } from '../store/secondFactors.ts'
import type { StoreSettings } from '../store/store.ts'

/** Memory of the bot, as far as doctor looks at it; or why it cannot be read. */
export type Memory =
  | {
      readonly refused: readonly { readonly kind: string; readonly at: number }[]
      readonly enrolments: readonly Enrolment[]
      readonly history: HistoryExtent | { readonly failure: string }
    }
  | { readonly failure: string }

/** Reads all of it at once, since a file is copied for that. A bot that runs is not disturbed. */
export async function readMemory(settings: StoreSettings): Promise<Memory> {
  try {
    const memory = await readStore(settings, async ({ refusedBlocks, secondFactors, history }) => ({
      refused: await refusedBlocks.all(),
      enrolments: await secondFactors.all(),
      history: await history.extent().catch(failureOf),
    }))
    return memory ?? { refused: [], enrolments: [], history: { bytes: 0, oldestAt: null } }
  } catch (error) {
    return failureOf(error)
  }
}

function failureOf(error: unknown): { readonly failure: string } {
  if (error instanceof StoreError) return { failure: error.message }
  throw error
}
