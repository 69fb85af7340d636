import type { Admin } from '../admin.ts'
import type { Loss } from './actor.ts'
import type { Stage } from './stage.ts'

/** One kind of trouble, to order. It is real: real sessions of a make-believe company on a real server. */
export type Scenario = {
  readonly id: string
  readonly title: string
  /** First words that people hear of it; they do not give away the cause. */
  readonly story: string
  /** The cause, for those who look behind the scenes. */
  readonly cause: string
  /**
   * The way out that loses least, and whose work is lost on it. Null: nobody ends this from Slack (the application has
   * to be mended, or somebody with psql is needed), so a game day does not play it.
   */
  readonly gentlest: {
    readonly words: string
    readonly how: Loss['how']
    readonly ends: readonly string[]
  } | null
  /** Words of the bot's card, where that names none of the sessions. */
  readonly card?: RegExp
  /** Resolves when the trouble is there. Its sessions are ended by the stage. */
  start(stage: Stage): Promise<void>
  /** Decides whether the trouble itself is over, though sessions of it may remain. */
  isOver(seen: Seen): boolean
  /** Removes what outlives the sessions. May be called again after a failure. */
  readonly clean?: (admin: Admin, stage: Stage) => Promise<unknown>
}

/** Sessions of one scenario, as the server shows them. */
export type Seen = {
  /** Names of those that wait for a lock. */
  readonly waiting: readonly string[]
  /** Names of those that are connected. */
  readonly connected: readonly string[]
  /** Names of those that run a statement. */
  readonly active: readonly string[]
}

export const nobodyWaits = ({ waiting }: Seen): boolean => waiting.length === 0
