import { setTimeout as pause } from 'node:timers/promises'
import { cpuShare } from '../domain/host/list.ts'
import type { Backend } from '../domain/host/process.ts'
import type { Session } from '../domain/session/session.ts'
import { type HostedServer, lookOnHost, type OnHost } from './look.ts'

/** A process with the share of a core that it takes; null where it has just begun. */
export type Measured = { readonly backend: Backend; readonly share: number | null }

/** Processes of a server, each measured for a moment; or why they cannot be seen. */
export type MeasuredOnHost =
  | (Extract<OnHost, { readonly backends: unknown }> & { readonly measured: readonly Measured[] })
  | Extract<OnHost, { readonly problem: string }>

/** The clock of a process has ticks of 10 ms: this shows 2 % of a core. */
const measureMs = 500

/** Looks twice at the processes of a server, so that it is known which of them work. */
export async function measureOnHost(server: HostedServer): Promise<MeasuredOnHost> {
  const seen = await lookOnHost(server)
  if ('problem' in seen) return seen
  const before = new Map(seen.backends.map((one) => [one.pid, one]))
  await pause(measureMs)
  const backends = await seen.host.backends(seen.postmaster)
  const measured = backends.map((backend) => {
    const earlier = before.get(backend.pid)
    return { backend, share: earlier ? cpuShare(earlier, backend) : null }
  })
  return { ...seen, backends, measured }
}

/** Times of one start, by the server's clock and by the machine's, differ by no more. */
const sameStartSeconds = 1

/**
 * Finds the processes of sessions that their server has just shown.
 * @returns by pid; none where the server is not on this machine, or its processes may not be seen
 */
export async function processesOf(
  server: HostedServer,
  sessions: readonly Session[],
): Promise<ReadonlyMap<number, Measured>> {
  if (server.host !== 'local' || sessions.length === 0) return new Map()
  const seen = await measureOnHost(server)
  // From outside of its container its processes have other numbers than it shows.
  if ('problem' in seen || seen.postmaster.insidePid !== seen.postmaster.pid) return new Map()
  const byPid = new Map(seen.measured.map((one) => [one.backend.pid, one]))
  return new Map(
    sessions.flatMap(({ pid, backendSeconds }) => {
      const found = byPid.get(pid)
      // A younger one has the number of one that is gone.
      return found && found.backend.seconds > backendSeconds - sameStartSeconds ? [[pid, found] as const] : []
    }),
  )
}
