import type { History } from '../store/history.ts'
import { problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'

/** Record of the looks of the past, as it may be asked. */
export type PastLooks = Pick<History, 'at' | 'each'> & {
  /** Writes into the record what was seen a moment ago. Absent where this process looks at nothing. */
  settle?(): Promise<void>
}

/** Says that nothing is recorded, and how to change that. */
export const unrecordedView = (): View =>
  problemView(
    'Nothing is recorded here: `history.keep` is `off` in the configuration. With `history.keep: 7d` each look is kept from the next start on, at no further query.',
  )

/** Says that the record has nothing of a cluster. */
export const notYetView = (cluster: string): View =>
  problemView(
    `Nothing is recorded of \`${cluster}\` yet. Each look is kept a second after it was taken: ask again in a minute.`,
  )
