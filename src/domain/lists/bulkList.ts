import type { BulkMember, LeftOut } from '../approvals/members.ts'
import { victimsAmong } from '../approvals/proposal.ts'
import { type HolderNames, isOfHolder } from '../incidents/connectionHolders.ts'
import type { Picture } from '../locks/picture.ts'
import type { Action } from '../session/action.ts'
import { objection } from '../session/allowedAction.ts'
import { type Match, matchesNames, type Protected } from '../session/policy.ts'
import { poolerBefore } from '../session/pooler.ts'
import { isClient, type Session } from '../session/session.ts'
import { formatDuration } from '../text/duration.ts'
import { ageOf, type Filters, matchesFilters, quoted, type StateFilter } from './filters.ts'

/** Most sessions of one card, where nothing else is configured. */
export const usualMost = 50

/** Sessions for one bulk request, oldest first, and those that were chosen and are left out. */
export type BulkList = { readonly members: readonly BulkMember[]; readonly leftOut: readonly LeftOut[] }

/**
 * Makes the list of a bulk request: what one request for the session alone would refuse is left out, and so is what is over
 * `most`, the youngest first.
 */
export function listMembers(
  { snapshot, forest }: Picture,
  {
    isChosen,
    action,
    most,
    protected: rules,
  }: {
    readonly isChosen: (session: Session) => boolean
    readonly action: Action
    readonly most: number
    readonly protected: readonly Protected[]
  },
): BulkList {
  const { sessions, server } = snapshot
  const members: BulkMember[] = []
  const leftOut = new Map<string, number[]>()
  const leave = (why: string, pid: number) => leftOut.set(why, [...(leftOut.get(why) ?? []), pid])
  for (const session of sessions.filter(isChosen).sort((a, b) => ageOf(b) - ageOf(a) || a.pid - b.pid)) {
    const objects = objection(action, session, server, rules)
    if (objects !== null) leave(objects, session.pid)
    else if (members.length >= most) leave(overMost(most), session.pid)
    else
      members.push({
        session,
        victims: victimsAmong(forest.behind(session.pid), sessions),
        pooled: poolerBefore(snapshot, session) !== null,
      })
  }
  return { members, leftOut: [...leftOut].map(([why, pids]) => ({ why, pids })) }
}

export const overMost = (most: number): string => `There are more than the ${most} of one card.`

/** Decides whether filters leave anybody out. A `*` alone does not, and everybody is older than a moment. */
export const narrows = ({ olderSeconds = 0, ...others }: Filters | SweepMatch): boolean =>
  olderSeconds >= 1 || Object.values(others).some((value) => value !== undefined && value !== '*')

/** Sessions that a sweep is for. All keys that are there must match. */
export type SweepMatch = Match & {
  readonly state?: StateFilter | undefined
  readonly olderSeconds?: number | undefined
}

/** A name that is not known yet matches nothing here: whom a sweep ends must be known. */
export const matchesSweep = (session: Session, { state, olderSeconds, ...names }: SweepMatch): boolean =>
  isClient(session) && matchesNames(session, names, false) && matchesFilters(session, { state, olderSeconds })

/** Writes down what a sweep is for: `app web-*, user shop, state idle, older 30m`. */
export const sweepWords = ({ applicationName, user, database, state, olderSeconds }: SweepMatch): string =>
  [
    applicationName === undefined ? '' : `app ${quoted(applicationName)}`,
    user === undefined ? '' : `user ${quoted(user)}`,
    database === undefined ? '' : `database ${quoted(database)}`,
    state === undefined ? '' : state,
    olderSeconds === undefined ? '' : `for ${formatDuration(olderSeconds)}`,
  ]
    .filter(Boolean)
    .join(', ')

/** Chooses what a holder of connections does not use: its sessions and nobody else's, whatever their names are part of. */
export const idleOf = (holder: HolderNames) => ({
  isChosen: (session: Session): boolean =>
    isClient(session) && session.state === 'idle' && isOfHolder(session, holder),
  chosenBy: `${sweepWords({
    applicationName: holder.applicationName,
    user: holder.usename,
    database: holder.datname,
    state: 'idle',
  })}, from ${holder.clientAddr}`,
})
