import type { WatchedCluster } from '../commands/cluster.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { jamBehind } from '../domain/locks/recommendation.ts'
import { fittingAction } from '../domain/session/allowedAction.ts'
import { rewriteOf } from '../domain/session/rewrite.ts'
import { processesOf } from '../host/measure.ts'
import { attempt, unreadable } from '../postgres/cluster.ts'
import type { AnswerContext } from '../views/answers/page.ts'
import { longestStatement, noSessionView, type OwnLocks, sessionView } from '../views/answers/session.ts'
import { proposedEach, proposedFor } from './proposed.ts'
import { recommendFor } from './statements.ts'
import type { Looked } from './ways.ts'

/** `/pg session`: all about one session, its locks, and what may be done with it. */
export async function answerSession(
  watched: WatchedCluster,
  picture: Picture,
  pid: number,
  asked: AnswerContext,
): Promise<Looked> {
  const { cluster, config } = watched
  const { snapshot } = picture
  const session = snapshot.sessions.find((one) => one.pid === pid)
  if (!session) return { view: noSessionView({ picture, pid, asked }), proposed: [], about: [] }
  const [withText, locks, wait, processes] = await Promise.all([
    attempt(
      () => cluster.withText([session], longestStatement),
      () => [session],
    ),
    readOwnLocks(watched, picture, pid),
    cluster.explainWait(session),
    processesOf(config, [session]),
  ])
  const shown = withText[0] ?? session
  const process = processes.get(pid) ?? null
  const progress = rewriteOf(shown) ? await cluster.rewriteProgress(pid) : null
  const fit = fittingAction(session, snapshot.server, config.protected)
  const jam = picture.forest.roots.find(({ pid: root, victims }) => root === pid || victims.includes(pid))
  const [advice = null] = await recommendFor(watched, picture, jam ? [jamBehind(jam)] : [])
  return {
    view: sessionView({ picture, session: shown, process, locks, wait, progress, fit, advice, asked }),
    proposed: [
      ...(advice ? proposedFor(picture, [advice]) : []),
      ...proposedEach(picture, [session], config.protected),
    ],
    about: [pid, ...(jam ? [jam.pid] : [])],
  }
}

/** The lock table is left alone while the lock manager is jammed: to read it would stall, too. */
async function readOwnLocks({ cluster }: WatchedCluster, picture: Picture, pid: number): Promise<OwnLocks> {
  if (picture.snapshot.locks.kind === 'jammed') return { unread: picture.snapshot.locks.why }
  return attempt(async () => ({ groups: await cluster.locksOf(pid) }), unreadable)
}
