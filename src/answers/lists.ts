import type { ListCommand } from '../commands/listCommand.ts'
import { activityOf } from '../domain/lists/activity.ts'
import { jamMatches } from '../domain/lists/filters.ts'
import { chooseIdle, chooseLong, chooseSessions, type List } from '../domain/lists/selection.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { jamBehind } from '../domain/locks/recommendation.ts'
import { type Jam, jamsIn, layOut } from '../domain/locks/tree.ts'
import { type Session, sessionsByPid } from '../domain/session/session.ts'
import { activityView } from '../views/answers/activity.ts'
import { blockingView } from '../views/answers/blocking.ts'
import { listView } from '../views/answers/list.ts'
import type { AnswerContext } from '../views/answers/page.ts'
import { sessionsShown, sessionsView } from '../views/answers/sessions.ts'
import { mostProposed, proposedEach, proposedFor } from './proposed.ts'
import { recommendFor, textsOf, type WithStatements } from './statements.ts'
import type { Looked } from './ways.ts'

/** Largest number of lines in a tree, and of roots that it begins with. */
const treeLines = 40
const maxTrees = 8

/** Answers the commands that list sessions. Of the cluster it asks for statements alone. */
export async function answerList(
  kind: ListCommand['kind'],
  watched: WithStatements,
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

const pidsIn = ({ root, cycle, victims }: Jam): number[] => [
  ...(root ? [root.pid] : []),
  ...cycle,
  ...victims,
]

const pidsOf = (sessions: readonly Session[]): number[] => sessions.map(({ pid }) => pid)
