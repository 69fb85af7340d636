import type { WatchedCluster } from '../commands/cluster.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { type Backend, neverKill, type Postmaster } from '../domain/host/process.ts'
import { fitOnHost, sessionOnHost } from '../domain/host/session.ts'
import { type Fit, fittingAction } from '../domain/session/allowedAction.ts'
import type { Session } from '../domain/session/session.ts'
import { lookOnHost } from '../host/look.ts'
import type { Host } from '../host/procfs.ts'
import { type FreshSession, readSession } from './freshSession.ts'

/** A session as the operating system shows its process. */
export type FreshProcess = {
  readonly session: Session
  readonly backend: Backend
  readonly postmaster: Postmaster
  readonly host: Host
  /** Nobody sees who waits behind it, or whether a pooler is before it. */
  readonly victims: readonly []
  readonly pooled: false
}

/** Reads a session: where its server does not answer and runs on this machine, by its process. */
export async function readAnyhow(
  { cluster, config }: WatchedCluster,
  pid: number,
): Promise<FreshSession | FreshProcess | Refusal> {
  const seen = await readSession(cluster, pid)
  if (!('code' in seen) || seen.code !== 'notSeen') return seen
  if (config.host !== 'local') return { ...seen, reason: `${seen.reason} ${neverKill}` }
  const process = await readProcess(config, pid)
  return 'code' in process && process.code === 'notSeen'
    ? { ...seen, reason: `${seen.reason} From the operating system: ${process.reason}` }
    : process
}

/** Reads the process of a session. */
export async function readProcess(
  config: Pick<WatchedCluster['config'], 'host' | 'url'>,
  pid: number,
): Promise<FreshProcess | Refusal> {
  const seen = await lookOnHost(config)
  if ('problem' in seen) return { code: 'notSeen', reason: `${seen.problem}. ${seen.fix}` }
  const { host, postmaster, backends } = seen
  const backend = backends.find((one) => one.pid === pid)
  return backend
    ? { session: sessionOnHost(backend, postmaster), backend, postmaster, host, victims: [], pooled: false }
    : {
        code: 'changed',
        reason: `this server has no process ${pid}; /pg sessions shows those that are there`,
      }
}

/** Finds the action that fits a session, by whoever showed it. */
export const fitOf = (
  seen: FreshSession | FreshProcess,
  { protected: rules }: Pick<WatchedCluster['config'], 'protected'>,
): Fit =>
  'postmaster' in seen
    ? fitOnHost(seen.backend, seen.postmaster, rules)
    : fittingAction(seen.session, seen.server, rules)
