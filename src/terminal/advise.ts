import { type AdviceSources, adviseOn } from '../answers/advise.ts'
import { recordOf } from '../answers/record.ts'
import { usualAdviseMs } from '../commands/pastCommand.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import { parseDuration } from '../domain/text/duration.ts'
import { readStore } from '../store/reading.ts'
import { adviseView } from '../views/answers/advise.ts'
import { plainView, sayProblem } from './out.ts'
import { type LookInput, withCluster } from './withCluster.ts'

/**
 * `advise` in the terminal: what would have prevented the trouble that the bot saw, by its store.
 * @returns 0, or 2 when the cluster is not known or cannot be seen
 */
export async function advise(input: LookInput & { readonly since: string | undefined }): Promise<0 | 2> {
  const { since, json, config, out, err, now } = input
  const reach = since === undefined ? { ms: usualAdviseMs } : parseDuration(since)
  if ('problem' in reach) return sayProblem(err, `--since: ${reach.problem}`)
  const sinceMs = reach.ms
  return withCluster(input, async (watched): Promise<0> => {
    const picture = pictureOf(await watched.cluster.snapshot())
    const adviseBy = (sources: Pick<AdviceSources, 'past' | 'record'>) =>
      adviseOn({ sinceMs }, watched, picture, { ...sources, now: now() })
    const advised =
      (await readStore(
        config.store,
        (past) => adviseBy({ past, record: recordOf(past.history, config) }),
        (sentence) => sayProblem(err, sentence),
      )) ?? (await adviseBy({ past: null, record: null }))
    out.write(json ? `${JSON.stringify(advised, null, 2)}\n` : plainView(adviseView(advised)))
    return 0
  })
}
