import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import type { Command } from '../commands/command.ts'
import type { SilenceCommand } from '../commands/silenceCommand.ts'
import { countOnHost } from '../domain/host/list.ts'
import { type Picture, pictureOf } from '../domain/locks/picture.ts'
import { jamsIn } from '../domain/locks/tree.ts'
import { lookOnHost } from '../host/look.ts'
import { attempt, type MissingPrivilege } from '../postgres/cluster.ts'
import type { ClusterStatus } from '../views/answers/clusters.ts'
import { helpView } from '../views/answers/help.ts'
import { type AnswerContext, problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'
import { answerAdvise } from './advise.ts'
import { answerAt } from './at.ts'
import { answerClusters, type WatcherOf } from './clusters.ts'
import { findElsewhere } from './elsewhere.ts'
import { answerHealth } from './health.ts'
import { answerHistory } from './history.ts'
import { answerBlind } from './lastResort.ts'
import { answerList } from './lists.ts'
import { answerLocks, isInQuestion } from './locks.ts'
import { answerOncall, type Directory } from './oncall.ts'
import type { Past } from './openCards.ts'
import { answerOverview } from './overview.ts'
import { mostProposed, proposedFor } from './proposed.ts'
import type { PastLooks } from './record.ts'
import type { Reports } from './report.ts'
import { answerRules } from './rules.ts'
import { answerSession } from './session.ts'
import { recommendFor } from './statements.ts'
import { answerStats } from './stats.ts'
import type { TopAnswers } from './top.ts'
import { answerWaits } from './waits.ts'
import { type Looked, type Reader, withWays } from './ways.ts'

/** Command that can be answered by looking alone. */
export type Question = Exclude<Command, { readonly kind: 'cancel' | 'terminate' | 'sweep' } | SilenceCommand>

const remembered = ['help', 'overview', 'clusters', 'history', 'stats', 'oncall', 'report'] as const

/** Question that is about no single cluster. */
type Remembered = Extract<Question, { readonly kind: (typeof remembered)[number] }>

const isRemembered = (question: Question): question is Remembered =>
  remembered.some((kind) => kind === question.kind)

/** Question about one cluster, which is answered also while that cannot be seen. */
type WithoutLook = Extract<Question, { readonly kind: 'rules' | 'waits' | 'at' }>

const isWithoutLook = (question: Question): question is WithoutLook =>
  ['rules', 'waits', 'at'].includes(question.kind)

/** Question that a look at a cluster answers. */
type AboutNow = Exclude<Question, Remembered | WithoutLook>

/** `failed`: there was nothing to show, only why; a reply for the one who asked alone. */
export type Answer = { readonly view: View; readonly failed?: boolean }

/**
 * Answers a command from one fresh look at the cluster. A cluster that cannot be seen makes an answer that says so.
 * @param channelId where the command came from; null outside of Slack
 */
export type Answers = (question: Question, channelId: string | null, asker?: Asker) => Promise<Answer>

/** Reader of an answer. */
export type Asker = {
  /** Text after `/pg`, by which the answer can be read again. */
  readonly typed: string
  /** Clusters that all who read it may see. */
  readonly sees: ReadonlySet<string>
  /** Asks where they are: IANA. */
  timeZone(): Promise<string>
}

export function createAnswers(deps: {
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Memory of the past; null when there is no store, as in the terminal. */
  readonly past: Past | null
  /** Record of the looks of the past; null where none is kept, if absent as well. */
  readonly record?: PastLooks | null
  /** Reports of incidents; null where there is no store, if absent as well. */
  readonly reports?: Reports | null
  readonly top: TopAnswers
  /** Asks Slack who is called; null in the terminal. */
  readonly directory: Directory | null
  /** Names the replica that watches a cluster; null where one process watches all. */
  readonly watcherOf?: WatcherOf
  readonly now: () => number
}): Answers {
  const { clusters, past, record = null, reports = null, top, directory, watcherOf = () => null, now } = deps

  return async (question, channelId, asker) => {
    const seen = [...clusters.values()].filter(({ config }) => asker?.sees.has(config.name) ?? true)
    const typed = asker?.typed ?? null
    if (isRemembered(question)) return { view: await remember(question, seen, typed) }
    const picked = pickCluster(clusters, question.cluster, channelId)
    const found = await findElsewhere(question, picked, seen)
    if ('view' in found) return found
    const { watched, notes } = found
    if ('problem' in watched) return { view: problemView(watched.problem), failed: true }
    if (isWithoutLook(question)) return readWithoutLook(question, watched, asker)
    const reader = { seen, notes, typed }
    return attempt(
      () => look(question, watched, reader),
      ({ reason }) => lookBlind(question, watched, reader, reason),
    )
  }

  /** Answers by the configuration or by the record. */
  async function readWithoutLook(
    question: WithoutLook,
    watched: WatchedCluster,
    asker: Asker | undefined,
  ): Promise<Answer> {
    const several = clusters.size > 1
    if (question.kind === 'rules') return { view: await answerRules(question, watched, several, now()) }
    const timeZone = (await asker?.timeZone()) ?? Intl.DateTimeFormat().resolvedOptions().timeZone
    const typed = asker?.typed ?? null
    const asking = { several, timeZone, now: now() }
    if (question.kind === 'at')
      return answerAt(question, watched, { ...asking, record, canPress: typed !== null })
    const cluster = watched.config.name
    return { view: await answerWaits(question, { ...asking, cluster, typed }, record) }
  }

  /** Answers what is about no single cluster. */
  async function remember(
    question: Remembered,
    seen: readonly WatchedCluster[],
    typed: string | null,
  ): Promise<View> {
    const names = seen.map(({ config }) => config.name)
    switch (question.kind) {
      case 'help':
        return helpView([...clusters.keys()])
      case 'overview':
        return answerOverview(seen, { past, statusOf, refresh: typed, now: now() })
      case 'clusters':
        return answerClusters([...clusters.values()], {
          ...{ past, seen, statusOf, watcherOf, now },
          part: question.part ?? null,
        })
      case 'history':
        return answerHistory(question, { past, clusters: names, typed, now: now() })
      case 'report':
        return reports?.answer(question, names, typed) ?? problemView('There is no record here.')
      case 'stats':
        return answerStats(question, { past, clusters: names, now: now() })
      case 'oncall':
        return answerOncall(question.cluster, { configs: seen.map(({ config }) => config), directory })
    }
  }

  async function look(question: AboutNow, watched: WatchedCluster, reader: Reader): Promise<Answer> {
    const picture = pictureOf(await watched.cluster.snapshot())
    const asked: AnswerContext = {
      cluster: watched.config.name,
      several: clusters.size > 1,
      now: now(),
      filters: 'filters' in question ? question.filters : {},
      thresholds: watched.config.watch,
      missing: picture.snapshot.server.seesOthers ? [] : await missingOf(watched),
    }
    return {
      view: await withWays(await read(question, watched, picture, asked), {
        ...{ watched, reader, past, clusters },
        sessions: picture.snapshot.sessions,
        isWaiting: picture.forest.waits.size > 0,
      }),
    }
  }

  /** Answers where the server cannot be asked. */
  async function lookBlind(
    question: AboutNow,
    watched: WatchedCluster,
    reader: Reader,
    reason: string,
  ): Promise<Answer> {
    const asked = { cluster: watched.config.name, several: clusters.size > 1 }
    const blind = await answerBlind(question, watched, reason, asked)
    if (blind.failed) return blind
    const { sessions } = blind
    return { view: await withWays(blind, { watched, reader, past, clusters, sessions, isWaiting: true }) }
  }

  async function read(
    question: AboutNow,
    watched: WatchedCluster,
    picture: Picture,
    asked: AnswerContext,
  ): Promise<Looked> {
    switch (question.kind) {
      case 'session':
        return answerSession(watched, picture, question.pid, asked)
      case 'health':
        return { view: await answerHealth(watched, picture, asked, past), proposed: [], about: [] }
      case 'locks': {
        const { about } = question
        const jams = jamsIn(picture.forest).filter((jam) => isInQuestion(about, jam, picture.forest))
        const advice = await recommendFor(watched, picture, jams.slice(0, mostProposed))
        return {
          view: await answerLocks(question, watched.cluster, picture, asked),
          proposed: proposedFor(picture, advice),
          about: [
            ...(about && 'pid' in about ? [about.pid] : []),
            ...jams.flatMap(({ root, cycle }) => [root?.pid ?? 0, ...cycle]),
          ],
        }
      }
      case 'advise':
        return {
          view: await answerAdvise(question, watched, picture, { past, record, now: asked.now }),
          proposed: [],
          about: [],
        }
      case 'top':
        return { view: await top.answer(question, watched, picture, asked), proposed: [], about: [] }
      default:
        return answerList(question.kind, watched, picture, asked)
    }
  }
}

/** Lists the privileges that are missing for seeing and acting. */
const missingOf = ({ cluster }: WatchedCluster): Promise<MissingPrivilege[]> =>
  attempt(
    async () => (await cluster.missingPrivileges()).filter(({ needed }) => needed),
    () => [],
  )

const statusOf = async ({ cluster, config }: WatchedCluster): Promise<ClusterStatus> =>
  await attempt(
    async (): Promise<ClusterStatus> => ({ name: config.name, snapshot: await cluster.snapshot() }),
    async ({ reason }) => {
      const seen = config.host === 'local' ? await lookOnHost(config) : null
      return {
        ...{ name: config.name, reason },
        ...(seen && 'backends' in seen && { onHost: countOnHost(seen.backends, seen.postmaster) }),
      }
    },
  )
