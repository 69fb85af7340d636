import type { Desk } from './desk.ts'
import type { Log } from './log.ts'
import { createLoop } from './loop.ts'

/** All that comes round by itself while a replica runs, beside the looks at clusters. */
export type Rounds = {
  start(): void
  /** Checks the store and the leases now. */
  hurry(): void
  stop(): Promise<void>
}

type Round = () => Promise<void>

const second = 1000
const minute = 60 * second

/** @param holdMs for which a lease holds: the check of the store renews it */
export function createRounds(deps: {
  readonly holdMs: number
  readonly desk: Pick<Desk, 'chores' | 'checkCards' | 'forgetCalls'>
  readonly storeCheck: Round
  /** Looks whether another replica wrote something. */
  readonly changes: Round
  /** Drops what is too old, or too much, from the record of looks. */
  readonly history: Round
  /** Looks up the approvers' names. */
  readonly names: Round
  /** Checks whether Slack still takes the token. */
  readonly token: Round
  /** Calls people when it is time. */
  readonly calls: Round
  readonly sweeps: Round
  /** Draws the App Homes again that show something old. */
  readonly homes: Round
  readonly refusals: Round
  readonly steady: () => number
  readonly log: Log
}): Rounds {
  const { holdMs, desk, steady, log } = deps
  const loop = (name: string, everyMs: number, runOnce: Round) =>
    createLoop({ name, everyMs, runOnce, steady, log })
  const storeCheck = loop('store check', Math.min(second, holdMs / 5), deps.storeCheck)
  const loops = [
    storeCheck,
    loop('changes', 300, deps.changes),
    loop('chores', second, desk.chores),
    loop('calls', second, deps.calls),
    loop('sweeps', second, deps.sweeps),
    loop('homes', second, deps.homes),
    loop('counts of refusals', second, deps.refusals),
    loop('token check', minute, deps.token),
    loop('card check', minute, desk.checkCards),
    loop('history', 5 * minute, deps.history),
    loop('calls of programs', 5 * minute, desk.forgetCalls),
    loop('names', 10 * minute, deps.names),
  ]
  return {
    start() {
      for (const one of loops) one.start()
    },
    hurry: storeCheck.hurry,
    async stop() {
      await Promise.all(loops.map((one) => one.stop()))
    },
  }
}
