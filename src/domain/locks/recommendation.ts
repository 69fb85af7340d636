import type { Action } from '../session/action.ts'
import { objection, unasked } from '../session/allowedAction.ts'
import type { Protected } from '../session/policy.ts'
import { isChatty, type Session, sessionsByPid } from '../session/session.ts'
import type { Root } from './blocking.ts'
import type { Expected, Option } from './option.ts'
import type { Picture } from './picture.ts'
import {
  cycleText,
  deadEndText,
  handText,
  heldUpBy,
  heldUpText,
  type JamContext,
  notFromHereText,
  optionText,
} from './recommendationText.ts'
import { type Ending, lockTableOf, type Rehearsal, rehearse, type WhatIf } from './simulation.ts'
import type { Jam } from './tree.ts'
import { workLost, worksLost, writersIn } from './workLost.ts'

export type JamRecommendation = {
  /** The sentence of the best way, or why no action helps. */
  readonly text: string
  /** Null: there is nothing that may be done from here and helps. */
  readonly best: Option | null
  /** Other ways out, in order. */
  readonly others: readonly Option[]
  /** A statement for a person to run, where the root is a prepared transaction. */
  readonly byHand: string | null
  /** Sessions that the sentences mention: with their statements the sentences would say more. */
  readonly named: readonly number[]
}

/**
 * A way that leaves the jam without at least this share of the waiters that the best one takes out of it is a cure; among
 * cures the cheapest is recommended. A request that is cancelled counts: it waits no more.
 */
const enough = 0.8
/** Largest number of sessions in between that are examined, those first who block most. */
const mostBetween = 6
/** Largest number of roots to end together; more is no useful advice. */
const mostTogether = 4

/** Earlier recommendation, and whether its cancel may have no effect by the time that it is approved. */
type Standing = Ending & { readonly cancelIsVain?: boolean }

/**
 * Finds the least costly way to end each jam of a picture: for roots, and for those in between who keep others waiting,
 * as a queued ALTER TABLE does. It recommends nothing that allowedAction.ts would refuse.
 * @param sessions the picture's, given with their statements where they are known
 * @returns what is to be said of a jam; null when the lock table was never read. `standing` is what was recommended before:
 *   another way must be better, not only as good.
 */
export function jamRecommendations(
  picture: Picture,
  protectedSessions: readonly Protected[],
  sessions: readonly Session[] = picture.snapshot.sessions,
): (jam: Pick<Jam, 'root' | 'cycle' | 'victims'>, standing?: Standing | null) => JamRecommendation | null {
  const table = lockTableOf(picture)
  if (table === null) return () => null
  const { whatIf, blocks } = rehearse(table, sessions)
  // Many roots before one ALTER TABLE have the same candidates.
  const known = new Map<string, WhatIf>()
  const endOf = (ending: Ending): WhatIf => {
    const key = `${ending.action} ${ending.pid}`
    const result = known.get(key) ?? whatIf(ending)
    known.set(key, result)
    return result
  }
  const byPid = sessionsByPid(sessions)
  const writers = writersIn(table)
  const startup = sessions.find(({ backendType }) => backendType === 'startup')?.pid ?? null
  const { forest, snapshot } = picture
  const victimsOf = new Map(forest.roots.map((root) => [root, new Set(root.victims)]))

  return ({ root, cycle, victims }, standing = null) => {
    const jam = new Set(victims)
    // All who keep these waiting: the jam's own root, and every other one that shares its victims.
    const roots = forest.roots.filter(
      (other) => other === root || victims.some((pid) => victimsOf.get(other)?.has(pid)),
    )
    const around: JamContext = { root, roots, jam, byPid, waits: forest.waits, writers, table, startup }
    const between = victims
      .filter((pid) => blocks(pid) > 0)
      .sort((a, b) => blocks(b) - blocks(a))
      .slice(0, mostBetween)
    const pids = new Set([
      ...(root ? [root.pid] : []),
      ...cycle,
      ...roots.map(({ pid }) => pid).slice(0, mostTogether),
      ...between,
    ])
    // Who waits for one transaction after the other is freed by the end of none of them: it may be the one to end.
    const oneByOne = root ? waitsOn(endOf({ pid: root.pid, action: 'terminate' })) : []
    for (const pid of oneByOne) pids.add(pid)
    const candidates = [...pids].flatMap((pid) => byPid.get(pid) ?? [])
    const objectionTo = (action: Action, { pid }: { readonly pid: number }) => {
      const session = byPid.get(pid)
      return session ? objection(action, session, snapshot.server, protectedSessions) : null
    }
    const isVain = (action: Action, { pid }: Session) =>
      action === 'cancel' && standing?.cancelIsVain === true && pid === standing.pid
    const works = (action: Action, session: Session) =>
      !isVain(action, session) &&
      objection(action, session, { ...unasked(snapshot.server), isSuperuser: true }, []) === null
    const may = (action: Action, session: Session) =>
      works(action, session) && objectionTo(action, session) === null

    const all = candidates.flatMap((session) =>
      waysThrough(session, around, {
        whatIf: endOf,
        may: works,
        endsItsOwnWait: oneByOne.includes(session.pid),
      }),
    )
    const found = all.filter((way) => objectionTo(way.action, way) === null)
    const most = Math.max(0, ...found.map((way) => jam.size - way.stuck))
    const joint = most < enough * jam.size ? together(whatIf, around, may) : []
    const better = joint.filter((way) => jam.size - way.stuck > most)
    const ways = ranked([...found, ...better], jam.size, standing)
    const [ideal] = ranked([...all, ...better], jam.size, standing)
    const named = [
      ...new Set([...ways.map(({ pid }) => pid), ...heldUpBy(around), ...roots.map(({ pid }) => pid)]),
    ]
    // The server breaks a deadlock by itself, and a queue that was re-ordered is none.
    const best = cycle.length > 0 ? null : (ways[0] ?? null)
    return {
      text:
        (best?.text ??
          (cycle.length > 0 ? cycleText(cycle) : deadEndText(around, snapshot.server, protectedSessions))) +
        (ideal && cycle.length === 0 && (best || ideal.pid !== root?.pid) && isGentler(ideal, best)
          ? notFromHereText(ideal, objectionTo(ideal.action, ideal) ?? '', around)
          : '') +
        heldUpText(around),
      best,
      others: ways.filter((way) => way !== best),
      byHand: root?.prepared ? handText(root.prepared) : null,
      named: named.filter((pid) => pid > 0).slice(0, mostBetween + mostTogether),
    }
  }
}

