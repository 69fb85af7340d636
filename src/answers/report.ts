import type { WatchedCluster } from '../commands/cluster.ts'
import type { ReportQuestion } from '../commands/pastCommand.ts'
import type { Report } from '../domain/history/report.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Tables } from '../store/store.ts'
import { noActions, withActions } from '../views/answers/actions.ts'
import { codeParts } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import { choiceView, reportView } from '../views/report/message.ts'
import { peopleIn, withNames } from '../views/report/people.ts'
import { type WrittenReport, writeReport } from '../views/report/sections.ts'
import { findIncident } from './findReport.ts'
import type { Directory } from './oncall.ts'
import { type ReportSources, readReport } from './readReport.ts'

/** Reports of incidents, for Slack. */
export type Reports = {
  /**
   * Answers with the report of an incident.
   * @param sees clusters that the reader may see
   * @param typed the command after `/pg`, by which the report of one that lasts is read again; null where nobody can press
   */
  answer(question: ReportQuestion, sees: readonly string[], typed: string | null): Promise<View>
  /** Finds the report of an incident as it is shared to a channel; null where there is no such incident any more. */
  shared(incidentId: string, by: string): Promise<View | null>
}

export function createReports({
  clusters,
  directory,
  now,
  ...sources
}: ReportSources & {
  readonly past: Pick<Tables, 'incidents'>
  readonly clusters: ReadonlyMap<string, Pick<WatchedCluster, 'config'>>
  /** Asks Slack who is named in it. */
  readonly directory: Directory
  readonly now: () => number
}): Reports {
  const { past, record } = sources

  /** Reads a report, with the names of the people in it. */
  async function tell(
    incident: Incident,
  ): Promise<{ readonly report: Report; readonly written: WrittenReport }> {
    await record?.settle?.()
    const config = clusters.get(incident.cluster)?.config
    const report = await readReport(sources, incident, {
      everyMs: config?.watch.everyMs ?? 0,
      protectedSessions: config?.protected ?? [],
      now: now(),
    })
    const written = writeReport(report)
    const names = new Map<string, string>()
    for (const id of peopleIn(written)) names.set(id, (await directory(id)).name)
    return { report, written: withNames(written, names) }
  }

  return {
    async answer({ incident: named, cluster }, sees, typed) {
      const chosen = await findIncident(past.incidents, named, cluster, sees)
      if ('problem' in chosen) return choiceView(codeParts(chosen.problem), chosen.others)
      const { incident, others } = chosen
      const { report, written } = await tell(incident)
      const view = reportView(report, written, { others: named === null ? others : [], sharedBy: null })
      // The newest one may be another by then.
      const refresh = incident.resolvedAt === null && typed !== null ? `report ${incident.id}` : null
      return refresh === null ? view : withActions(view, { ...noActions, refresh })
    },
    async shared(incidentId, by) {
      const incident = await past.incidents.get(incidentId)
      if (!incident) return null
      const { report, written } = await tell(incident)
      return reportView(report, written, { others: [], sharedBy: by })
    },
  }
}
