import { notYetView, recordOf, unrecordedView } from '../answers/record.ts'
import { type ReadWaits, readWaits } from '../answers/waits.ts'
import { pickCluster } from '../commands/cluster.ts'
import type { CommandOption } from '../commands/grammar.ts'
import { readWaitsOptions } from '../commands/waitsCommand.ts'
import { meanIn } from '../domain/history/waiting.ts'
import type { Ranking } from '../domain/history/waits.ts'
import { readStore } from '../store/reading.ts'
import { waitsView } from '../views/answers/waits.ts'
import { type LookInput, plainView } from './withCluster.ts'

/**
 * `waits`: what active sessions waited for, from the store. A bot that runs is not disturbed.
 * @param timeZone of the times that are shown
 * @returns 0, or 2 when nothing was seen, which is never to be mistaken for calm
 */
export async function waits({
  options,
  timeZone,
  name,
  json,
  config,
  out,
  err,
  now,
}: LookInput & {
  readonly options: ReadonlyMap<CommandOption, string>
  readonly timeZone: string
}): Promise<0 | 2> {
  const { store, clusters } = config
  const failed = (sentence: string): 2 => {
    err.write(`${sentence.trimEnd().replaceAll('`', '"')}\n`)
    return 2
  }
  const picked = pickCluster(new Map(clusters.map((config) => [config.name, { config }])), name, null)
  if ('problem' in picked) return failed(picked.problem)
  const question = readWaitsOptions(options)
  if (question.kind === 'problem') return failed(question.message)
  const cluster = picked.config.name
  const asked = { cluster, now: now() }
  const result = await readStore(store, async (tables): Promise<0 | 2> => {
    const record = recordOf(tables.history, config)
    if (!record) return failed(plainView(unrecordedView()))
    const read = await readWaits(question, asked, record)
    if (!read) return failed(plainView(notYetView(cluster)))
    const { sums, begins } = read
    const { sinceMs, filters } = question
    out.write(
      json
        ? `${JSON.stringify(waitsJson(cluster, read), null, 2)}\n`
        : plainView(
            waitsView(sums, {
              ...{ ...asked, several: clusters.length > 1, timeZone, sinceMs, filters, begins },
            }),
          ),
    )
    return sums.seenMs > 0 ? 0 : 2
  })
  if (result !== null) return result
  const place = store.kind === 'sqlite' ? `at ${store.path}` : 'in the schema that its role works in'
  return failed(`There is no store ${place}; store.url in the configuration says where it is.`)
}

/** The same for programs. `sessions` is an average, and null in a time that was not seen. */
function waitsJson(cluster: string, { sums, begins }: ReadWaits) {
  const { from, to, buckets, types, peaks, waitedSeconds, seenMs, partlyMs, gaps } = sums
  const ranking = (field: string, of: Ranking) => of.map(([name, seconds]) => ({ [field]: name, seconds }))
  return {
    ...{ cluster, from: iso(from), to: iso(to), recordBegins: begins === null ? null : iso(begins) },
    ...{ seenSeconds: seenMs / 1000, partlySeenSeconds: partlyMs / 1000, waitedSeconds },
    notSeen: gaps.map((gap) => ({ from: iso(gap.from), to: iso(gap.to), why: gap.why })),
    types: types.map(([type, seconds]) => {
      const peak = peaks.get(type)
      return { type, seconds, most: peak ? { sessions: peak.count, at: iso(peak.at) } : null }
    }),
    overTime: buckets.map((bucket) => ({
      ...{ from: iso(bucket.from), to: iso(bucket.to), seenSeconds: bucket.seenMs / 1000 },
      sessions:
        bucket.seenMs > 0 ? Object.fromEntries(types.map(([type]) => [type, meanIn(bucket, type)])) : null,
    })),
    statements: ranking('statement', sums.statements),
    applications: ranking('application', sums.applications),
    relations: ranking('relation', sums.relations),
  }
}

const iso = (at: number): string => new Date(at).toISOString()
