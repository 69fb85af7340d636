import type { Config } from '../src/config/config.ts'
import { type Finding, subjectOf } from '../src/domain/incidents/finding.ts'
import type { Incident } from '../src/domain/incidents/incident.ts'
import { readStore } from '../src/store/reading.ts'
import { report } from '../src/terminal/report.ts'
import type { Played } from './gameday.ts'

/** Time by which the bot may have been quicker than the stage, milliseconds. */
const quickerMs = 3000

const nothingSeen =
  '<!doctype html><html lang="en"><meta charset="utf-8"><title>No incident</title><p>pg-marshal opened no incident in that time.</p></html>'

/** Makes the page of the bot's own report of a round, as `report --format html` prints it. */
export async function roundReport(
  played: Played,
  config: Config,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const all = await readStore(config.store, ({ incidents }) => incidents.latest(null, 50))
  const incident = incidentOf(played, all ?? [])
  if (!incident) return nothingSeen
  const page: string[] = []
  await report({
    ...{ named: incident.id, cluster: undefined, format: 'html', config, env, now: Date.now },
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    out: { write: (text) => page.push(text) },
    err: { write: () => {} },
  })
  return page.join('') || nothingSeen
}

/** Finds the incident of a round: of those about its sessions, or else of all in that time, the one with the most victims. */
export function incidentOf({ since, pids }: Played, incidents: readonly Incident[]): Incident | null {
  const inTime = incidents.filter(({ openedAt }) => openedAt >= since - quickerMs)
  const own = inTime.filter(({ finding }) => pidsIn(finding).some((pid) => pids.has(pid)))
  const [worst] = (own.length > 0 ? own : inTime).toSorted(
    (a, b) => b.mostVictims - a.mostVictims || a.openedAt - b.openedAt,
  )
  return worst ?? null
}

const pidsIn = (finding: Finding): readonly number[] => [
  subjectOf(finding)?.pid ?? 0,
  ...(finding.kind === 'blocking' ? finding.root.victims : finding.kind === 'lockCycle' ? finding.pids : []),
]
