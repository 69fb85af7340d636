import { type Finding, type FindingKind, subjectOf } from './finding.ts'

/** The kinds in the words of a headline. */
export const kindNames: Record<FindingKind, string> = {
  unreachable: 'Cluster that cannot be seen',
  blocking: 'Blocking',
  longQuery: 'Long-running query',
  idleInTransaction: 'Idle in transaction',
  idle: 'Long-idle session',
  connections: 'Connections running out',
  lockStorm: 'Lock storm',
  lockCycle: 'Sessions that wait for each other',
  poolWaits: 'Clients wait in PgBouncer',
  deadlocks: 'Deadlocks',
  preparedTransaction: 'Prepared transaction',
  vacuumHeldBack: 'Vacuum held back',
  wraparound: 'Transaction ids running out',
  replicationSlot: 'Replication slot holds WAL back',
}

/** Names the finding and its session: `Long-running query 4312`. */
export const findingName = (finding: Finding): string =>
  [kindNames[finding.kind], subjectOf(finding)?.pid].filter(Boolean).join(' ')

/** Counts the sessions that suffer from it. */
export const victimsOf = (finding: Finding): number =>
  finding.kind === 'blocking'
    ? finding.root.victims.length
    : finding.kind === 'lockStorm' || finding.kind === 'lockCycle'
      ? finding.waiting
      : 0

export type Severity = 'critical' | 'warning' | 'notice'

/** Ranks of the severities; the worst is 0. */
export const severities: Record<Severity, number> = { critical: 0, warning: 1, notice: 2 }

export const severityRank = ({ finding }: { readonly finding: Finding }): number =>
  severities[severityOf(finding)]

export const isAtLeast = (severity: Severity, other: Severity): boolean =>
  severities[severity] <= severities[other]

/** Finds the worst severity among incidents; null where there are none. */
export const worstSeverity = (incidents: readonly { readonly finding: Finding }[]): Severity | null =>
  incidents.map(({ finding }) => severityOf(finding)).toSorted((a, b) => severities[a] - severities[b])[0] ??
  null

type Lasting = { readonly finding: Finding; readonly openedAt: number }

/** Orders incidents: by severity, then by how many suffer, then the oldest. */
export const worstFirst = (a: Lasting, b: Lasting): number =>
  severityRank(a) - severityRank(b) || victimsOf(b.finding) - victimsOf(a.finding) || a.openedAt - b.openedAt

/** Decides how bad the finding is, by who is hurt and for how long. */
export function severityOf(finding: Finding): Severity {
  switch (finding.kind) {
    // All that may be wrong there is unseen, and if nobody else gets in either, it is an outage.
    case 'unreachable':
    case 'lockStorm':
      return 'critical'
    case 'blocking':
      return finding.root.victims.length >= 10 || (finding.root.oldestWaitSeconds ?? 0) >= 300
        ? 'critical'
        : 'warning'
    case 'connections':
      // When ordinary roles get none any more, all are taken as far as the applications care.
      return finding.used >= Math.min(finding.max * 0.95, finding.max - finding.reserved)
        ? 'critical'
        : 'warning'
    // From there on PgBouncer ends them with an error, by default (query_wait_timeout).
    case 'poolWaits':
      return finding.clients >= 10 || finding.seconds >= 120 ? 'critical' : 'warning'
    // From there on autovacuum gives up being gentle: vacuum_failsafe_age is 1.6 billion, three quarters of the way.
    case 'wraparound':
      return finding.ratio >= 0.75 ? 'critical' : 'warning'
    case 'replicationSlot':
      return finding.slot.walStatus === 'unreserved' ? 'critical' : 'warning'
    case 'lockCycle':
    case 'deadlocks':
    case 'preparedTransaction':
    case 'vacuumHeldBack':
    case 'longQuery':
    case 'idleInTransaction':
      return 'warning'
    case 'idle':
      return 'notice'
  }
}
