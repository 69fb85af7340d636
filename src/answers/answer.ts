import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import type { Command } from '../commands/command.ts'
import type { ListCommand } from '../commands/listCommand.ts'
import type { SilenceCommand } from '../commands/silenceCommand.ts'
import { activityOf } from '../domain/lists/activity.ts'
import { jamMatches } from '../domain/lists/filters.ts'
import { chooseIdle, chooseLong, chooseSessions, type List } from '../domain/lists/selection.ts'
import { type Picture, pictureOf } from '../domain/locks/picture.ts'
import { jamBehind } from '../domain/locks/recommendation.ts'
import { jamsIn, layOut } from '../domain/locks/tree.ts'
import { fittingAction } from '../domain/session/allowedAction.ts'
import { type Session, sessionsByPid } from '../domain/session/session.ts'
import { attempt, type MissingPrivilege, unreadable } from '../postgres/cluster.ts'
import type { Tables } from '../store/store.ts'
import { activityView } from '../views/answers/activity.ts'
import { blockingView, treeSessions } from '../views/answers/blocking.ts'
import { type ClusterStatus, clustersView } from '../views/answers/clusters.ts'
import { helpView } from '../views/answers/help.ts'
import { historyView } from '../views/answers/history.ts'
import { listView } from '../views/answers/list.ts'
import { type AnswerContext, failureView, problemView } from '../views/answers/page.ts'
import { longestStatement, noSessionView, type OwnLocks, sessionView } from '../views/answers/session.ts'
import { sessionsShown, sessionsView } from '../views/answers/sessions.ts'
import type { View } from '../views/kit.ts'
import { answerHealth } from './health.ts'
import { answerLocks } from './locks.ts'
import { answerRules } from './rules.ts'
import { recommendFor, textsOf } from './statements.ts'
import { createTop } from './top.ts'

/** Command that can be answered by looking alone. */
export type Question = Exclude<Command, { readonly kind: 'cancel' | 'terminate' } | SilenceCommand>

/** Question that a look at a cluster answers. */
type AboutNow = Exclude<Question, { readonly kind: 'help' | 'clusters' | 'history' | 'rules' }>

/** `failed`: there was nothing to show, only why; a reply for the one who asked alone. */
export type Answer = { readonly view: View; readonly failed?: boolean }

/**
 * Answers a command from one fresh look at the cluster. A cluster that cannot be seen makes an answer that says so.
 * @param channelId where the command came from; null outside of Slack
 */
export type Answers = (question: Question, channelId: string | null) => Promise<Answer>

/** Largest number of lines in a tree, and of roots that it begins with. */
const treeLines = 40
const maxTrees = 8
/** Largest number of journal rows in one answer. */
const historyRows = 30

export function createAnswers(deps: {
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Memory of the past; null when there is no store, as in the terminal. */
  readonly past: Pick<Tables, 'journal' | 'proposals'> | null
  readonly now: () => number
}): Answers {
  const { clusters, past, now } = deps
  const top = createTop()

  return async (question, channelId) => {
    if (question.kind === 'help') return { view: helpView([...clusters.keys()]) }
    if (question.kind === 'clusters')
      return { view: clustersView(await Promise.all([...clusters.values()].map(statusOf)), now()) }
    if (question.kind === 'history') return { view: await history(question, past) }
    const watched = pickCluster(clusters, question.cluster, channelId)
    if ('problem' in watched) return { view: problemView(watched.problem), failed: true }
    if (question.kind === 'rules')
      return { view: await answerRules(question, watched, clusters.size > 1, now()) }
    return attempt(
      () => look(question, watched),
      ({ reason }) => ({ view: failureView(watched.config.name, reason), failed: true }),
    )
  }

  async function look(question: AboutNow, watched: WatchedCluster): Promise<Answer> {
    const picture = pictureOf(await watched.cluster.snapshot())
    const asked: AnswerContext = {
      cluster: watched.config.name,
      several: clusters.size > 1,
      now: now(),
      filters: 'filters' in question ? question.filters : {},
      thresholds: watched.config.watch,
      missing: picture.snapshot.server.seesOthers ? [] : await missingOf(watched),
    }
    switch (question.kind) {
      case 'session':
        return { view: await oneSession(watched, picture, question.pid, asked) }
      case 'health':
        return { view: await answerHealth(watched, picture, asked) }
      case 'locks':
        return { view: await answerLocks(question, watched.cluster, picture, asked) }
      case 'top':
        return { view: await top(question, watched.cluster, picture, asked) }
      default:
        return { view: await answerList(question.kind, watched, picture, asked) }
    }
  }
}