const freed = ({ atOnce, inTurn, maybe }: Option): number => atOnce + inTurn + maybe

/** Decides whether an option that is not allowed from here would cost less than the recommended one, or there is no other. */
const isGentler = (ideal: Option, best: Option | null): boolean =>
  best === null || worksLost.indexOf(ideal.workLost) < worksLost.indexOf(best.workLost)

/** Lists who waits on, for the next transaction, after this ending. */
const waitsOn = ({ doubts }: WhatIf): number[] =>
  [...doubts].flatMap(([pid, { kind }]) => (kind === 'next' ? [pid] : []))

type Target = readonly [Ending, Session]

/**
 * Cancel where it may be done and helps; terminate where that frees more, and where a statement would be over, and another
 * one run, before anybody has approved a cancel.
 */
function waysThrough(
  session: Session,
  around: JamContext,
  {
    whatIf,
    may,
    endsItsOwnWait,
  }: {
    readonly whatIf: (ending: Ending) => WhatIf
    readonly may: (action: Action, session: Session) => boolean
    readonly endsItsOwnWait: boolean
  },
): Option[] {
  const ways: Option[] = []
  for (const action of ['cancel', 'terminate'] as const) {
    if (!may(action, session)) continue
    if (action === 'cancel' && isTooBrief(session, around) && may('terminate', session)) continue
    const ending = { pid: session.pid, action }
    const way = wayOf([[ending, session]], whatIf(ending), around)
    const least = endsItsOwnWait && ways.length === 0 ? -1 : Math.max(0, ...ways.map(freed))
    if (way && freed(way) > least) ways.push(way)
  }
  return ways
}

const isTooBrief = (session: Session, { waits }: JamContext): boolean =>
  isChatty(session) && !waits.has(session.pid)

/** All roots at once, where one alone frees too few: two readers that both stand before an ALTER TABLE. */
function together(
  whatIf: Rehearsal['whatIf'],
  around: JamContext,
  may: (action: Action, session: Session) => boolean,
): Option[] {
  const { root, roots, byPid } = around
  if (root === null || roots.length < 2 || roots.length > mostTogether) return []
  const endings: Target[] = []
  for (const { pid } of [root, ...roots.filter((other) => other !== root)]) {
    const session = byPid.get(pid)
    const preferred: readonly Action[] =
      session && isTooBrief(session, around) ? ['terminate', 'cancel'] : ['cancel', 'terminate']
    const action = session && preferred.find((one) => may(one, session))
    if (!session || !action) return []
    endings.push([{ pid, action }, session])
  }
  return [wayOf(endings, whatIf(...endings.map(([ending]) => ending)), around) ?? []].flat()
}

