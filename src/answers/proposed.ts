import type { Picture } from '../domain/locks/picture.ts'
import type { JamRecommendation } from '../domain/locks/recommendation.ts'
import { fittingAction } from '../domain/session/allowedAction.ts'
import type { Protected } from '../domain/session/policy.ts'
import { type Session, sessionKeyOf, sessionsByPid } from '../domain/session/session.ts'
import type { Proposed } from '../views/answers/actions.ts'
import { shortNameAndPid } from '../views/words.ts'

/** Number of the worst jams, or rows, that get a button. */
export const mostProposed = 5

/** Proposes what is recommended for the worst of these jams: all who must end together, one button each. */
export function proposedFor(picture: Picture, advice: readonly JamRecommendation[]): Proposed[] {
  const sessions = sessionsByPid(picture.snapshot.sessions)
  return advice.slice(0, mostProposed).flatMap(({ best }) =>
    best
      ? [best, ...best.together].flatMap(({ action, pid }) => {
          const session = sessions.get(pid)
          return session ? [proposedOf(picture, session, action)] : []
        })
      : [],
  )
}

/** Proposes what fits each of the first of these sessions. */
export const proposedEach = (
  picture: Picture,
  sessions: readonly Session[],
  protectedSessions: readonly Protected[],
): Proposed[] =>
  sessions.slice(0, mostProposed).flatMap((session) => {
    const { action } = fittingAction(session, picture.snapshot.server, protectedSessions)
    return action ? [proposedOf(picture, session, action)] : []
  })

const proposedOf = ({ snapshot }: Picture, session: Session, action: Proposed['action']): Proposed => ({
  action,
  key: sessionKeyOf(snapshot.cluster, session),
  whom: shortNameAndPid(session),
})