async function history(
  { pid, card }: Question & { kind: 'history' },
  past: Pick<Tables, 'journal' | 'proposals'> | null,
): Promise<View> {
  if (!past) return problemView('There is no journal here.')
  if (pid === null && card === null)
    return historyView('everything', await past.journal.latest(historyRows), historyRows)
  const cards = pid === null ? await past.journal.cardsLike(card ?? '') : await past.proposals.cardsOf(pid)
  const rows = await past.journal.ofCards(cards, historyRows)
  return historyView(pid === null ? `incident ${card}` : `PID ${pid}`, rows, historyRows)
}

async function answerList(
  kind: ListCommand['kind'],
  watched: WatchedCluster,
  picture: Picture,
  asked: AnswerContext,
): Promise<View> {
  const { filters, thresholds } = asked
  const texts = (sessions: readonly Session[]) => textsOf(watched.cluster, sessions)
  switch (kind) {
    case 'sessions': {
      const selection = chooseSessions(picture, thresholds, filters)
      const shown = await texts(sessionsShown(selection))
      const [worst] = selection.jams
      const jams = worst?.kind === 'root' ? [jamBehind(worst.root)] : []
      const [advice = null] = await recommendFor(watched, picture, jams)
      return sessionsView({ picture, selection, texts: shown, advice, asked })
    }
    case 'blocking': {
      const sessions = sessionsByPid(picture.snapshot.sessions)
      const stems = jamsIn(picture.forest)
      const matching = stems.filter(({ root, cycle, victims }) =>
        jamMatches({ root, pids: [...cycle, ...victims] }, sessions, filters),
      )
      const heads = 2 * Math.min(matching.length, maxTrees)
      const trees = layOut(matching, picture.forest, treeLines - heads, maxTrees)
      const shown = await texts(treeSessions(trees, sessions))
      const advice = await recommendFor(watched, picture, matching.slice(0, trees.trees.length))
      const otherRoots = stems.length - matching.length
      return blockingView({ picture, laidOut: trees, otherRoots, texts: shown, advice, asked })
    }
    case 'long':
      return listed('long', chooseLong(picture, thresholds, filters))
    case 'idle':
      return listed('idle', chooseIdle(picture, thresholds, filters))
    case 'activity':
      return activityView({ picture, activity: activityOf(picture.snapshot, filters), asked })
  }

  async function listed(kind: 'long' | 'idle', chosen: List): Promise<View> {
    return listView({ picture, kind, chosen, texts: await texts(chosen.sessions), asked })
  }
}

async function oneSession(
  watched: WatchedCluster,
  picture: Picture,
  pid: number,
  asked: AnswerContext,
): Promise<View> {
  const { cluster, config } = watched
  const { snapshot } = picture
  const session = snapshot.sessions.find((one) => one.pid === pid)
  if (!session) return noSessionView({ picture, pid, asked })
  const [withText, locks] = await Promise.all([
    attempt(
      () => cluster.withText([session], longestStatement),
      () => [session],
    ),
    readOwnLocks(watched, picture, pid),
  ])
  const fit = fittingAction(session, snapshot.server, config.protected)
  const jam = picture.forest.roots.find(({ pid: root, victims }) => root === pid || victims.includes(pid))
  const [advice = null] = await recommendFor(watched, picture, jam ? [jamBehind(jam)] : [])
  return sessionView({ picture, session: withText[0] ?? session, locks, fit, advice, asked })
}

/** The lock table is left alone while the lock manager is jammed: to read it would stall, too. */
async function readOwnLocks({ cluster }: WatchedCluster, picture: Picture, pid: number): Promise<OwnLocks> {
  if (picture.snapshot.locks.kind === 'jammed') return { unread: picture.snapshot.locks.why }
  return attempt(async () => ({ groups: await cluster.locksOf(pid) }), unreadable)
}

/** Lists the privileges that are missing for seeing and acting. */
const missingOf = ({ cluster }: WatchedCluster): Promise<MissingPrivilege[]> =>
  attempt(
    async () => (await cluster.missingPrivileges()).filter(({ needed }) => needed),
    () => [],
  )

const statusOf = ({ cluster, config: { name } }: WatchedCluster): Promise<ClusterStatus> =>
  attempt(
    async () => ({ name, snapshot: await cluster.snapshot() }),
    ({ reason }) => ({ name, reason }),
  )
