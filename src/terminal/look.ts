import { createAnswers } from '../answers/answer.ts'
import { blockingJson, sessionsJson } from '../answers/json.ts'
import { createTop } from '../answers/top.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import { plainView } from './out.ts'
import { type LookInput, withCluster } from './withCluster.ts'

/**
 * `sessions` and `blocking` in the terminal: what the bot would show, without Slack.
 * @returns 0, or 2 when the cluster is not known or cannot be seen
 */
export const look = (input: LookInput & { readonly what: 'sessions' | 'blocking' }): Promise<0 | 2> =>
  withCluster(input, async ({ config, cluster }, clusters) => {
    const { what, json, out, err, now } = input
    if (!json) {
      const answers = createAnswers({ clusters, past: null, top: createTop(), directory: null, now })
      const { view, failed } = await answers({ kind: what, filters: {}, cluster: config.name }, null)
      ;(failed ? err : out).write(plainView(view))
      return failed ? 2 : 0
    }
    const picture = pictureOf(await cluster.snapshot())
    const sessions = await cluster.withText(picture.snapshot.sessions)
    const shown =
      what === 'sessions'
        ? sessionsJson(picture, sessions)
        : blockingJson(picture, config.protected, sessions)
    out.write(`${JSON.stringify(shown, null, 2)}\n`)
    return 0
  })
