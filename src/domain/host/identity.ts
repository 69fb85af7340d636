import type { SessionKey } from '../session/session.ts'
import type { HostProcess, Postmaster } from './process.ts'

/**
 * Start of a process, in the place of the `backend_start` that only the server knows: the run of the machine, the postmaster and
 * the ticks tell it from every other process that ever has its pid.
 */
export const hostStartOf = (
  { bootId, pid, startTicks }: Pick<Postmaster, 'bootId' | 'pid' | 'startTicks'>,
  process: Pick<HostProcess, 'startTicks'>,
): string => `boot ${bootId} postmaster ${pid}@${startTicks} process ${process.startTicks}`

/** Decides whether a session was seen by the operating system, and not by its server. */
export const isFromHost = ({ backendStart }: Pick<SessionKey, 'backendStart'>): boolean =>
  backendStart.startsWith('boot ')

/** Decides whether it was seen in this run of the machine. */
export const isOfBoot = ({ backendStart }: Pick<SessionKey, 'backendStart'>, bootId: string): boolean =>
  backendStart.startsWith(`boot ${bootId} `)
