import type { Action } from '../session/action.ts'
import { type Session, sessionsByPid, waitsForClient } from '../session/session.ts'
import type { LockTable } from '../session/snapshot.ts'
import { type Doubt, type Doubts, readDoubts } from './doubt.ts'
import { blockersOf, fork, leaveQueue, newState, release, type State, settle, waitsOf } from './manager.ts'
import { blockedDirectly, type Model, reachedFrom, readModel } from './model.ts'
import type { Picture } from './picture.ts'
import type { Contended, Party } from './queue.ts'

/** Somebody's statement (cancel) or session (terminate) ends. */
export type Ending = { readonly pid: number; readonly action: Action }

/** Forecast of an ending. The four lists are disjoint, by pids (a lock group by its leader's). */
export type WhatIf = {
  /** Get what they wait for, and go on with their statements. */
  readonly atOnce: readonly number[]
  /** Follow one after the other without anybody's help: each waits for statements before it that end by themselves. */
  readonly inTurn: readonly number[]
  /** Wait behind somebody who goes on now, until that one's client ends its transaction (or unlocks). */
  readonly later: readonly number[]
  /** Wait behind the ended one too, and stay: somebody else blocks them. */
  readonly stuck: readonly number[]
  /** Those who may have to wait again, or longer, and why. */
  readonly doubts: ReadonlyMap<number, Doubt>
  /** Those in `inTurn` and `later` who follow only if those in doubt go on. */
  readonly afterDoubt: ReadonlySet<number>
  /** Returns whom one of them waits for directly after the ending; empty: it does not wait. 0: a prepared transaction. */
  readonly behind: (pid: number) => readonly number[]
}

export type Rehearsal = {
  /** Simulates that all of these end at the same moment. Costs what it touches. */
  readonly whatIf: (...endings: readonly Ending[]) => WhatIf
  /** Counts who waits directly for something that it holds or asked for before them; queues for a row do not count. */
  readonly blocks: (pid: number) => number
}

/** Reads a lock table once, for many what-ifs. */
export function rehearse(table: LockTable, sessions: readonly Session[]): Rehearsal {
  const model = readModel(table, sessions)
  const byPid = sessionsByPid(sessions)
  const blocked = blockedDirectly(model)
  const doubtsOf = readDoubts(table, sessions, model)
  return {
    whatIf: (...endings) => whatIf(model, byPid, endings, doubtsOf),
    blocks: (pid) => blocked.get(model.partyOf(pid)) ?? 0,
  }
}

/** The lock table of a picture: the last one that was read, if it is a storm now; null when there is none. */
export function lockTableOf({ snapshot: { locks } }: Picture): LockTable | null {
  return locks.kind === 'read' ? locks.table : locks.kind === 'jammed' ? locks.last : null
}

function whatIf(
  model: Model,
  sessions: ReadonlyMap<number, Session>,
  endings: readonly Ending[],
  doubtsOf: Doubts,
): WhatIf {
  const ended = new Set(endings.map(({ pid }) => model.partyOf(pid)))
  const reached = reachedFrom(model, ended)
  const state = newState(model)
  for (const ending of endings) end(state, ending, sessions.get(ending.pid))
  settle(state)
  const atOnce = state.proceeded.slice()

  const { inTurn, later } = follow(state, atOnce, sessions)
  const doubts = new Map([
    ...doubtsOf.ofFreed(atOnce, ended),
    ...doubtsOf.ofFollowers([...inTurn, ...later], ended),
  ])
  const isSure = (party: Party) => !doubts.has(party)
  const sure = doubts.size === 0 ? { inTurn, later } : follow(state, atOnce.filter(isSure), sessions, isSure)
  const sureToFollow = new Set([...sure.inTurn, ...sure.later])
  const freed = new Set([...atOnce, ...inTurn, ...later])
  return {
    atOnce,
    inTurn,
    later,
    stuck: [...reached].filter((party) => !freed.has(party) && !ended.has(party)),
    doubts,
    afterDoubt: new Set([...inTurn, ...later].filter((party) => !sureToFollow.has(party))),
    behind: (pid) => {
      const blockers = waitsOf(state, model.partyOf(pid)).flatMap((waiter) => blockersOf(state, waiter))
      return [...new Set(blockers.map((party) => Math.max(party, 0)))].sort((a, b) => a - b)
    },
  }
}

