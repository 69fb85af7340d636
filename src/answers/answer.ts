import { pickCluster, type WatchedCluster } from '../commands/cluster.ts'
import { type Command, parseCommand } from '../commands/command.ts'
import type { ListCommand } from '../commands/listCommand.ts'
import type { SilenceCommand } from '../commands/silenceCommand.ts'
import { activityOf } from '../domain/lists/activity.ts'
import { jamMatches, quoted } from '../domain/lists/filters.ts'
import { chooseIdle, chooseLong, chooseSessions, type List } from '../domain/lists/selection.ts'
import { type Picture, pictureOf } from '../domain/locks/picture.ts'
import { jamBehind } from '../domain/locks/recommendation.ts'
import { type Jam, jamsIn, layOut } from '../domain/locks/tree.ts'
import { fittingAction } from '../domain/session/allowedAction.ts'
import { type Session, sessionsByPid } from '../domain/session/session.ts'
import { attempt, type MissingPrivilege, unreadable } from '../postgres/cluster.ts'
import { noActions, type Proposed, withActions } from '../views/answers/actions.ts'
import { activityView } from '../views/answers/activity.ts'
import { blockingView } from '../views/answers/blocking.ts'
import type { ClusterStatus } from '../views/answers/clusters.ts'
import { helpView } from '../views/answers/help.ts'
import { listView } from '../views/answers/list.ts'
import { type AnswerContext, failureView, problemView } from '../views/answers/page.ts'
import { longestStatement, noSessionView, type OwnLocks, sessionView } from '../views/answers/session.ts'
import { sessionsShown, sessionsView } from '../views/answers/sessions.ts'
import type { Line, View } from '../views/kit.ts'
import { answerClusters } from './clusters.ts'
import { findElsewhere, trouble } from './elsewhere.ts'
import { answerHealth } from './health.ts'
import { answerHistory } from './history.ts'
import { answerLocks, isInQuestion } from './locks.ts'
import { answerOncall, type Directory } from './oncall.ts'
import { cardOf, openOn, type Past, sessionsIn } from './openCards.ts'
import { answerOverview } from './overview.ts'
import { mostProposed, proposedEach, proposedFor } from './proposed.ts'
import { answerRules } from './rules.ts'
import { recommendFor, textsOf } from './statements.ts'
import { answerStats } from './stats.ts'
import type { TopAnswers } from './top.ts'

/** Command that can be answered by looking alone. */
export type Question = Exclude<Command, { readonly kind: 'cancel' | 'terminate' } | SilenceCommand>

/** Question that a look at a cluster answers. */
type AboutNow = Exclude<
  Question,
  { readonly kind: 'help' | 'overview' | 'clusters' | 'history' | 'stats' | 'oncall' | 'rules' }
>

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
}

/** Largest number of lines in a tree, and of roots that it begins with. */
const treeLines = 40
const maxTrees = 8

