import { fittingAction } from '../session/allowedAction.ts'
import { commandOf } from '../session/command.ts'
import { mayFinish } from '../session/heldUp.ts'
import { leftoverOf } from '../session/leftover.ts'
import type { Protected } from '../session/policy.ts'
import { finishing, finishingPlace } from '../session/prepared.ts'
import { rewriteOf } from '../session/rewrite.ts'
import type { PreparedTransaction } from '../session/session.ts'
import { beganEarlier, hasFailed, isIdleInTransaction, type Session } from '../session/session.ts'
import type { LockTable, Server } from '../session/snapshot.ts'
import { formatDuration } from '../text/duration.ts'
import { sqlLiteral } from '../text/literal.ts'
import { capital, list } from '../text/sentence.ts'
import type { Root, Wait } from './blocking.ts'
import type { Doubt } from './doubt.ts'
import type { Option } from './option.ts'
import { type RootWait, rootWaitOf, rootWaitText } from './rootWait.ts'
import type { Ending } from './simulation.ts'
import type { WorkLost, Writers } from './workLost.ts'

/** The sentences of recommendation.ts. Names in them come from the database: not trusted, but short and on one line. */

/** Facts around an option: the jam, everybody who keeps its waiters waiting, and how they wait. */
export type JamContext = {
  readonly root: Root | null
  /** The jam's own root, and the others that share its victims. */
  readonly roots: readonly Root[]
  readonly jam: ReadonlySet<number>
  readonly byPid: ReadonlyMap<number, Session>
  readonly waits: ReadonlyMap<number, Wait>
  readonly writers: Writers
  readonly table: LockTable
  /** The startup process of a standby, which replays; null elsewhere. */
  readonly startup: number | null
}

/** "Cancel 4312 (ALTER TABLE, waiting 40 s, nothing done is lost): 212 of 213 waiters proceed at once; 4100 (…) may finish." */
export function optionText(
  way: Omit<Option, 'text'>,
  costs: readonly WorkLost[],
  outlook: Outlook,
  around: JamContext,
): string {
  const all = [{ pid: way.pid, action: way.action }, ...way.together]
  const steps = all.map((ending, index) => stepText(ending, costs[index] ?? 'activeWriter', around))
  const [first = '', ...others] = steps
  const doing = [capital(first), ...others].join(' and ')
  return `${doing}: ${effect(way, outlook, around)}${rest(way, around)}.${savepoint(all, costs, around)}${nextText(outlook, around)}${replay(around)}`
}

/** Facts about those who wait, beside the numbers of an option. */
export type Outlook = {
  /** Number of followers that need a client to end its transaction first: that may take its time. */
  readonly later: number
  /** Surely wait on, and not because they wait for one transaction after the other. */
  readonly stuck: readonly number[]
  readonly doubts: ReadonlyMap<number, Doubt>
  readonly afterDoubt: number
  /** Returns whom one waits for directly after the ending. */
  readonly behind: (pid: number) => readonly number[]
}

/** "cancel 4312 (ALTER TABLE, waiting 40 s, nothing done is lost)". */
function stepText({ pid, action }: Ending, cost: WorkLost, around: JamContext): string {
  const session = around.byPid.get(pid)
  const what = session ? [about(session, around), lossText(cost, session)].join(', ') : ''
  return `${action} ${pid} (${what})`
}

/** A way that costs less and may not be gone from here, and who could. */
export const notFromHereText = (ideal: Option, objection: string, around: JamContext): string =>
  ` Gentler, but not from here: ${stepText(ideal, ideal.workLost, around)}. ${objection}`

/** Says who suffers when the startup process waits: nobody's session, but all who read there. */
const replay = ({ startup, jam }: JamContext): string =>
  startup !== null && jam.has(startup) ? ' Replay of this standby is among the waiters: it falls behind.' : ''

/**
 * A cancel inside a savepoint ends what came since and keeps the locks from before, and no catalog shows savepoints (but
 * see survivesCancel in simulation.ts). A request that leaves its queue does so in any case.
 */
