import type { Fit } from '../session/allowedAction.ts'
import { matchesNames, type Protected } from '../session/policy.ts'
import { isIdleInTransaction, type Session, unknownSession } from '../session/session.ts'
import { hostStartOf } from './identity.ts'
import { type Backend, type Postmaster, untouchableOnHost } from './process.ts'

/**
 * A client backend as a session, as far as its title goes: who, from where, and roughly what it does. Its title stands in the
 * place of the statement.
 */
export function sessionOnHost(backend: Backend, postmaster: Postmaster): Session {
  const { pid, what, title, seconds } = backend
  const client = what?.kind === 'client' ? what : null
  const activity = client?.activity ?? null
  const names = client?.userAndDatabase.split(' ') ?? []
  const [user = null, database = null] = names.length === 2 ? names : [client?.userAndDatabase]
  return {
    ...unknownSession,
    pid,
    ...(client === null && { backendType: 'server process' }),
    backendStart: hostStartOf(postmaster, backend),
    datname: database,
    usename: user,
    clientAddr: client?.client ?? null,
    state: activity === null ? null : stateIn(activity),
    waitEventType: activity !== null && isWaiting(activity) ? 'Lock' : null,
    backendSeconds: seconds,
    query: title,
  }
}

/** A title says so of who waits for a lock that somebody holds (ProcSleep in proc.c). */
const isWaiting = (activity: string): boolean => activity.endsWith(' waiting')

/** Reads the state that a title shows; what is no state is the tag of a command that runs (PostgresMain in postgres.c). */
function stateIn(activity: string): string {
  const known = activity.replace(/ waiting$/, '')
  if (['idle', 'idle in transaction', 'idle in transaction (aborted)'].includes(known)) return known
  return ['startup', 'authentication', 'initializing'].includes(known) ? 'starting' : 'active'
}

/** Finds the mildest action that has an effect on this process, or why there is none. */
export function fitOnHost(backend: Backend, postmaster: Postmaster, rules: readonly Protected[]): Fit {
  const why = untouchableOnHost(backend, postmaster)
  if (why !== null) return { action: null, why }
  const protection = protectionOnHost(backend, rules)
  if (protection?.certain)
    return {
      action: null,
      why: `It is protected by the configuration (${Object.entries(protection.rule)
        .map(([key, value]) => `${key}: ${value}`)
        .join(', ')}), or may be: a title does not say where the user ends.`,
    }
  return sessionOnHost(backend, postmaster).state === 'active'
    ? {
        action: 'cancel',
        why: 'Cancel (SIGINT) ends its statement with an error; the connection stays.',
        otherwise: 'Terminate (SIGTERM) would close the connection as well.',
      }
    : {
        action: 'terminate',
        why: 'Terminate (SIGTERM) closes its connection and rolls back the transaction that it may have.',
        otherwise: 'Cancel has no effect on it: no statement is running.',
      }
}

/** Rules that may protect a process. `certain` is false where the application decides, which no title shows. */
export type HostProtection = { readonly rule: Protected; readonly certain: boolean }

/**
 * Finds the rule that protects a process. Where its user ends and its database begins, a title does not say: each way
 * counts.
 */
export function protectionOnHost(
  { what }: Pick<Backend, 'what'>,
  rules: readonly Protected[],
): HostProtection | null {
  if (what?.kind !== 'client') return null
  const words = what.userAndDatabase.split(' ')
  const ways = words.slice(1).map((_, index) => ({
    usename: words.slice(0, index + 1).join(' '),
    datname: words.slice(index + 1).join(' '),
    applicationName: null,
  }))
  const matching = rules.filter((rule) => ways.some((names) => matchesNames(names, rule, true)))
  const certain = matching.find(({ applicationName }) => applicationName === undefined)
  const [first] = matching
  if (certain) return { rule: certain, certain: true }
  return first ? { rule: first, certain: false } : null
}

/**
 * Says what differs between a process and the one that was approved, by their titles: for a cancel the command counts, for a
 * terminate whether it does anything. Null: nothing that a title shows.
 */
export function changedOnHost(action: 'cancel' | 'terminate', then: Session, now: Session): string | null {
  if (then.backendStart !== now.backendStart) return 'the pid belongs to another process'
  if (then.usename !== now.usename || then.datname !== now.datname || then.clientAddr !== now.clientAddr)
    return 'it serves another client'
  if (action === 'cancel') {
    if (now.state !== 'active') return 'its statement ended'
    return commandIn(then) === commandIn(now) ? null : 'it runs another statement'
  }
  const [wasBusy, isBusy] = [isBusyOnHost(then), isBusyOnHost(now)]
  if (wasBusy === isBusy) return null
  return wasBusy ? 'its transaction ended' : 'it is in use again'
}

const commandIn = ({ query }: Session): string => (query ?? '').replace(/ waiting$/, '')

/** Decides whether it runs something, or is in a transaction. */
export const isBusyOnHost = (session: Session): boolean =>
  session.state === 'active' || isIdleInTransaction(session)