export function createAnswers(deps: {
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Memory of the past; null when there is no store, as in the terminal. */
  readonly past: Past | null
  readonly top: TopAnswers
  /** Asks Slack who is called; null in the terminal. */
  readonly directory: Directory | null
  readonly now: () => number
}): Answers {
  const { clusters, past, top, directory, now } = deps

  return async (question, channelId, asker) => {
    const seen = [...clusters.values()].filter(({ config }) => asker?.sees.has(config.name) ?? true)
    if (question.kind === 'overview')
      return {
        view: await answerOverview(seen, { past, statusOf, refresh: asker?.typed ?? null, now: now() }),
      }
    if (question.kind === 'help') return { view: helpView([...clusters.keys()]) }
    if (question.kind === 'clusters')
      return { view: await answerClusters([...clusters.values()], { past, seen, statusOf, now }) }
    if (question.kind === 'history')
      return {
        view: await answerHistory(question, {
          past,
          clusters: seen.map(({ config }) => config.name),
          typed: asker?.typed ?? null,
          now: now(),
        }),
      }
    if (question.kind === 'oncall')
      return {
        view: await answerOncall(question.cluster, {
          configs: seen.map(({ config }) => config),
          directory,
        }),
      }
    if (question.kind === 'stats')
      return {
        view: await answerStats(question, {
          past,
          clusters: seen.map(({ config }) => config.name),
          now: now(),
        }),
      }
    const picked = pickCluster(clusters, question.cluster, channelId)
    const found = await findElsewhere(question, picked, seen)
    if ('view' in found) return found
    const { watched, notes } = found
    if ('problem' in watched) return { view: problemView(watched.problem), failed: true }
    if (question.kind === 'rules')
      return { view: await answerRules(question, watched, clusters.size > 1, now()) }
    return attempt(
      () => look(question, watched, { seen, notes, typed: asker?.typed ?? null }),
      ({ reason }) => ({ view: failureView(watched.config.name, reason), failed: true }),
    )
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
      view: await withWays(await read(question, watched, picture, asked), { watched, picture, reader }),
    }
  }

  async function read(
    question: AboutNow,
    watched: WatchedCluster,
    picture: Picture,
    asked: AnswerContext,
  ): Promise<Looked> {
    switch (question.kind) {
      case 'session':
        return oneSession(watched, picture, question.pid, asked)
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
      case 'top':
        return { view: await top.answer(question, watched.cluster, picture, asked), proposed: [], about: [] }
      default:
        return answerList(question.kind, watched, picture, asked)
    }
  }

  /** Adds what can be done: requests, the open cards of these sessions, trouble elsewhere, and reading it again. */
  async function withWays(
    { view, proposed, about }: Looked,
    { watched, picture, reader }: { watched: WatchedCluster; picture: Picture; reader: Reader },
  ): Promise<View> {
    const { name } = watched.config
    const open = await openOn(past, name)
    const meant = new Set([...about, ...proposed.map(({ key }) => key.pid)])
    const keys = new Map(
      picture.snapshot.sessions.flatMap(({ pid, backendStart }) =>
        meant.has(pid) ? [[pid, backendStart] as const] : [],
      ),
    )
    const own = open
      .filter((one) => sessionsIn(one).some(({ pid, backendStart }) => keys.get(pid) === backendStart))
      .slice(0, mostProposed)
    const cards = past ? await Promise.all(own.map((one) => cardOf(past, name, one))) : []
    const isQuiet = open.length === 0 && picture.forest.waits.size === 0
    const others = reader.seen.filter(({ config }) => config.name !== name)
    const elsewhere = isQuiet ? await trouble(past, others) : noActions
    return withActions(view, {
      ...noActions,
      notes: [...reader.notes, ...elsewhere.notes],
      proposed: reader.typed === null ? [] : proposed,
      cards,
      shows: reader.typed === null ? [] : elsewhere.shows,
      refresh: reader.typed === null ? null : pinned(reader.typed, clusters, name),
    })
  }
}

/** Readers of an answer, and what must be said to them first. */
type Reader = {
  readonly seen: readonly WatchedCluster[]
  readonly notes: readonly Line[]
  /** Null where there are no buttons, as in the terminal. */
  readonly typed: string | null
}

/** An answer with what it proposes, and the pids that it is about. */
type Looked = {
  readonly view: View
  readonly proposed: readonly Proposed[]
  readonly about: readonly number[]
}

/** The same command about this cluster, wherever its button is pressed. */
function pinned(typed: string, clusters: ReadonlyMap<string, WatchedCluster>, name: string): string {
  if (clusters.size < 2) return typed
  const longer = `${typed} --cluster ${quoted(name)}`
  const parsed = parseCommand(longer)
  return 'cluster' in parsed && parsed.cluster === name ? longer : typed
}

