import { subjectOf, withSession } from '../incidents/finding.ts'
import type { Incident } from '../incidents/incident.ts'
import { type Recommendation, recommendationsFor } from '../incidents/recommend.ts'
import type { Picture } from '../locks/picture.ts'
import type { Protected } from '../session/policy.ts'
import { sessionsByPid } from '../session/session.ts'
import type { PastWay } from './report.ts'
import type { Part } from './reportPart.ts'

/** The gentlest way out is looked for at every minute; in a short incident more often. */
const longestStepMs = 60_000
const steps = 20

type Subject = {
  readonly incident: Incident
  readonly protectedSessions: readonly Protected[]
  /** End of what is told. */
  readonly to: number
}

/** Rehearses the way out again at each step, and keeps where it became another one. */
export function collectWays({ incident, protectedSessions, to }: Subject) {
  const step = Math.min(longestStepMs, Math.max(1, (to - incident.beganAt) / steps))
  const ways: PastWay[] = []
  let next = Number.NEGATIVE_INFINITY
  let standing: Recommendation['target'] = null
  let last: string | null = null
  return {
    all: () => ways,
    add(picture: Picture, { roots, waiting }: Part) {
      const { takenAt, sessions } = picture.snapshot
      if (takenAt < next) return
      next = takenAt + step
      const [root] = roots.toSorted((a, b) => b.victims.length - a.victims.length)
      const byPid = sessionsByPid(sessions)
      const finding =
        incident.finding.kind === 'blocking' || (root && subjectOf(incident.finding) === null)
          ? root && ({ kind: 'blocking', root, session: byPid.get(root.pid) ?? null } as const)
          : withSession(incident.finding, byPid)
      if (!finding) return
      const recommendation = recommendationsFor(picture, {
        ...{ protectedSessions, sessions },
        standingFor: () => standing,
      })(finding)
      if (!recommendation) return
      const { target } = recommendation
      standing = target
      const key = target ? `${target.action} ${target.session.pid} ${target.session.backendStart}` : 'none'
      if (key !== last) ways.push({ at: takenAt, waiting: waiting.length, recommendation })
      last = key
    },
  }
}
