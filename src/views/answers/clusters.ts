import { totals } from '../../domain/incidents/finding.ts'
import { isClient } from '../../domain/session/session.ts'
import type { Snapshot } from '../../domain/session/snapshot.ts'
import { versionWords } from '../../domain/session/versions.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { bold, link, truncate, type View } from '../kit.ts'
import { count } from '../words.ts'
import { compose, type Line, lines } from './page.ts'

/** A cluster as it was just seen, or why it cannot be. */
export type ClusterStatus =
  | { readonly name: string; readonly snapshot: Snapshot }
  | { readonly name: string; readonly reason: string }

const maxClusters = 40

/**
 * Every watched cluster in one line, and the way to the cards of those that cannot be seen.
 * @param cards the links of these cards, by the names of their clusters; null where a card cannot be linked
 */
export function clustersView(
  all: readonly ClusterStatus[],
  cards: ReadonlyMap<string, string | null>,
  now: number,
): View {
  const shown = all.slice(0, maxClusters)
  const unseen = all.filter((status) => 'reason' in status || !status.snapshot.server.seesOthers).length
  const headline: Line =
    unseen > 0
      ? [bold(`${unseen} of ${count(all.length, 'cluster')} cannot be seen.`)]
      : [
          all.length === 1
            ? '1 cluster, and it is seen.'
            : `${count(all.length, 'cluster')}, all of them seen.`,
        ]
  return compose('Clusters', [
    lines(headline),
    {
      kind: 'table',
      head: ['Cluster', 'Version', 'Sessions', 'Waiting', 'Connections', 'Seen'],
      rows: shown.map((status) => row(status, now)),
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
    lines(...(all.length > shown.length ? [[`${all.length - shown.length} more clusters.`]] : [])),
  ])
}

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
