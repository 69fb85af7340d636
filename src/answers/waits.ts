import type { WaitsQuestion } from '../commands/waitsCommand.ts'
import { spansOf, stretchesOf, type TimedLook } from '../domain/history/waiting.ts'
import { beginWaits } from '../domain/history/waits.ts'
import { matchesFilters } from '../domain/lists/filters.ts'
import { isTimeZone } from '../domain/text/hours.ts'
import { noActions, withActions } from '../views/answers/actions.ts'
import { problemView } from '../views/answers/page.ts'
import { type AskedWaits, waitsView } from '../views/answers/waits.ts'
import type { View } from '../views/kit.ts'
import { type PastLooks, unrecordedView } from './record.ts'

/** Points of the chart. */
const spans = 12
/** Looks that are counted at once, so that a long time needs little memory. */
const atOnce = 100

/** Answers what sessions waited for, from the record: a cluster that cannot be seen now has one as well. */
export async function answerWaits(
  { sinceMs, filters }: WaitsQuestion,
  asked: Omit<AskedWaits, 'sinceMs' | 'filters' | 'begins'> & { readonly typed: string | null },
  record: PastLooks | null,
): Promise<View> {
  if (!record) return unrecordedView()
  const { cluster, now, typed } = asked
  const timeZone = isTimeZone(asked.timeZone) ? asked.timeZone : 'UTC'
  await record.settle?.()
  const wanted = now - sinceMs
  const { found, after } = await record.at(cluster, wanted)
  const begins = found ? null : after
  if (!found && (begins === null || begins >= now))
    return problemView(
      `Nothing is recorded of \`${cluster}\` yet. Each look is kept a second after it was taken: ask again in a minute.`,
    )
  const from = Math.max(wanted, begins ?? wanted)
  const waits = beginWaits(spansOf(from, now, spans), (session) => matchesFilters(session, filters))
  let looks: TimedLook[] = found ? [found] : []
  let at = from
  const addUntil = (until: number) => {
    waits.add(stretchesOf(looks, at, until))
    // The last one speaks on.
    looks = looks.slice(-1)
    at = until
  }
  for await (const look of record.each(cluster, from, now)) {
    looks.push(look)
    if (looks.length > atOnce) addUntil(look.look.takenAt)
  }
  addUntil(now)
  const view = waitsView(waits.end(), { ...asked, timeZone, sinceMs, filters, begins })
  return withActions(view, { ...noActions, refresh: typed })
}
