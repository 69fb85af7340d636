import type { AtQuestion } from '../commands/atCommand.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import { withTexts } from '../domain/history/look.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import { type Session, waitsForLock } from '../domain/session/session.ts'
import { isTimeZone } from '../domain/text/hours.ts'
import { parsePastMoment } from '../domain/text/moment.ts'
import { noActions, withActions } from '../views/answers/actions.ts'
import {
  type AskedMoment,
  beginsView,
  momentNotes,
  momentsFrom,
  notSeenView,
  timeIn,
} from '../views/answers/moment.ts'
import { problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import { answerList } from './lists.ts'
import { type KnownMoment, momentIn, type SeenLook } from './moment.ts'
import { notYetView, type PastLooks, unrecordedView } from './record.ts'

type Configured = Pick<WatchedCluster, 'config'>
type Asking = {
  readonly record: PastLooks | null
  /** IANA, of who asks. */
  readonly timeZone: string
  /** With several clusters every command that is offered names this one. */
  readonly several: boolean
  readonly now: number
}

/** A look may not be written for so long, milliseconds. */
const recentMs = 10_000

/** Answers what a list would have said at a moment of the past. A cluster that cannot be seen now has a past as well. */
export async function answerAt(
  question: AtQuestion,
  watched: Configured,
  { canPress, ...asking }: Asking & { readonly canPress: boolean },
): Promise<{ readonly view: View; readonly failed?: boolean }> {
  const found = await lookUp(question, watched, asking)
  if ('problem' in found) return { view: found.problem, failed: true }
  const { known, asked } = found
  const view = known.look ? await seenView(known, known.look, asked, watched) : notSeenView(known, asked)
  return { view: withActions(view, { ...noActions, moments: canPress ? momentsFrom(known, asked) : {} }) }
}

/** Finds what is known of the moment that is meant. */
export async function lookUp(
  { time, filters, show }: AtQuestion,
  { config }: Configured,
  { record, timeZone: place, several, now }: Asking,
): Promise<
  /** `outside`: the record begins after this moment, or has nothing of the cluster. */
  | { readonly problem: View; readonly outside?: { readonly at: number; readonly begins: number | null } }
  | { readonly known: KnownMoment; readonly asked: AskedMoment }
> {
  if (!record) return { problem: unrecordedView() }
  const timeZone = isTimeZone(place) ? place : 'UTC'
  const wanted = parsePastMoment(time, timeZone, now)
  if ('problem' in wanted) return { problem: problemView(wanted.problem) }
  const cluster = config.name
  const asked: AskedMoment = { ...{ cluster, several, now, timeZone, filters, show }, wanted }
  if (now - wanted.at < recentMs) await record.settle?.()
  const known = await momentIn(record, cluster, wanted.at)
  if (!('begins' in known)) return { known, asked }
  const { begins } = known
  return {
    problem: begins === null ? notYetView(cluster) : beginsView(begins, asked),
    outside: { at: wanted.at, begins },
  }
}

/** Shows what the list would have said: where none is asked for, who blocked whom if somebody waited. */
export async function seenView(
  known: KnownMoment,
  look: SeenLook,
  asked: AskedMoment,
  { config }: Configured,
): Promise<View> {
  const { snapshot } = look
  const { cluster, several, filters, now } = asked
  const kind = asked.show ?? (snapshot.sessions.some(waitsForLock) ? 'blocking' : 'sessions')
  const source = {
    config,
    cluster: { withText: async (some: readonly Session[]) => withTexts(some, snapshot) },
  }
  const { view } = await answerList(kind, source, pictureOf(snapshot), {
    ...{ cluster, several, filters, missing: [], now },
    thresholds: config.watch,
    past: {
      when: timeIn(asked)(look.takenAt),
      iso: new Date(look.takenAt).toISOString(),
      notes: momentNotes(known, look, asked),
    },
  })
  return view
}