function savepoint(ended: readonly Ending[], costs: readonly WorkLost[], { byPid }: JamContext): string {
  const doubtful = ended.filter(({ pid, action }, index) => {
    const session = byPid.get(pid)
    const isRequest = costs[index] === 'request' || costs[index] === 'blockedReader'
    return action === 'cancel' && !isRequest && session !== undefined && beganEarlier(session)
  })
  return doubtful.length === 0
    ? ''
    : ` Inside a savepoint a cancel ends that alone; then terminate ${doubtful.map(({ pid }) => pid).join(' and ')}.`
}

/** Describes those who wait for one transaction after the other, and which may come next. */
function nextText({ doubts }: Outlook, around: JamContext): string {
  const waiting = [...doubts].filter(([, { kind }]) => kind === 'next')
  return waiting
    .slice(0, 2)
    .map(
      ([pid, { by }]) =>
        ` ${pid} waits for one transaction after the other: then ${by.length === 1 ? 'one more' : `${by.length} more`}, ${pidsText(by, around)}.`,
    )
    .join('')
}

/** A few of them, with what they do. */
function pidsText(pids: readonly number[], around: JamContext): string {
  const names = pids.slice(0, 3).map((pid) => {
    const session = around.byPid.get(pid)
    return pid === 0 ? 'a prepared transaction' : session ? `${pid} (${about(session, around)})` : String(pid)
  })
  const more = pids.length - names.length
  const all = [...names, ...(more > 0 ? [`${more} more`] : [])]
  return list(all, 'or')
}

/** Commands that rewrite a table or read all of it: sessions that wait behind them do not follow soon. */
const rewrites = /^(?:VACUUM FULL|CLUSTER|REPACK|CREATE (?:UNIQUE )?INDEX|REINDEX|REFRESH MATERIALIZED VIEW)/

function effect(way: Omit<Option, 'text'>, outlook: Outlook, around: JamContext): string {
  const total = around.jam.size
  const of = (count: number) =>
    total === 1 ? 'the one waiter' : count === total ? `all ${total} waiters` : `${count} of ${total} waiters`
  const verb = (count: number, one: string, many: string) => (count === 1 ? one : many)
  const byKind = Map.groupBy(outlook.doubts, ([, { kind }]) => kind)
  const parts: string[] = []
  const isInDoubt = outlook.doubts.size > 0
  const endsItself = around.jam.has(way.pid) && total === 1
  if (endsItself) parts.push('it waits no more')
  else if (way.atOnce > 0 || !isInDoubt)
    parts.push(`${of(way.atOnce)} ${verb(way.atOnce, 'proceeds', 'proceed')} at once`)
  const held = byKind.get('holders') ?? []
  if (held.length > 0) {
    const by = [...new Set(held.flatMap(([, doubt]) => doubt.by))]
    parts.push(
      `${of(held.length)} ${verb(held.length, 'proceeds', 'proceed')}, unless ${pidsText(by, around)} holds the row as well`,
    )
  }
  const rivals = byKind.get('rivals') ?? []
  if (rivals.length > 0) {
    const all = new Set(rivals.flatMap(([pid, { by }]) => [pid, ...by]))
    parts.push(`at least one of ${all.size} proceeds, the others may have to wait for it`)
  }
  const next = byKind.get('next') ?? []
  if (next.length > 0)
    parts.push(`${of(next.length)} ${verb(next.length, 'waits', 'wait')} for the next transaction`)
  const soon = way.inTurn - outlook.later
  if (soon > 0) {
    // Those who wait longest stand behind it, if anybody does.
    const rewriter = way.expected.follow
      .slice(0, 10)
      .flatMap(outlook.behind)
      .find((pid) => rewrites.test(commandOf(around.byPid.get(pid) ?? { query: null }) ?? ''))
    const session = around.byPid.get(rewriter ?? 0)
    parts.push(
      session
        ? `${soon} ${verb(soon, 'follows', 'follow')} when ${session.pid} (${commandOf(session)}) is done, which may take long`
        : `${soon} ${verb(soon, 'follows', 'follow one after the other')}`,
    )
  }
  if (outlook.later > 0)
    parts.push(
      `${outlook.later} ${verb(outlook.later, 'follows when the transaction before it ends', 'follow as the transactions before them end')}`,
    )
  if (outlook.afterDoubt > 0) parts.push(`${outlook.afterDoubt} may follow`)
  if (outlook.stuck.length > 0) {
    const ended = new Set([way.pid, ...way.together.map(({ pid }) => pid)])
    const by = around.roots.filter(
      (root) => !ended.has(root.pid) && root.victims.some((pid) => outlook.stuck.includes(pid)),
    )
    const names = by.length > 0 ? ` by ${namesOf(by, around)}` : ''
    parts.push(`${outlook.stuck.length} ${verb(outlook.stuck.length, 'stays', 'stay')} blocked${names}`)
  }
  return parts.join(', ')
}

