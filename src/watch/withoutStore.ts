import type { ClusterConfig } from '../config/config.ts'
import { type Finding, findings } from '../domain/incidents/finding.ts'
import { findingName, severityOf, victimsOf, worstFirst } from '../domain/incidents/severity.ts'
import type { Picture } from '../domain/locks/picture.ts'

/** Largest number of names; the rest is counted. */
const most = 10

/**
 * Says what is wrong in a picture where nothing is remembered: kinds, process ids and counts, so nothing of what the
 * database says. Empty when all is well.
 */
export function seenWithoutStore({ name, watch }: ClusterConfig, { snapshot, forest }: Picture): string {
  const found = findings(snapshot, forest, watch)
    .map((finding) => ({ finding, openedAt: 0 }))
    .sort(worstFirst)
  if (found.length === 0) return ''
  const more = found.length > most ? ` and ${found.length - most} more` : ''
  const list = found.slice(0, most).map(({ finding }) => shortForm(finding))
  return `On ${name}: ${list.join(', ')}${more}.`
}

function shortForm(finding: Finding): string {
  const victims = victimsOf(finding)
  const waits = victims === 0 ? '' : victims === 1 ? ' (1 session waits)' : ` (${victims} sessions wait)`
  return `${severityOf(finding) === 'critical' ? 'critical: ' : ''}${findingName(finding)}${waits}`
}