function wayOf(endings: readonly Target[], result: WhatIf, around: JamContext): Option | null {
  const [first, ...others] = endings
  if (!first) return null
  const [ending, session] = first
  const inJam = (pids: Iterable<number>) => [...pids].filter((pid) => around.jam.has(pid))
  const expected = expectedOf(
    result,
    endings.map(([one]) => one),
    around.jam,
  )
  const unsure = new Set(expected.unsure)
  const doubts = new Map([...result.doubts].filter(([pid]) => unsure.has(pid)))
  const next = new Set(waitsOn(result))
  const afterDoubt = inJam(result.afterDoubt).filter((pid) => !doubts.has(pid))
  const maybe = new Set([...doubts.keys(), ...afterDoubt].filter((pid) => !next.has(pid)))
  const stuck = expected.unsure.filter((pid) => !maybe.has(pid))
  const costs = endings.map(([, one]) => workLost(one, around.waits.get(one.pid), around.writers))
  const dearest = Math.max(...costs.map((cost) => worksLost.indexOf(cost)))
  const way = {
    action: ending.action,
    pid: ending.pid,
    backendStart: session.backendStart,
    workLost: worksLost[dearest] ?? 'activeWriter',
    ageSeconds: session.xactSeconds ?? session.stateSeconds,
    expected,
    atOnce: expected.atOnce.length,
    inTurn: expected.follow.length,
    maybe: maybe.size,
    stuck: stuck.length,
    together: others.map(([one]) => one),
  }
  const outlook = {
    later: inJam(result.later).filter((pid) => !unsure.has(pid)).length,
    stuck: stuck.filter((pid) => !next.has(pid)),
    doubts,
    afterDoubt: afterDoubt.length,
    behind: result.behind,
  }
  return { ...way, text: optionText(way, costs, outlook, around) }
}

/** Puts each waiter of a jam, but those who are ended, into exactly one list. */
export function expectedOf(
  {
    atOnce,
    inTurn,
    later,
    doubts,
    afterDoubt,
  }: Pick<WhatIf, 'atOnce' | 'inTurn' | 'later' | 'doubts' | 'afterDoubt'>,
  ended: readonly Ending[],
  jam: ReadonlySet<number>,
): Expected {
  const gone = new Set(ended.map(({ pid }) => pid))
  const now = new Set(atOnce.filter((pid) => !doubts.has(pid)))
  const then = new Set([...inTurn, ...later].filter((pid) => !afterDoubt.has(pid)))
  const waiters = Map.groupBy(
    [...jam].filter((pid) => !gone.has(pid)),
    (pid) => (now.has(pid) ? 'atOnce' : then.has(pid) ? 'follow' : 'unsure'),
  )
  return {
    atOnce: waiters.get('atOnce') ?? [],
    follow: waiters.get('follow') ?? [],
    unsure: waiters.get('unsure') ?? [],
  }
}

/** Cures first, the cheapest before all; then what frees most. */
function ranked(ways: readonly Option[], waiters: number, standing: Standing | null): Option[] {
  const most = Math.max(0, ...ways.map((way) => waiters - way.stuck))
  const isCure = (way: Option) => waiters - way.stuck >= enough * most
  const cost = (way: Option) => worksLost.indexOf(way.workLost)
  const stands = (way: Option) => way.pid === standing?.pid && way.action === standing.action
  return ways.toSorted(
    (a, b) =>
      Number(isCure(b)) - Number(isCure(a)) ||
      (isCure(a) ? cost(a) - cost(b) : 0) ||
      Number(stands(b)) - Number(stands(a)) ||
      freed(b) - freed(a) ||
      b.atOnce - a.atOnce ||
      a.together.length - b.together.length ||
      cost(a) - cost(b) ||
      // Who has worked for less time loses less.
      (a.ageSeconds ?? 0) - (b.ageSeconds ?? 0) ||
      a.pid - b.pid,
  )
}

/** A root as a jam. */
export const jamBehind = (root: Root): Jam => ({ root, cycle: [], victims: root.victims })