async function answerList(
  kind: ListCommand['kind'],
  watched: WatchedCluster,
  picture: Picture,
  asked: AnswerContext,
): Promise<Looked> {
  const { filters, thresholds } = asked
  const texts = (sessions: readonly Session[]) => textsOf(watched.cluster, sessions)
  switch (kind) {
    case 'sessions': {
      const selection = chooseSessions(picture, thresholds, filters)
      const shown = await texts(sessionsShown(selection))
      const jams = selection.jams.flatMap((jam) => (jam.kind === 'root' ? [jamBehind(jam.root)] : []))
      const advice = await recommendFor(watched, picture, jams.slice(0, mostProposed))
      const others = selection.groups.filter(({ kind }) => kind !== 'other' && kind !== 'waiting')
      const rows = others.flatMap(({ sessions }) => sessions)
      return {
        view: sessionsView({ picture, selection, texts: shown, advice, asked }),
        proposed: [
          ...proposedFor(picture, advice),
          ...proposedEach(picture, rows.slice(0, mostProposed - advice.length), watched.config.protected),
        ],
        about: pidsOf([...sessionsShown(selection), ...rows]),
      }
    }
    case 'blocking': {
      const sessions = sessionsByPid(picture.snapshot.sessions)
      const stems = jamsIn(picture.forest)
      const matching = stems.filter(({ root, cycle, victims }) =>
        jamMatches({ root, pids: [...cycle, ...victims] }, sessions, filters),
      )
      const heads = 2 * Math.min(matching.length, maxTrees)
      // Who waits alike shares a line, and what they run is a part of that.
      const drawn = matching.slice(0, maxTrees).flatMap(({ root, victims }) => [root?.pid ?? 0, ...victims])
      const shown = await texts([...new Set(drawn)].flatMap((pid) => sessions.get(pid) ?? []))
      // Where the text is hidden, only the server's own hash of it differs.
      const statementOf = (pid: number) => shown.get(pid) ?? sessions.get(pid)?.queryId ?? null
      const trees = layOut(matching, picture.forest, { lines: treeLines - heads, maxTrees, statementOf })
      const advice = await recommendFor(watched, picture, matching.slice(0, trees.trees.length))
      const otherRoots = stems.length - matching.length
      return {
        view: blockingView({ picture, laidOut: trees, otherRoots, texts: shown, advice, asked }),
        proposed: proposedFor(picture, advice),
        about: trees.trees.flatMap(({ root, cycle }) => [root?.pid ?? 0, ...cycle]),
      }
    }
    case 'long':
      return listed('long', chooseLong(picture, thresholds, filters))
    case 'idle':
      return listed('idle', chooseIdle(picture, thresholds, filters))
    case 'activity':
      return {
        view: activityView({ picture, activity: activityOf(picture.snapshot, filters), asked }),
        proposed: [],
        about: [],
      }
  }

  async function listed(kind: 'long' | 'idle', chosen: List): Promise<Looked> {
    const rows = new Set(pidsOf(chosen.sessions))
    const jams = jamsIn(picture.forest).filter((jam) => pidsIn(jam).some((pid) => rows.has(pid)))
    const inJam = new Set(jams.flatMap(pidsIn))
    // Who waits is not in the way: what helps is the way out of its jam.
    const advice = await recommendFor(watched, picture, jams.slice(0, mostProposed))
    // Where nothing is past its limit, the oldest few are shown, and nothing is wrong with them.
    const others = chosen.past > 0 ? chosen.sessions.filter(({ pid }) => !inJam.has(pid)) : []
    return {
      view: listView({ picture, kind, chosen, texts: await texts(chosen.sessions), asked }),
      proposed: [
        ...proposedFor(picture, advice),
        ...proposedEach(picture, others.slice(0, mostProposed - advice.length), watched.config.protected),
      ],
      about: [...rows],
    }
  }
}

async function oneSession(
  watched: WatchedCluster,
  picture: Picture,
  pid: number,
  asked: AnswerContext,
): Promise<Looked> {
  const { cluster, config } = watched
  const { snapshot } = picture
  const session = snapshot.sessions.find((one) => one.pid === pid)
  if (!session) return { view: noSessionView({ picture, pid, asked }), proposed: [], about: [] }
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
  return {
    view: sessionView({ picture, session: withText[0] ?? session, locks, fit, advice, asked }),
    proposed: [
      ...(advice ? proposedFor(picture, [advice]) : []),
      ...proposedEach(picture, [session], config.protected),
    ],
    about: [pid, ...(jam ? [jam.pid] : [])],
  }
}

const pidsIn = ({ root, cycle, victims }: Jam): number[] => [
  ...(root ? [root.pid] : []),
  ...cycle,
  ...victims,
]

const pidsOf = (sessions: readonly Session[]): number[] => sessions.map(({ pid }) => pid)

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
