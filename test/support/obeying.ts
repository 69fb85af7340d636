import type { Session } from '../../src/domain/session/session.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { pictureCluster } from './asking.ts'
import { picture } from './builders.ts'

/**
 * A server whose sessions are gone at their signal.
 * @param step stands around each call on the way to a signal
 */
export function obeying(
  sessions: readonly Session[],
  step: <T>(run: () => Promise<T>) => Promise<T> = (run) => run(),
): { readonly cluster: Cluster; readonly signalled: readonly number[] } {
  const signalled: number[] = []
  const there = () => sessions.filter(({ pid }) => !signalled.includes(pid))
  const cluster = pictureCluster(picture(sessions), [], {
    isOwn: () => false,
    isPast: async () => true,
    look: async () => there(),
    signalBefore: () => step(async () => '2026-03-01 03:00:05+00'),
    snapshot: () => step(async () => picture(there()).snapshot),
    signal: ({ key }) =>
      step(async () => {
        signalled.push(key.pid)
        return { kind: 'sent', returned: true, sql: 'SELECT' }
      }),
  })
  return { cluster, signalled }
}