/** Lists who follows those that go on now; `state` stays as it is. */
function follow(
  state: State,
  goingOn: readonly Party[],
  sessions: ReadonlyMap<number, Session>,
  mayEnd: (party: Party) => boolean = () => true,
): { readonly inTurn: readonly Party[]; readonly later: readonly Party[] } {
  const after = fork(state)
  const open = new Set(goingOn)
  const endsByItself = (party: Party) => mayEnd(party) && statementIsTransaction(sessions.get(party))
  const inTurn = goOn(after, open, endsByItself).filter(mayEnd)
  for (const party of inTurn) open.add(party)
  // From here on everybody who goes on is thought to end some day, with all locks.
  const later: Party[] = []
  for (let more: Party[] = [...open]; more.length > 0; ) {
    for (const party of more) release(after, party)
    const seen = after.proceeded.length
    settle(after)
    more = after.proceeded.slice(seen).filter(mayEnd)
    later.push(...more)
  }
  return { inTurn, later }
}

/** Ends those who proceed and end by themselves, and those who proceed then, until nothing changes. */
function goOn(state: State, open: ReadonlySet<Party>, endsByItself: (party: Party) => boolean): Party[] {
  const seen = state.proceeded.length
  const queue = [...open]
  for (const party of queue) {
    if (!endsByItself(party)) continue
    const before = state.proceeded.length
    // An advisory lock may be the session's, and stay: pg_locks does not show which.
    release(state, party, isAdvisory)
    settle(state)
    queue.push(...state.proceeded.slice(before))
  }
  return state.proceeded.slice(seen)
}

function end(state: State, { pid, action }: Ending, session: Session | undefined): void {
  const party = state.model.partyOf(pid)
  if (action === 'terminate') {
    leaveQueue(state, party)
    release(state, party)
    return
  }
  // Cancel interrupts a statement that runs, and nothing else.
  const runs = session?.state === 'active' || session?.state === 'fastpath function call'
  if (!runs || waitsForClient(session)) return
  leaveQueue(state, party)
  release(state, party, (at) => survivesCancel(at, party, session, state.model))
}

/**
 * The error aborts the transaction, and its locks end (AbortTransaction), but for two kinds:
 * an advisory lock that the session took (ProcReleaseLocks in proc.c). pg_locks shows it as it shows one that the
 * transaction took, so it is thought to stay.
 * What was locked before a savepoint: the error aborts the innermost subtransaction only (AbortCurrentTransaction in
 * xact.c). That there is one shows by its transaction, which has an id once it has changed something. But in
 * a statement that began the transaction it is that of an EXCEPTION block in a function: OTHERS does not catch a cancel
 * (exception_matches_conditions in pl_exec.c), so the error ends all of it. (Several statements in one message may have a
 * SAVEPOINT among them.)
 */
function survivesCancel(at: Contended, party: Party, session: Session, { inSavepoint }: Model): boolean {
  if (isAdvisory(at)) return true
  const { backendXid } = session
  const isOfSavepoint =
    at.target.locktype === 'transactionid' && backendXid !== null && at.target.transactionid !== backendXid
  const namesSavepoint = /\bsavepoint\b/i.test(session.query ?? '')
  const isInside = statementIsTransaction(session)
    ? namesSavepoint && inSavepoint.has(party)
    : inSavepoint.has(party)
  return isInside && !isOfSavepoint
}

const isAdvisory = ({ target }: Contended): boolean => target.locktype === 'advisory'

/**
 * Decides whether the transaction ends with the running statement, because it began with it. Both times are equal to
 * the microsecond in the simple protocol (StartTransaction in xact.c takes the statement's time). In the extended
 * protocol each message has its own time, and 2 to 400 µs lie between (measured). A client that pipelines its BEGIN, as
 * the JDBC driver does, looks the same. So nobody can know there, and nothing is promised.
 */
function statementIsTransaction(session: Session | undefined): boolean {
  return session?.state === 'active' && session.xactStart !== null && session.xactStart === session.queryStart
}
