import type { HostCounts } from '../../domain/host/list.ts'
import { totals } from '../../domain/incidents/finding.ts'
import { isClient } from '../../domain/session/session.ts'
import type { Snapshot } from '../../domain/session/snapshot.ts'
import { versionWords } from '../../domain/session/versions.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { bold, code, link, truncate, type View } from '../kit.ts'
import { count } from '../words.ts'
import { compose, type Line, lines } from './page.ts'

/** A cluster as it was just seen, or why it cannot be. */
export type ClusterStatus =
  | { readonly name: string; readonly snapshot: Snapshot }
  /** `onHost`: its processes, where it runs on this machine. */
  | { readonly name: string; readonly reason: string; readonly onHost?: HostCounts }

const maxClusters = 40

/** Question, and what is known beside the looks. */
export type ClustersAsked = {
  /** Links of the cards of clusters that cannot be seen, by their names; null where a card cannot be linked. */
  readonly cards: ReadonlyMap<string, string | null>
  /** Part that the names contain; null for all. */
  readonly part: string | null
  /** Names the replica that watches a cluster; null where one process watches all. */
  readonly watcherOf: (cluster: string) => string | null
  readonly now: number
}

/**
 * Draws watched clusters in one line each, trouble first: what cannot be seen, then where most sessions wait. And the way to
 * the cards of those that cannot be seen.
 */
export function clustersView(
  watched: readonly ClusterStatus[],
  { cards, part, watcherOf, now }: ClustersAsked,
): View {
  const all = watched.filter(({ name }) => part === null || name.includes(part)).sort(worstFirst)
  if (all.length === 0)
    return compose('Clusters', [
      lines([
        `No name of ${count(watched.length, 'cluster')} contains this. `,
        code('/pg clusters'),
        ' shows all.',
      ]),
    ])
  const shown = all.slice(0, maxClusters)
  const isShared = all.some(({ name }) => watcherOf(name) !== null)
  const unseen = all.filter((status) => trouble(status) === notSeen).length
  const waiting = all.filter((status) => trouble(status) > 0).length - unseen
  const headline: Line =
    unseen > 0
      ? [bold(`${unseen} of ${count(all.length, 'cluster')} cannot be seen.`)]
      : [
          all.length === 1
            ? '1 cluster, and it is seen.'
            : `${count(all.length, 'cluster')}, all of them seen.`,
        ]
  return compose('Clusters', [
    lines(headline, ...(waiting > 0 && all.length > 1 ? [[`Sessions wait on ${waiting}.`]] : [])),
    {
      kind: 'table',
      head: [
        ...['Cluster', 'Version', 'Sessions', 'Waiting', 'Connections', 'Seen'],
        ...(isShared ? ['Watched by'] : []),
      ],
      rows: shown.map((status) => [
        ...row(status, now),
        ...(isShared ? [truncate(watcherOf(status.name) ?? 'nobody yet', 63)] : []),
      ]),
    },
    lines(
      ...shown.flatMap((status): Line[] => {
        const card = 'reason' in status ? cards.get(status.name) : undefined
        if (card === undefined) return []
        return [
          [bold(truncate(status.name, 63)), ' has ', card === null ? 'a card' : link(card, 'a card'), '.'],
        ]
      }),
    ),
    lines(
      ...(all.length > shown.length
        ? [
            [
              `${count(all.length - shown.length, 'more cluster')}, none of them worse. To find one by a part of its name: `,
              code('/pg clusters PART'),
            ],
          ]
        : []),
    ),
  ])
}

const notSeen = Number.MAX_VALUE

/** Returns how far up it stands: what is not seen comes first, since nobody knows how bad it is. */
function trouble(status: ClusterStatus): number {
  if ('reason' in status || !status.snapshot.server.seesOthers) return notSeen
  return status.snapshot.locks.kind === 'jammed' ? Number.MAX_SAFE_INTEGER : totals(status.snapshot).waiting
}

const worstFirst = (a: ClusterStatus, b: ClusterStatus): number => trouble(b) - trouble(a)

function row(status: ClusterStatus, now: number): string[] {
  const name = truncate(status.name, 63)
  if ('reason' in status) return [name, '', '', '', '', `cannot be seen: ${truncate(status.reason, 140)}`]
  const { snapshot } = status
  const { waiting, used, max } = totals(snapshot)
  const sees = snapshot.server.seesOthers
  const age = (now - snapshot.takenAt) / 1000
  const seen = age < 1 ? 'now' : `${formatDuration(age)} ago`
  return [
    name,
    `${versionWords(snapshot.server.versionNum)}${snapshot.server.inRecovery ? ' (standby)' : ''}`,
    sees ? String(snapshot.sessions.filter(isClient).length) : '?',
    sees ? `${waiting}${snapshot.locks.kind === 'jammed' ? ' (lock storm)' : ''}` : '?',
    `${sees ? used : '?'} of ${max}`,
    sees ? seen : `${seen}, without others’ state: pg_monitor is missing`,
  ]
}