/** For what the jam's own root waits, where it waits for something that is no lock. */
export function heldUpText(around: JamContext): string {
  const session = around.byPid.get(around.root?.pid ?? 0)
  // What replay waits for is said with its process.
  if (!session || session.backendType === 'startup') return ''
  return rootWaitText(session, rootWait(session, around), (one) => about(one, around))
}

/** Lists who can be behind that. With their statements the sentences could say more. */
export const heldUpBy = (around: JamContext): readonly number[] => {
  const session = around.byPid.get(around.root?.pid ?? 0)
  return session ? (rootWait(session, around)?.suspects ?? []).slice(0, 3).map(({ pid }) => pid) : []
}

const rootWait = (session: Session, { byPid, table }: JamContext): RootWait | null =>
  rootWaitOf(session, [...byPid.values()], table)

/** Says what becomes of the roots when somebody else is ended. */
function rest(way: Omit<Option, 'text'>, around: JamContext): string {
  const isEnded = around.roots.some(({ pid }) => pid === way.pid)
  if (isEnded || way.stuck > 0 || around.roots.length === 0) return ''
  const isWorking = around.roots.every(({ pid }) => {
    const session = around.byPid.get(pid)
    return session?.state === 'active' && mayFinish(session)
  })
  const verb = isWorking ? 'may finish' : around.roots.length === 1 ? 'stays' : 'stay'
  return `; ${namesOf(around.roots, around)} ${verb}`
}

function namesOf(roots: readonly Root[], around: JamContext): string {
  const names = roots.slice(0, 2).map(({ pid, prepared }) => {
    if (pid === 0)
      return prepared ? `the prepared transaction ${sqlLiteral(prepared.gid)}` : 'a prepared transaction'
    const session = around.byPid.get(pid)
    return session ? `${pid} (${about(session, around)})` : String(pid)
  })
  const more = roots.length - names.length
  const all = [...names, ...(more > 0 ? [`${more} more`] : [])]
  return list(all)
}

/** "ALTER TABLE, waiting 40 s", "reporting, running 2 h". */
function about(session: Session, { waits }: JamContext): string {
  const name = shortName(session)
  const wait = waits.get(session.pid)
  if (wait) {
    const asked = `asks for ${wait.mode}${wait.relationName ? ` on ${plain(wait.relationName)}` : ''}`
    const seconds = wait.seconds ?? session.querySeconds ?? 0
    return `${commandOf(session) ?? asked}, waiting ${formatDuration(seconds)}`
  }
  if (isIdleInTransaction(session))
    return `${name}, idle in transaction for ${formatDuration(session.stateSeconds ?? 0)}`
  // A worker of a subscription is active, and has no statement.
  const running = session.querySeconds ?? session.xactSeconds
  if (session.state === 'active' && running !== null)
    return `${commandOf(session) ?? name}, running ${formatDuration(running)}`
  // A process of the server has no state, or no age.
  if (session.state === null || session.state === 'active') return name
  return `${name}, idle for ${formatDuration(session.stateSeconds ?? session.backendSeconds)}`
}

const shortName = ({ applicationName, usename, backendType }: Session): string =>
  plain(applicationName || (backendType === 'client backend' ? usename : '') || backendType)

