import { lookUp, seenView } from '../answers/at.ts'
import { blockingJson, notSeenJson } from '../answers/json.ts'
import { recordOf } from '../answers/record.ts'
import { withTexts } from '../domain/history/look.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import { notSeenView } from '../views/answers/moment.ts'
import { plainView } from './out.ts'
import type { LookInput } from './withCluster.ts'
import { pickConfigured, withStore } from './withStore.ts'

/**
 * `history at TIME`: what `blocking` would have said then, from the store. A bot that runs is not disturbed.
 * @param timeZone of the time, where it says none, and of the times that are shown
 * @returns 0, or 2 when the cluster was not seen then, which is never to be mistaken for calm
 */
export async function historyAt({
  time,
  timeZone,
  name,
  json,
  config,
  out,
  err,
  now,
}: LookInput & { readonly time: string; readonly timeZone: string }): Promise<0 | 2> {
  const picked = pickConfigured(name, config, err)
  if (!picked) return 2
  const cluster = picked.config.name
  const question = { kind: 'at', time, show: 'blocking', filters: {}, cluster } as const
  const writeJson = (value: unknown) => out.write(`${JSON.stringify(value, null, 2)}\n`)
  return withStore(config, err, async (tables): Promise<0 | 2> => {
    const found = await lookUp(question, picked, {
      ...{ timeZone, now: now(), several: config.clusters.length > 1 },
      record: recordOf(tables.history, config),
    })
    if ('problem' in found) {
      err.write(plainView(found.problem))
      if (json && found.outside) {
        const { at, begins } = found.outside
        writeJson(notSeenJson(cluster, { at, why: null, before: null, after: begins }))
      }
      return 2
    }
    const { known, asked } = found
    const { look } = known
    if (!look) {
      err.write(plainView(notSeenView(known, asked)))
      if (json) writeJson(notSeenJson(cluster, known))
      return 2
    }
    if (!json) {
      out.write(plainView(await seenView(known, look, asked, picked)))
      return 0
    }
    const { snapshot } = look
    writeJson(
      blockingJson(pictureOf(snapshot), picked.config.protected, withTexts(snapshot.sessions, snapshot)),
    )
    return 0
  })
}
