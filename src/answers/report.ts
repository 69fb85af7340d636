import type { WatchedCluster } from '../commands/cluster.ts'
import type { ReportQuestion } from '../commands/pastCommand.ts'
import type { ClusterConfig } from '../config/config.ts'
import type { Report } from '../domain/history/report.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { noActions, withActions } from '../views/answers/actions.ts'
import { codeParts, problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import { choiceView, reportView } from '../views/report/message.ts'
import { peopleIn, withNames } from '../views/report/people.ts'
import { type WrittenReport, writeReport } from '../views/report/sections.ts'
import { findIncident } from './findReport.ts'
import type { Directory } from './oncall.ts'
import type { Past } from './openCards.ts'
import { readReport } from './readReport.ts'

type ReportDeps = {
  readonly past: Past | null
  /** Clusters that the reader may see. */
  readonly configs: readonly ClusterConfig[]
  /** Asks Slack who is named in it; null in the terminal. */
  readonly directory: Directory | null
  readonly now: () => number
}

/**
 * Answers with the report of an incident.
 * @param typed the command after `/pg`, by which the report of one that lasts is read again; null where nobody can press
 */
export async function answerReport(
  { incident: named, cluster }: ReportQuestion,
  { typed, ...deps }: ReportDeps & { readonly typed: string | null },
): Promise<View> {
  const { past, configs } = deps
  if (!past) return problemView('There is no record here.')
  const names = configs.map(({ name }) => name)
  const chosen = await findIncident(past.incidents, named, cluster, names)
  if ('problem' in chosen) return choiceView(codeParts(chosen.problem), chosen.others)
  const { incident, others } = chosen
  const { report, written } = await tell(incident, { ...deps, past })
  const view = reportView(report, written, { others: named === null ? others : [], sharedBy: null })
  return incident.resolvedAt === null
    ? withActions(view, {
        ...noActions,
        // The newest one may be another by then.
        refresh: typed === null ? null : `report ${incident.id}`,
      })
    : view
}

/** Reads a report, with the names of the people in it. */
export async function tell(
  incident: Incident,
  { past, configs, directory, now }: ReportDeps & { readonly past: Past },
): Promise<{ readonly report: Report; readonly written: WrittenReport }> {
  await past.settle?.()
  const config = configs.find(({ name }) => name === incident.cluster)
  const report = await readReport(past, incident, {
    everyMs: config?.watch.everyMs ?? 0,
    protectedSessions: config?.protected ?? [],
    now: now(),
  })
  const written = writeReport(report)
  const names = new Map<string, string>()
  if (directory) for (const id of peopleIn(written)) names.set(id, (await directory(id)).name)
  return { report, written: withNames(written, names) }
}

/** Finds the report of an incident as it is shared to a channel; null where there is no such incident any more. */
export type SharedReport = (incidentId: string, by: string) => Promise<View | null>

export const createSharedReport =
  ({
    past,
    clusters,
    ...deps
  }: Omit<ReportDeps, 'configs' | 'past'> & {
    readonly past: Past
    readonly clusters: ReadonlyMap<string, WatchedCluster>
  }): SharedReport =>
  async (incidentId, by) => {
    const incident = await past.incidents.get(incidentId)
    if (!incident) return null
    const configs = [...clusters.values()].map(({ config }) => config)
    const { report, written } = await tell(incident, { ...deps, past, configs })
    return reportView(report, written, { others: [], sharedBy: by })
  }
