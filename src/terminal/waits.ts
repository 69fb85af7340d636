import { notYetView, recordOf, unrecordedView } from '../answers/record.ts'
import { type ReadWaits, readWaits } from '../answers/waits.ts'
import type { CommandOption } from '../commands/grammar.ts'
import { readWaitsOptions } from '../commands/waitsCommand.ts'
import { meanIn } from '../domain/history/waiting.ts'
import type { Ranking } from '../domain/history/waits.ts'
import { waitsView } from '../views/answers/waits.ts'
import { plainView, sayProblem } from './out.ts'
import type { LookInput } from './withCluster.ts'
import { pickConfigured, withStore } from './withStore.ts'

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
  const failed = (sentence: string) => sayProblem(err, sentence)
  const picked = pickConfigured(name, config, err)
  if (!picked) return 2
  const question = readWaitsOptions(options)
  if (question.kind === 'problem') return failed(question.message)
  const cluster = picked.config.name
  const asked = { cluster, now: now() }
  return withStore(config, err, async (tables): Promise<0 | 2> => {
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
              ...{ ...asked, several: config.clusters.length > 1, timeZone, sinceMs, filters, begins },
            }),
          ),
    )
    return sums.seenMs > 0 ? 0 : 2
  })
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
