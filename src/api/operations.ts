import type { TokenRight } from '../config/api.ts'
import type { Inputs } from './inputs.ts'

/** Name of what a program can do. */
export type OperationName = keyof Inputs

/** Name of what shows, and asks for nothing. */
export type LookName = Exclude<OperationName, 'propose' | 'proposal'>

type Operation = {
  /** Right that a token must have; null: any token that is let in. */
  readonly needs: TokenRight | null
  /** Allowance that a call is taken off. */
  readonly spends: TokenRight
  readonly words: string
}

const look = { needs: 'look', spends: 'look' } as const

/** All that programs can do, over HTTP and MCP alike. None of it decides. */
export const operations = {
  clusters: { ...look, words: 'Every cluster that the token may see, and what is wrong there' },
  sessions: { ...look, words: 'Client sessions, and server processes that block or wait, by pid' },
  session: { ...look, words: 'One session: whom it waits for, whom it blocks, what may be proposed' },
  blocking: { ...look, words: 'Who blocks whom, worst first, each with the best way out' },
  health: { ...look, words: 'All that is wrong, with a health check that is made now' },
  history: { ...look, words: 'Incidents and requests, the newest first' },
  at: { ...look, words: 'Who blocked whom at a moment of the past; all null where nothing was seen' },
  // Whoever may not is refused by the action itself, which writes that into the journal.
  propose: {
    needs: null,
    spends: 'propose',
    words: 'A card asks the approvers; the same call again leads to the same proposal',
  },
  // Who asked may learn what came of it.
  proposal: {
    needs: null,
    spends: 'look',
    words: 'What became of it; with `wait` when it has ended, or after that time',
  },
} as const satisfies Record<OperationName, Operation>

export const operationNames = Object.keys(operations) as OperationName[]