/** A name on one line that cannot be mistaken for the sentence around it. */
const plain = (name: string): string => name.replaceAll(/[^\p{L}\p{N} ._:@/"-]/gu, '?').slice(0, 40)

/** Says what is lost with a session: `what it wrote in 5 min is rolled back`. */
export function lossText(cost: WorkLost, session: Session): string {
  const done = formatDuration(session.xactSeconds ?? 0)
  const left = leftoverOf(session)
  const isRewrite = rewriteOf(session) !== null
  const outside = left?.kind === 'outside' && cost !== 'request' ? `; ${left.stays}` : ''
  const lost = {
    request: 'nothing done is lost',
    blockedReader: 'it has changed no table yet',
    idle: 'no transaction is open; its temporary tables are lost, if it has any',
    idleReader: hasFailed(session)
      ? 'its transaction has failed already'
      : session.backendXid === null
        ? 'it has written nothing'
        : 'it has locked rows and changed no table',
    activeReader: isRewrite ? 'it has written nothing yet' : 'it has written nothing, its answer is lost',
    vacuum: left?.stays ?? 'what it has cleaned up stays',
    steps: left?.stays ?? 'what it has finished stays',
    idleWriter: `what it wrote in ${done} is rolled back`,
    halfDone: left?.stays ?? 'it works in several transactions, and would be left half done',
    // A row lock takes a transaction id too (SELECT … FOR UPDATE).
    activeWriter: isRewrite
      ? `its new copy of the table, ${done} of work, is thrown away`
      : `what it wrote${commandOf(session) === 'SELECT' ? ' or locked' : ''} in ${done} is rolled back`,
  }[cost]
  return `${lost}${outside}`
}

export const handText = (prepared: PreparedTransaction): string => finishing('ROLLBACK', prepared)

export const cycleText = (pids: readonly number[]): string =>
  `${pids.slice(0, 5).join(', ')}${pids.length > 5 ? ', …' : ''} wait for each other: the server ends such a deadlock by itself, after deadlock_timeout.`

/** Says why no action helps. */
export function deadEndText(
  around: JamContext,
  server: Server,
  protectedSessions: readonly Protected[],
): string {
  const { root, roots, byPid, jam } = around
  if (root === null) return 'It is not known who keeps them waiting.'
  if (root.kind === 'preparedTransaction') {
    if (!root.prepared) return 'A prepared transaction held the lock, and is gone since.'
    const { gid, owner, preparedSeconds } = root.prepared
    return (
      `No session to end: the prepared transaction ${sqlLiteral(gid)} (${plain(owner) || 'owner dropped'}, prepared ${formatDuration(preparedSeconds)} ago) holds the lock. ` +
      `Ask whoever coordinates it; by hand, ${finishingPlace(root.prepared, server.platform)}: ${handText(root.prepared)}`
    )
  }
  const session = byPid.get(root.pid)
  if (!session) return `${root.pid} held the lock, and is gone since.`
  const who = `${root.pid} (${about(session, around)})`
  if (session.backendType === 'autovacuum worker') {
    // One that is not for wraparound is cancelled by whom it blocks, after deadlock_timeout (ProcSleep in proc.c).
    const purpose = purposeOf(session, root.oldestWaitSeconds ?? 0)
    const running = formatDuration(session.xactSeconds ?? 0)
    const end = mayFinish(session) ? `Let it finish (running ${running}).` : `It has run for ${running}.`
    return purpose
      ? `No action helps: ${root.pid} is an autovacuum worker${purpose}; ended, it comes back at once. ${end}`
      : `Nothing to do: ${root.pid} is an autovacuum worker, which gives way by itself after deadlock_timeout.`
  }
  const fit = fittingAction(session, server, protectedSessions)
  if (fit.action === null) return `Nothing can be done to ${who} from here. ${fit.why}`
  const others = roots.filter((other) => other !== root)
  return others.length > 0
    ? `Ending ${who} frees nobody: ${namesOf(others, around)} ${others.length === 1 ? 'blocks' : 'block'} the same ${jam.size === 1 ? 'waiter' : 'waiters'}.`
    : `Ending ${who} frees nobody, as far as the lock table shows.`
}

/** An autovacuum's statement says what it is for; where that is not shown, the time that it has blocked says as much. */
function purposeOf({ query }: Session, blockedSeconds: number): string {
  if (query === null) return blockedSeconds > 10 ? ', likely one that prevents transaction-id wraparound' : ''
  return /to prevent wraparound/.test(query) ? ' that prevents transaction-id wraparound' : ''
}
