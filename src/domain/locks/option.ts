import type { Action } from '../session/action.ts'
import type { Ending } from './simulation.ts'
import type { WorkLost } from './workLost.ts'

/** One way out of a jam. Plain data. Numbers count the waiters of the jam. */
export type Option = {
  readonly action: Action
  readonly pid: number
  readonly backendStart: string
  readonly workLost: WorkLost
  /** Of its transaction, or of its idleness; null where nobody can tell. */
  readonly ageSeconds: number | null
  readonly atOnce: number
  /** Follow one after the other. */
  readonly inTurn: number
  /** Stay blocked by somebody else. */
  readonly stuck: number
  /** Others that must end too for this to be true: all of them block the same ones. */
  readonly together: readonly Ending[]
  /** One sentence: what to do, what it costs, and who proceeds. Names in it come from the database: not trusted. */
  readonly text: string
}
