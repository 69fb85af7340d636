import type { WatchedCluster } from '../commands/cluster.ts'
import type { AdviseQuestion } from '../commands/pastCommand.ts'
import type { Prevention } from '../domain/advice/prevention.ts'
import { preventionsFor } from '../domain/advice/preventions.ts'
import { beginSpells } from '../domain/advice/spells.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { adviseView } from '../views/answers/advise.ts'
import type { View } from '../views/kit.ts'
import type { Past } from './openCards.ts'
import { type PastLooks, stretchesIn } from './record.ts'

/** A day of looks is read in a moment, a week of them is not; incidents are kept for longer. Milliseconds. */
const mostRecordMs = 86_400_000

/** Prevention with the times that it is drawn from, in seconds. */
export type Advised = {
  readonly cluster: string
  readonly advice: readonly Prevention[]
  readonly incidents: number
  readonly sinceSeconds: number
  /** Time of the record that was looked through; null where nothing is recorded. */
  readonly recordSeconds: number | null
}

export type AdviceSources = {
  readonly past: Pick<Past, 'incidents'> | null
  readonly record: PastLooks | null
  readonly now: number
}

export const answerAdvise = async (
  question: Pick<AdviseQuestion, 'sinceMs'>,
  watched: WatchedCluster,
  picture: Picture,
  sources: AdviceSources,
): Promise<View> => adviseView(await adviseOn(question, watched, picture, sources))

/** Finds what would have prevented the trouble on a cluster. Throws ClusterError. */
export async function adviseOn(
  { sinceMs }: Pick<AdviseQuestion, 'sinceMs'>,
  { config, cluster }: WatchedCluster,
  picture: Picture,
  { past, record, now }: AdviceSources,
): Promise<Advised> {
  const { server, takenAt } = picture.snapshot
  const settings = await cluster.settings()
  const incidents = (await past?.incidents.recent(config.name, now - sinceMs)) ?? []
  const spells = beginSpells()
  const recordMs = Math.min(sinceMs, mostRecordMs)
  let isRecorded = false
  const from = now - recordMs
  if (record)
    for await (const stretches of stretchesIn(record.each(config.name, from, now), from, now)) {
      isRecorded ||= stretches.some(({ picture, why }) => picture !== null || why !== null)
      spells.add(stretches)
    }
  spells.add([{ from: takenAt, to: takenAt + 1, sight: 'seen', picture, why: null }])
  return {
    cluster: config.name,
    advice: preventionsFor({
      troubles: incidents,
      spells: spells.all(),
      isRecorded,
      settings,
      target: server,
      slotRetainsBytes: config.watch.slotRetainsBytes,
    }),
    incidents: incidents.length,
    sinceSeconds: sinceMs / 1000,
    recordSeconds: isRecorded ? recordMs / 1000 : null,
  }
}
