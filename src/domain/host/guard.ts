import type { Outcome } from '../approvals/outcome.ts'
import type { Action } from '../session/action.ts'
import { objectionIn } from '../session/allowedAction.ts'
import type { Protected } from '../session/policy.ts'
import type { Session } from '../session/session.ts'
import { type Backend, type Postmaster, whyStill } from './process.ts'
import { changedOnHost, fitOnHost, sessionOnHost } from './session.ts'

/** Facts that must hold in the moment in which a process gets its signal. */
export type HostGuard = {
  readonly action: Action
  readonly postmaster: Postmaster
  /** The process as it was approved, see sessionOnHost. */
  readonly chosen: Session
  readonly protected: readonly Protected[]
  /** Seconds of the machine's clock after which it gets none. */
  readonly before: number
}

/** Says why a process may not get the signal of a guard, in a clause; null when it may. */
export function hindranceOnHost(guard: Omit<HostGuard, 'before'>, now: Backend | null): string | null {
  const { action, postmaster, chosen } = guard
  if (now === null || now.state === 'Z') return `${chosen.pid} is gone`
  const different = changedOnHost(action, chosen, sessionOnHost(now, postmaster))
  if (different !== null) return `${chosen.pid} is not what was approved: ${different}`
  return objectionIn(action, fitOnHost(now, postmaster, guard.protected))?.replace(/\.$/, '') ?? null
}

/** Decides what a look after the signal shows; null: look again. */
export function outcomeOnHost(
  { action, postmaster, chosen }: Pick<HostGuard, 'action' | 'postmaster' | 'chosen'>,
  now: Backend | null,
  afterMs: number,
): Outcome | null {
  const effective = { kind: 'effective', afterMs, victims: 0, movedOn: 0 } as const
  if (now === null || now.state === 'Z') return effective
  const session = sessionOnHost(now, postmaster)
  if (session.backendStart !== chosen.backendStart) return effective
  return action === 'cancel' && changedOnHost(action, chosen, session) !== null ? effective : null
}

/** Says of a process that it had no effect on, what keeps it. */
export const stillOnHost = (now: Backend, postmaster: Postmaster, afterMs: number): Outcome => ({
  ...{ kind: 'still', afterMs, waitEventType: null, waitEvent: null },
  state: sessionOnHost(now, postmaster).state,
  why: whyStill(now),
})
