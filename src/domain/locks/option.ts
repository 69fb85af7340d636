import type { Action } from '../session/action.ts'
import type { Ending } from './simulation.ts'
import type { WorkLost } from './workLost.ts'

/**
 * Sessions that an option frees, by pid, longest wait first. Each waiter of the jam that is not ended stands in exactly
 * one list.
 */
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
  /** Age of its transaction or of its idleness; null when nobody knows. */
  readonly ageSeconds: number | null
  readonly expected: Expected
  /** Number of sessions in `expected.atOnce`. */
  readonly atOnce: number
  /** Number of sessions in `expected.follow`. */
  readonly inTurn: number
  /** Number of those in `expected.unsure` that go on, unless somebody else holds the row as well. */
  readonly maybe: number
  /** Number of those in `expected.unsure` that surely wait on, behind somebody else. */
  readonly stuck: number
  /** Others that must end too for this to be true: all of them block the same ones. */
  readonly together: readonly Ending[]
  /** One sentence: what to do, what it costs, and who proceeds. Names in it come from the database: not trusted. */
  readonly text: string
}
