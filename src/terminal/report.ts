import packageJson from '../../package.json' with { type: 'json' }
import { findIncident } from '../answers/findReport.ts'
import { readReport } from '../answers/readReport.ts'
import { recordOf } from '../answers/record.ts'
import type { Config } from '../config/config.ts'
import { createOutwardMasker } from '../domain/text/mask.ts'
import { createLog, createSlackLogger } from '../log.ts'
import { clientOptions, createSlack } from '../slack/client.ts'
import { createNames } from '../slack/names.ts'
import { shortId } from '../views/card/card.ts'
import { incidentWords } from '../views/card/headline.ts'
import { clockIn } from '../views/report/clock.ts'
import { reportDocument } from '../views/report/document.ts'
import { reportMarkdown } from '../views/report/markdown.ts'
import { reportPage } from '../views/report/page.ts'
import { peopleIn, withNames } from '../views/report/people.ts'
import { writeReport } from '../views/report/sections.ts'
import type { Out } from './out.ts'
import { withStore } from './withStore.ts'

type Env = Readonly<Record<string, string | undefined>>

export const reportFormats = ['md', 'html', 'json'] as const
export type ReportFormat = (typeof reportFormats)[number]

/**
 * `report INCIDENT`: the incident as one would write it up, from the store. A bot that runs is not disturbed.
 * @param named beginning of the id of the incident; null: the newest one
 * @param timeZone of the times in it
 * @returns 0, or 2 where there is none to report
 */
export async function report({
  named,
  cluster,
  format,
  config,
  env,
  timeZone,
  out,
  err,
  now,
}: {
  readonly named: string | null
  readonly cluster: string | undefined
  readonly format: ReportFormat
  readonly config: Config
  readonly env: Env
  readonly timeZone: string
  readonly out: Out
  readonly err: Out
  readonly now: () => number
}): Promise<0 | 2> {
  const { clusters } = config
  return withStore(config, err, async (tables): Promise<0 | 2> => {
    // Also of a cluster that is not watched any more.
    const known = await tables.incidents.latest(null, 1000)
    const seen = [...new Set([...clusters.map(({ name }) => name), ...known.map((one) => one.cluster)])]
    const chosen = await findIncident(tables.incidents, named, cluster, seen)
    if ('problem' in chosen) {
      err.write(`${chosen.problem.replaceAll('`', '"')}\n`)
      for (const one of chosen.others)
        err.write(
          `  ${shortId(one.id)}  ${new Date(one.openedAt).toISOString().slice(0, 16).replace('T', ' ')} UTC  ${incidentWords(one)}\n`,
        )
      return 2
    }
    const { incident } = chosen
    const watched = clusters.find(({ name }) => name === incident.cluster)
    const sources = {
      past: tables,
      record: recordOf(tables.history, config),
      maskText: createOutwardMasker(config.queryText),
    }
    const told = await readReport(sources, incident, {
      everyMs: watched?.watch.everyMs ?? 5000,
      protectedSessions: watched?.protected ?? [],
      now: now(),
    })
    const unnamed = writeReport(told)
    const written = withNames(unnamed, await namesOf(peopleIn(unnamed), env, now))
    const clock = clockIn(timeZone, told.from)
    switch (format) {
      case 'md':
        out.write(reportMarkdown(written, clock))
        break
      case 'html':
        out.write(reportPage(told, written, { clock, version: packageJson.version, writtenAt: now() }))
        break
      case 'json':
        out.write(`${JSON.stringify(reportDocument(told, written), null, 2)}\n`)
    }
    return 0
  })
}

/** Asks Slack for the names, where there is a token. Without an answer people stand there by their ids. */
async function namesOf(
  ids: readonly string[],
  { SLACK_BOT_TOKEN: token, SLACK_API_URL: apiUrl }: Env,
  now: () => number,
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  if (!token) return names
  const log = createLog({ level: 'silent' })
  const slack = createSlack({
    token,
    options: clientOptions({ apiUrl, logger: createSlackLogger(log), now }),
  })
  const { who } = createNames({ slack, ids: () => new Set(ids), log })
  for (const id of ids) {
    const { name, unread } = await who(id)
    if (unread !== null) break
    names.set(id, name)
  }
  return names
}
