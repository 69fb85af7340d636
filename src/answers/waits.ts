import type { WaitsQuestion } from '../commands/waitsCommand.ts'
import { spansOf, working } from '../domain/history/waiting.ts'
import { beginWaits, type Peak, type WaitSums } from '../domain/history/waits.ts'
import { matchesFilters, quoted } from '../domain/lists/filters.ts'
import { isTimeZone } from '../domain/text/hours.ts'
import { placeTime } from '../domain/text/placeTime.ts'
import { noActions, type Shown, withActions } from '../views/answers/actions.ts'
import { type AskedWaits, waitsView } from '../views/answers/waits.ts'
import type { View } from '../views/kit.ts'
import { notYetView, type PastLooks, stretchesIn, unrecordedView } from './record.ts'

/** Points of the chart. */
const spans = 12

/** Sums of what sessions waited for, and the begin of the record where it does not reach as far back as was asked. */
export type ReadWaits = { readonly sums: WaitSums; readonly begins: number | null }

/**
 * Reads what sessions waited for, from the record: a cluster that cannot be seen now has one as well.
 * @returns null where nothing is recorded of it yet
 */
export async function readWaits(
  { sinceMs, filters }: WaitsQuestion,
  { cluster, now }: { readonly cluster: string; readonly now: number },
  record: PastLooks,
): Promise<ReadWaits | null> {
  await record.settle?.()
  const wanted = now - sinceMs
  const { found, after } = await record.at(cluster, wanted)
  const begins = found ? null : after
  if (!found && (begins === null || begins >= now)) return null
  const from = Math.max(wanted, begins ?? wanted)
  const waits = beginWaits(spansOf(from, now, spans), (session) => matchesFilters(session, filters))
  const looks = record.each(cluster, found?.look.takenAt ?? from, now)
  for await (const stretches of stretchesIn(looks, from, now)) waits.add(stretches)
  return { sums: waits.end(), begins }
}

/** Answers what sessions waited for. */
export async function answerWaits(
  question: WaitsQuestion,
  asked: Omit<AskedWaits, 'sinceMs' | 'filters' | 'begins'> & { readonly typed: string | null },
  record: PastLooks | null,
): Promise<View> {
  if (!record) return unrecordedView()
  const read = await readWaits(question, asked, record)
  if (!read) return notYetView(asked.cluster)
  const timeZone = isTimeZone(asked.timeZone) ? asked.timeZone : 'UTC'
  const { sinceMs, filters } = question
  const view = waitsView(read.sums, { ...asked, timeZone, sinceMs, filters, begins: read.begins })
  const worst = peakOf(read.sums)
  const shows = worst && asked.typed !== null ? [showMoment(worst.at, { ...asked, timeZone })] : []
  return withActions(view, { ...noActions, shows, refresh: asked.typed })
}

/** The moment at which most sessions waited for what was waited for most. */
function peakOf({ types, peaks }: WaitSums): Peak | null {
  const worst = types.find(([type]) => type !== working)
  return (worst && peaks.get(worst[0])) ?? null
}

/** Leads to what a list would have said then. A second later it is the same look, since a command knows no fractions. */
function showMoment(
  at: number,
  { cluster, several, timeZone }: Pick<AskedWaits, 'cluster' | 'several' | 'timeZone'>,
): Shown {
  const second = Math.ceil(at / 1000) * 1000
  const iso = new Date(second).toISOString().replace('.000', '')
  return {
    label: `Who blocked whom at ${placeTime(timeZone, { stepMs: 0, spanMs: 0 })(second)}`,
    command: `at ${iso}${several ? ` --cluster ${quoted(cluster)}` : ''}`,
  }
}
