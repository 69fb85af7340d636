import { isIdleInTransaction, type Session } from '../session/session.ts'
import { type Backend, hidesActivity, type Postmaster } from './process.ts'
import { isBusyOnHost, sessionOnHost } from './session.ts'

/** A client backend with the session that its title shows. */
export type ClientProcess = { readonly backend: Backend; readonly session: Session }

/** Lists the client backends among the processes of a server: who does something first, then the oldest. */
export const clientsOnHost = (backends: readonly Backend[], postmaster: Postmaster): ClientProcess[] =>
  backends
    .filter(({ what }) => what?.kind === 'client')
    .map((backend) => ({ backend, session: sessionOnHost(backend, postmaster) }))
    .sort(
      (a, b) =>
        Number(isBusyOnHost(b.session)) - Number(isBusyOnHost(a.session)) ||
        b.backend.seconds - a.backend.seconds,
    )

/** Numbers of the processes of a server, by what they do. */
export type HostCounts = {
  readonly all: number
  readonly clients: number
  readonly running: number
  readonly inTransaction: number
  readonly idle: number
  /** Clients of which no title says what they do. */
  readonly untold: number
  /** All that are stopped, those of the server itself too. */
  readonly stopped: number
  /** All that wait in the kernel, where no signal reaches them. */
  readonly inKernel: number
}

export function countOnHost(backends: readonly Backend[], postmaster: Postmaster): HostCounts {
  const sessions = clientsOnHost(backends, postmaster).map(({ session }) => session)
  const having = (is: (session: Session) => boolean) => sessions.filter(is).length
  const inState = (...states: string[]) => backends.filter(({ state }) => states.includes(state)).length
  return {
    all: backends.length,
    clients: sessions.length,
    running: having(({ state }) => state === 'active'),
    inTransaction: having(isIdleInTransaction),
    idle: having(({ state }) => state === 'idle'),
    untold: backends.filter(hidesActivity).length,
    stopped: inState('T', 't'),
    inKernel: inState('D'),
  }
}

/** Those who hold most connections: who, from which address, how many. */
export function holdersOnHost(
  clients: readonly ClientProcess[],
): { readonly who: string; readonly count: number }[] {
  const groups = Map.groupBy(clients, ({ session: { usename, datname, clientAddr } }) =>
    [usename, datname, (clientAddr ?? '').replace(/\(\d+\)$/, '')].filter(Boolean).join(' · '),
  )
  return [...groups].map(([who, all]) => ({ who, count: all.length })).sort((a, b) => b.count - a.count)
}

/** Share of a core that a process took between two looks; null where it is another one, or no time has passed. */
export function cpuShare(before: Backend, after: Backend): number | null {
  const seconds = after.seconds - before.seconds
  return before.startTicks === after.startTicks && seconds > 0
    ? (after.cpuSeconds - before.cpuSeconds) / seconds
    : null
}
