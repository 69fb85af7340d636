import { againWords, type Retries } from '../approvals/retry.ts'
import type { Expected, Option } from '../locks/option.ts'
import type { Picture } from '../locks/picture.ts'
import { jamBehind, jamRecommendations } from '../locks/recommendation.ts'
import { type WorkLost, workLost } from '../locks/workLost.ts'
import type { Action } from '../session/action.ts'
import { fittingAction, objection, unasked } from '../session/allowedAction.ts'
import type { Protected } from '../session/policy.ts'
import { isChatty, type Session, sessionsByPid, waitsForClient } from '../session/session.ts'
import { type Finding, subjectOf } from './finding.ts'

/**
 * Recommendation for a finding. Plain data, since an incident keeps its last one. Names in the sentences come from the
 * database: do not trust them.
 */
export type Recommendation = {
  /** Session to end, as it is now; not always the one that the finding is about. Null: no action that is allowed helps. */
  readonly target: {
    readonly action: Action
    readonly session: Session
    readonly workLost: WorkLost
    /**
     * True when its statement was found waiting for its client, now or before. It will wait again from one look to the
     * next, and does not react to a cancel then. So it is terminated, and keeps one button.
     */
    readonly waited: boolean
    /** Sessions that it frees; absent when it is about one session, or was stored by an older version. */
    readonly expected?: Expected
    /** Sessions that must end as well for that to be so. */
    readonly together?: readonly number[]
  } | null
  /** Sentences: what to do and what follows, or why no action helps. */
  readonly text: string
  /** Other ways out, best first. */
  readonly others: readonly OtherOption[]
  /** Reaction of its application when its statements were ended before; null when there was none, or nobody knows. */
  readonly retries: Retries | null
  /** Sessions that the sentences mention: with their statements the sentences would say more. */
  readonly named: readonly number[]
}

/** Another way out, as it is said, and as it can be proposed. */
export type OtherOption = Pick<Option, 'action' | 'pid' | 'backendStart' | 'text'>

/** Facts known beside the picture. */
export type RecommendInput = {
  readonly protectedSessions: readonly Protected[]
  /** The picture's sessions, with their statements where they were fetched. */
  readonly sessions?: readonly Session[]
  /** Returns how the application of a session reacted before. */
  readonly retriesOf?: (session: Session) => Retries | null
  /** Returns the earlier recommendation for a finding. It is not replaced by one that is only as good. */
  readonly standingFor?: (finding: Finding) => Recommendation['target']
}

/**
 * Finds the recommendation of each finding of a picture: for a jam the best way out of it, for a single session the action that
 * has an effect. Where an application is known to try again at once what is cancelled, its session is terminated instead.
 * @returns null for a finding that is about no session and no transaction
 */
export function recommendationsFor(
  picture: Picture,
  {
    protectedSessions,
    sessions = picture.snapshot.sessions,
    retriesOf = () => null,
    standingFor = () => null,
  }: RecommendInput,
): (finding: Finding) => Recommendation | null {
  const server = unasked(picture.snapshot.server)
  const adviceFor = jamRecommendations(picture, protectedSessions, sessions)
  const byPid = sessionsByPid(sessions)

  return (finding) => {
    const subject = subjectOf(finding)
    const session = (subject && byPid.get(subject.pid)) ?? subject
    const standing = standingFor(finding)
    const before = standing && {
      action: standing.action,
      pid: standing.session.pid,
      cancelIsVain: hasWaited(byPid.get(standing.session.pid), standing),
    }
    const advice = finding.kind === 'blocking' ? adviceFor(jamBehind(finding.root), before) : null
    if (!advice) return session && alone(session, hasWaited(session, standing))
    const { best, others, text, named } = advice
    const target = best && byPid.get(best.pid)
    const about = { others: others.map(otherOption), named }
    if (!best || !target) return { target: null, text, retries: null, ...about }
    const whole = best.action === 'terminate' ? `${text} ${notCancel(target, standing)}` : text
    // Where terminate frees no more than cancel, it is no option of its own.
    const ended = others.find((way) => way.pid === best.pid && way.action === 'terminate') ?? best
    return lasting(
      {
        target: {
          action: best.action,
          session: target,
          workLost: best.workLost,
          waited: hasWaited(target, standing),
          expected: best.expected,
          together: best.together.map(({ pid }) => pid),
        },
        text: whole,
        retries: null,
        ...about,
      },
      ended.expected,
    )
  }

  /** Says why the gentler action is not recommended. */
  function notCancel(session: Session, standing: Recommendation['target']): string {
    const fit = fittingAction(session, server, protectedSessions)
    if (fit.action === 'terminate') return fit.otherwise
    if (hasWaited(session, standing)) return rather.otherwise
    return isChatty(session)
      ? 'Cancel would come too late: it goes from one brief statement to the next in its transaction.'
      : 'Cancel may free fewer: an advisory lock may be the session’s, and what was locked before a savepoint stays.'
  }

  function alone(session: Session, waited: boolean): Recommendation {
    const now = fittingAction(session, server, protectedSessions)
    const fit = waited && now.action === 'cancel' ? { ...now, ...rather } : now
    const about = { others: [], retries: null, named: [session.pid] }
    return fit.action === null
      ? { target: null, text: fit.why, ...about }
      : lasting({
          target: { action: fit.action, session, workLost: workLost(session, undefined), waited },
          text: `${fit.why} ${fit.otherwise}`,
          ...about,
        })
  }

  /** @param expected of a terminate */
  function lasting(recommendation: Recommendation & { target: object }, expected?: Expected): Recommendation {
    const { action, session } = recommendation.target
    const retries = retriesOf(session)
    if (!retries || retries.again === 0) return recommendation
    if (action === 'terminate' || objection('terminate', session, server, protectedSessions) !== null)
      return { ...recommendation, retries }
    return {
      ...recommendation,
      target: { ...recommendation.target, action: 'terminate', ...(expected && { expected }) },
      text: `Terminate ${session.pid} rather than cancel its statement, which would not last: ${againWords(retries)}.`,
      others: [
        { action, pid: session.pid, backendStart: session.backendStart, text: recommendation.text },
        ...recommendation.others,
      ],
      retries,
    }
  }
}

const otherOption = ({ action, pid, backendStart, text }: Option): OtherOption => ({
  action,
  pid,
  backendStart,
  text,
})

const rather = {
  action: 'terminate' as const,
  why: 'Terminate ends the session.',
  otherwise: 'Cancel may not help: again and again it waits for its client, and then ignores it.',
}

function hasWaited(session: Session | null | undefined, standing: Recommendation['target']): boolean {
  if (!session) return false
  const { backendStart, queryStart } = session
  const isSame = standing?.session.backendStart === backendStart && standing.session.queryStart === queryStart
  return waitsForClient(session) || (isSame && standing.waited && session.state === 'active')
}
