import { isIdleInTransaction } from '../session/session.ts'
import type { PastHolder, PastWait, Remedy } from './report.ts'

/** Seconds. A timeout of this length is the usual advice, and short enough for most jams. */
const idleLimit = 60
const queueLimit = 2

/** Weight below which a setting would not have changed much: share of all that was waited. */
const worthIt = 0.1

/**
 * Finds settings that would have ended the jam sooner. Each alone; they may overlap.
 * @param queued requests for a lock on a relation that waited themselves, and those who waited only because of them
 */
export function remediesOf({
  holders,
  waits,
  queued,
}: {
  readonly holders: readonly PastHolder[]
  readonly waits: readonly PastWait[]
  readonly queued: readonly { readonly wait: PastWait; readonly behind: readonly PastWait[] }[]
}): Remedy[] {
  const sparedBy = (of: readonly PastWait[], at: number) =>
    of.reduce(
      (sum, wait) => sum + Math.max(0, (wait.from + wait.least * 1000 - Math.max(at, wait.from)) / 1000),
      0,
    )
  const all = sparedBy(waits, Number.NEGATIVE_INFINITY)
  const found: Remedy[] = []
  for (const { session, to, from } of holders) {
    if (!session || session.stateSeconds === null) continue
    const inTransaction = isIdleInTransaction(session)
    if (!inTransaction && session.state !== 'idle') continue
    const idleSince = to - session.stateSeconds * 1000
    const at = idleSince + idleLimit * 1000
    if (at >= to) continue
    const mine = waits.filter((wait) => wait.from <= to && wait.lastSeenAt >= from)
    found.push({
      setting: inTransaction ? 'idle_in_transaction_session_timeout' : 'idle_session_timeout',
      value: `${idleLimit}s`,
      role: session.usename,
      pid: session.pid,
      because: { kind: inTransaction ? 'idleInTransaction' : 'idle', seconds: session.stateSeconds },
      at,
      spared: sparedBy(mine, at),
    })
  }
  for (const { wait, behind } of queued) {
    if (wait.wait === null || wait.least <= queueLimit) continue
    const at = wait.from + queueLimit * 1000
    found.push({
      setting: 'lock_timeout',
      value: `${queueLimit}s`,
      role: null,
      pid: wait.session.pid,
      because: { kind: 'queuedLock', mode: wait.wait.mode, behind: behind.length, seconds: wait.least },
      at,
      spared: sparedBy(behind, at),
    })
  }
  return found
    .filter(({ spared }) => spared > 0 && spared >= worthIt * all)
    .sort((a, b) => b.spared - a.spared)
    .slice(0, 3)
}
