import { createAnswers } from '../answers/answer.ts'
import { blockingJson, sessionsJson } from '../answers/json.ts'
import { createTop } from '../answers/top.ts'
import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import type { Config } from '../config/config.ts'
import { pictureOf } from '../domain/locks/picture.ts'
import { createMasker } from '../domain/text/mask.ts'
import { createLog } from '../log.ts'
import { ClusterError, createCluster } from '../postgres/cluster.ts'

type Out = { write(text: string): unknown }

type LookInput = {
  readonly what: 'sessions' | 'blocking'
  /** Name of the cluster; null when none was given. */
  readonly name: string | null
  readonly json: boolean
  readonly config: Config
  readonly out: Out
  readonly err: Out
  readonly now: () => number
}

/**
 * `sessions` and `blocking` in the terminal: what the bot would show, without Slack.
 * @returns 0, or 2 when the cluster is not known or cannot be seen
 */
export async function look({ what, name, json, config, out, err, now }: LookInput): Promise<0 | 2> {
  const log = createLog({ level: 'silent' })
  const maskText = createMasker(config.queryText)
  const clusters = new Map<string, WatchedCluster>(
    config.clusters.map((config) => [
      config.name,
      { config, cluster: createCluster({ ...config, log, maskText, now }) },
    ]),
  )
  const picked = pickCluster(clusters, name, null)
  if ('problem' in picked) {
    err.write(`${picked.problem}\n`)
    return 2
  }
  const { cluster } = picked
  try {
    await cluster.start()
    const failure = cluster.failure()
    if (failure) throw failure
    if (!json) {
      const answers = createAnswers({ clusters, past: null, top: createTop(), directory: null, now })
      const { view, failed } = await answers({ kind: what, filters: {}, cluster: picked.config.name }, null)
      ;(failed ? err : out).write(`${unescapeText(view.text)}\n`)
      return failed ? 2 : 0
    }
    const picture = pictureOf(await cluster.snapshot())
    const sessions = await cluster.withText(picture.snapshot.sessions)
    const shown =
      what === 'sessions'
        ? sessionsJson(picture, sessions)
        : blockingJson(picture, picked.config.protected, sessions)
    out.write(`${JSON.stringify(shown, null, 2)}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    err.write(`Cannot see ${cluster.name}: ${error.reason}\nThis says nothing about how it is doing.\n`)
    return 2
  } finally {
    await cluster.close()
  }
}

/** The fallback text of a message is escaped for Slack; a terminal wants it plain. */
const unescapeText = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
