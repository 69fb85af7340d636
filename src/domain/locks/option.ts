import type { Action } from '../session/action.ts'
import type { Ending } from './simulation.ts'
import type { WorkLost } from './workLost.ts'

/** Whom a way out frees, by pid, longest wait first. Each waiter of the jam that is not ended stands in exactly one list. */
export type Expected = {
  /** Go on with their statements as soon as the signal takes effect. */
  readonly atOnce: readonly number[]
  /** Go on after one of the others. */
  readonly follow: readonly number[]
  /** Their wait ends, or goes on behind another holder. Who is known to stay behind one stands here too. */
  readonly unsure: readonly number[]
}

/** One way out of a jam. Plain data. Numbers count the waiters of the jam. */
export type Option = {
  readonly action: Action
  readonly pid: number
  readonly backendStart: string
  readonly workLost: WorkLost
  /** Of its transaction, or of its idleness; null where nobody can tell. */
  readonly ageSeconds: number | null
  readonly expected: Expected
  /** How many stand in `expected.atOnce`. */
  readonly atOnce: number
  /** How many stand in `expected.follow`. */
  readonly inTurn: number
  /** Of those in `expected.unsure`: how many go on, unless somebody else holds the row as well. */
  readonly maybe: number
  /** Of those in `expected.unsure`: how many surely wait on, behind somebody else. */
  readonly stuck: number
  /** Others that must end too for this to be true: all of them block the same ones. */
  readonly together: readonly Ending[]
  /** One sentence: what to do, what it costs, and who proceeds. Names in it come from the database: not trusted. */
  readonly text: string
}
