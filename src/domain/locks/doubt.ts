import { commandOf } from '../session/command.ts'
import { type Session, sessionsByPid } from '../session/session.ts'
import type { LockTable, LockTarget, RowHolder } from '../session/snapshot.ts'
import type { Model } from './model.ts'
import {
  type Held,
  hasIdIn,
  isInsert,
  isOneByOne,
  type RowLock,
  readNext,
  relationKey,
  type Want,
  worksConcurrently,
} from './oneByOne.ts'
import { modes, type Party } from './queue.ts'
import { excludes, readSharedRows } from './sharedRows.ts'

/**
 * Reason why a session may not go on when its wait ends. The lock table shows the one transaction that a row's waiter
 * waits for now. Other holders of the row (a multixact) stand in no view. Mostly the server says who shares rows with that
 * one (sharedRows.ts); where it does not, locks on the row's table show who may.
 */
export type Doubt =
  /** They may hold the same row as well: pids, 0 for a prepared transaction. */
  | { readonly kind: 'holders'; readonly by: readonly number[] }
  /** They are freed at the same time and may want the same row: at least one goes on, the others may wait for it. */
  | { readonly kind: 'rivals'; readonly by: readonly number[] }
  /** It waits for one transaction after the other, and these may be next: the oldest first. */
  | { readonly kind: 'next'; readonly by: readonly number[] }

export type Doubts = {
  /** Doubts about those who go on at once: they may have to wait again. */
  readonly ofFreed: (atOnce: readonly Party[], ended: ReadonlySet<Party>) => Map<Party, Doubt>
  /** Doubts about those who follow: somebody else may keep them waiting when their turn comes. */
  readonly ofFollowers: (followers: readonly Party[], ended: ReadonlySet<Party>) => Map<Party, Doubt>
}

/** Modes of a row's own lock: for FOR KEY SHARE and FOR SHARE. */
const shared = new Set(['AccessShareLock', 'RowShareLock'])

/** So many are named of a crowd. */
const mostRivals = 20

/** From its beginning to its first wait a statement is planned, and looks for the row. */
const firstWaitSeconds = 0.01

export function readDoubts(table: LockTable, sessions: readonly Session[], model: Model): Doubts {
  const byPid = sessionsByPid(sessions)
  const heldBy = new Map<Party, Map<string, Set<string>>>()
  const rowsOf = new Map<Party, RowLock[]>()
  for (const group of [...table.groups, ...table.near]) {
    const { target, mode, granted, pids } = group
    if (!granted || (target.locktype !== 'relation' && target.locktype !== 'tuple')) continue
    for (const party of pids.map(model.partyOf)) {
      const relation = relationKey(group)
      if (target.locktype === 'tuple') {
        rowsOf.set(party, [...(rowsOf.get(party) ?? []), { relation, row: rowOf(target), mode }])
        continue
      }
      const held = heldBy.get(party) ?? new Map<string, Set<string>>()
      heldBy.set(party, held.set(relation, (held.get(relation) ?? new Set()).add(mode)))
    }
  }
  const sharedWith = readSharedRows(table.sharedRows)
  const holds = (party: Party): Held => heldBy.get(party) ?? new Map()
  const hasId = hasIdIn(byPid)
  const mayBeNext = readNext(table, sessions, model, holds)
  const waits = (party: Party): boolean => (model.waiters.get(party)?.length ?? 0) > 0
  const inOrder = (parties: Iterable<Party>): number[] => {
    const age = (party: Party) => byPid.get(party)?.xactSeconds ?? Number.POSITIVE_INFINITY
    return [...new Set(parties)].sort((a, b) => age(b) - age(a) || a - b).map((party) => Math.max(party, 0))
  }

  /** For how long it has asked for nothing: what it holds now, it held before that. */
  const restsFor = (party: Party): number => {
    if (party <= 0) return table.prepared.find(({ xid }) => Number(xid) === -party)?.preparedSeconds ?? 0
    const session = byPid.get(party)
    const start = model.waiters.get(party)?.[0]?.start
    if (start != null) return table.readAt - start
    return session?.state === 'active' ? 0 : (session?.stateSeconds ?? 0)
  }
  /**
   * Says whether this waiter would have waited for that holder first: who wants a row that several hold waits for them in the
   * order of their ids (MultiXactIdWait in heapam.c over mxactMemberComparator in multixact.c), as they were when it came.
   */
  const wouldComeFirst = (holder: RowHolder, { target, session }: Want): boolean =>
    target.locktype === 'transactionid' &&
    Number(holder.xid) < Number(target.transactionid) &&
    restsFor(partyOf(holder)) > (session?.querySeconds ?? Infinity)
  const partyOf = ({ pid }: RowHolder): Party => (pid === null ? 0 : model.partyOf(pid))

  /** Finds who holds rows beside the one that a waiter waits for; null: that is not known. */
  const besides = ({ target, rows, owners }: Want): readonly RowHolder[] | null => {
    const wanted = rows.map(({ mode }) => mode)
    const targets =
      target.locktype === 'tuple'
        ? owners.flatMap((owner) => model.waiters.get(owner) ?? []).map(({ at }) => at.target)
        : [target]
    const known = targets.map(({ transactionid }) =>
      transactionid === null ? null : sharedWith(transactionid, wanted),
    )
    return known.length === 0 || known.includes(null) ? null : known.flatMap((holders) => holders ?? [])
  }

  /** Parties with locks on relations whose transaction may have locked rows. */
  const withLocks = [...heldBy.keys()].filter(hasId)
  const resting = withLocks.filter((party) => !waits(party))
  /** Waiters that may have locked a row before, since their transaction is older than their statement. */
  const waiting = withLocks.filter((party) => {
    const session = byPid.get(party)
    return waits(party) && session?.xactStart !== session?.queryStart
  })

  /** For what a party waits, where that is for a row, or for transactions one after the other, now or next. */
  const wantOf = (party: Party): Want | null => {
    const [waiter] = model.waiters.get(party) ?? []
    if (!waiter) return null
    const { target } = waiter.at
    const owners = [...waiter.at.heldBy.keys()]
    const session = byPid.get(party)
    const rows = rowsOf.get(party) ?? []
    if (target.locktype === 'transactionid' || target.locktype === 'virtualxid')
      return { target, rows, session, owners }
    const relation = `${target.database} ${target.relation}`
    if (target.locktype === 'tuple')
      return {
        target,
        rows: [...rows, { relation, row: rowOf(target), mode: modes[waiter.mode] ?? '' }],
        session,
        owners,
      }
    return worksConcurrently(session) ? { target, rows, session, owners, next: relation } : null
  }

  /**
   * Relations of which a waiter may want a row: that of its row lock; else all where it and the owner may have locked one.
   */
  const relationsOf = (party: Party, { rows, owners }: Want): ReadonlySet<string> => {
    if (rows.length > 0) return new Set(rows.map(({ relation }) => relation))
    const owned = new Set(owners.flatMap((owner) => lockedRows(holds(owner))))
    return new Set(lockedRows(holds(party)).filter((relation) => owned.has(relation)))
  }

  /**
   * Says whether a waiter without a row lock goes before one that has it, should they want the same row: it holds the row already, and
   * the other one, who lets nobody beside it, waits for it next. Not where it may wait for a key, or for a version of the
   * row that the owner made: then the owner has changed the relation.
   */
  const goesBefore = (party: Party, want: Want, relation: string, mode: string): boolean => {
    const { owners, session, target } = want
    const known = target.transactionid === null ? null : sharedWith(target.transactionid, [])
    const holdsIt = known
      ? known.some((holder) => partyOf(holder) === party && excludes(holder.mode, [mode]))
      : mode === 'AccessExclusiveLock'
    const wantsNoKey = session !== undefined && /^(?:DELETE|SELECT)$/.test(commandOf(session) ?? '')
    return holdsIt && (wantsNoKey || !owners.some((owner) => changes(holds(owner).get(relation))))
  }

  /**
   * Decides whether two that are freed together may want the same row, and not at the same time. Two with row locks want
   * different rows, or different versions of one: then one of them waited before already, for who made the new version, or the
   * one that both wait for has shared the row with that.
   */
  const mayBeRivals = (
    { party, want }: { readonly party: Party; readonly want: Want },
    other: { readonly party: Party; readonly relation: string; readonly rowLock: RowLock | undefined },
  ): boolean => {
    const { relation, rowLock } = other
    if (rowLock === undefined) return true
    if (want.rows.length === 0) return !goesBefore(party, want, relation, rowLock.mode)
    return (
      want.rows.some(({ row, mode }) => row !== rowLock.row && excludes(mode, [rowLock.mode])) &&
      (mayHaveMoved(want, relation) ||
        mayHaveWaitedBefore(party, want) ||
        mayHaveWaitedBefore(other.party, want))
    )
  }

  /** Says whether somebody may have made another version of a row that the owner holds: FOR KEY SHARE allows that. */
  const mayHaveMoved = ({ target, owners }: Want, relation: string): boolean => {
    const xid = target.transactionid ?? ''
    return table.sharedRows !== null && sharedWith(xid, []) !== null
      ? table.sharedRows.moved.has(xid)
      : owners.some((owner) => holds(owner).get(relation)?.has('RowShareLock'))
  }

  /**
   * Says whether a statement may have waited for somebody else before: it began some time before this wait, and the owner has
   * done something since. Else the owner had the new version already, and it was found at once.
   */
  const mayHaveWaitedBefore = (party: Party, { owners }: Want): boolean => {
    const start = model.waiters.get(party)?.[0]?.start ?? null
    const { queryStart = null, querySeconds = null } = byPid.get(party) ?? {}
    if (start === null || queryStart === null) return true
    const began = Date.parse(queryStart.replace(/([+-]\d\d)$/, '$1:00')) / 1000
    return (
      !(start - began < firstWaitSeconds) &&
      owners.some((owner) => restsFor(owner) <= (querySeconds ?? Infinity))
    )
  }

  /**
   * Decides whether this party may hold the row beside the one that is ended, and stand in the way of this waiter.
   * Conflicts of row locks are in "Row-Level Locks" of the manual. The table locks that each leaves were seen on 14 and
   * 18: UPDATE and DELETE leave RowExclusiveLock, SELECT FOR … and the checks of foreign keys RowShareLock.
   * @param mayShare who is ended may have shared the row
   */
  const mayHold = (party: Party, want: Want, ended: ReadonlySet<Party>, mayShare: boolean): Party[] => {
    // It waits for who made the same key, and that is one alone. Shared row locks wait for one alone, too.
    if (want.rows.length === 0 && isInsert(want.session)) return []
    if (want.rows.length > 0 && want.rows.every(({ mode }) => shared.has(mode))) return []
    const exceptShares = want.rows.length > 0 && want.rows.every(({ mode }) => mode === 'ExclusiveLock')
    const relations = relationsOf(party, want)
    const has = (one: Party, mode: (held: ReadonlySet<string>) => boolean) =>
      [...holds(one)].some(([relation, modes]) => relations.has(relation) && mode(modes))
    const locks = (one: Party) => has(one, (modes) => modes.has('RowShareLock'))
    const writes = (one: Party) => has(one, (modes) => lockedRows(new Map([['', modes]])).length > 0)
    const endedLocks = mayShare || [...ended].some(locks)
    const known = besides(want)
    if (known) {
      const later = known.filter((holder) => !wouldComeFirst(holder, want))
      return [...new Set(later.map(partyOf))].filter(
        (other) => other !== party && !ended.has(other) && writes(other) && !(mayShare && waits(other)),
      )
    }
    // FOR NO KEY UPDATE gets along with FOR KEY SHARE: it waits for several only where they hold FOR SHARE.
    if (exceptShares && !endedLocks) return []
    const mayHoldIt = (other: Party) =>
      other !== party && !ended.has(other) && (locks(other) || (!exceptShares && endedLocks && writes(other)))
    const others = resting.filter(mayHoldIt)
    if (mayShare) return others
    // Of a crowd, some are enough.
    for (const other of waiting) {
      if (others.length >= mostRivals) break
      if (mayHoldIt(other) && !wantsTheSame(other, want)) others.push(other)
    }
    return others
  }

  /**
   * Says whether another waiter wants this row, and so does not hold it: who does asks for no lock of the row. (An UPDATE of its own
   * has made another version of the row, with a lock of its own.)
   */
  const wantsTheSame = (other: Party, { target, rows }: Want): boolean => {
    const want = wantOf(other)
    if (!want) return false
    return rows.length === 0 || want.rows.length === 0
      ? want.target.transactionid === target.transactionid
      : want.rows.some(({ relation, row }) =>
          rows.some((one) => one.relation === relation && one.row === row),
        )
  }

  const othersFor = (party: Party, want: Want, ended: ReadonlySet<Party>, mayShare: boolean): Doubt =>
    isOneByOne(want)
      ? { kind: 'next', by: inOrder(mayBeNext(party, want, ended)) }
      : { kind: 'holders', by: inOrder(mayHold(party, want, ended, mayShare)) }

  return { ofFreed, ofFollowers }

  function ofFollowers(followers: readonly Party[], ended: ReadonlySet<Party>): Map<Party, Doubt> {
    const wants = followers.flatMap((party) => {
      const want = wantOf(party)
      return want ? [{ party, want }] : []
    })
    const doubts = new Map<Party, Doubt>()
    const inDoubt = new Map<string, Doubt>()
    for (const { party, want } of wants) {
      const doubt = othersFor(party, want, ended, true)
      if (doubt.by.length === 0) continue
      doubts.set(party, doubt)
      for (const { relation, row } of want.rows) inDoubt.set(`${relation} ${row}`, doubt)
    }
    // Where an UPDATE has moved the row, the others of its queue race for the lock of its new place, and one in doubt may win.
    for (const { party, want } of wants)
      for (const { relation, row } of want.rows) {
        const doubt = inDoubt.get(`${relation} ${row}`)
        if (doubt && !doubts.has(party)) doubts.set(party, doubt)
      }
    return doubts
  }

  function ofFreed(atOnce: readonly Party[], ended: ReadonlySet<Party>): Map<Party, Doubt> {
    const doubts = new Map<Party, Doubt>()
    const freed = atOnce.flatMap((party) => {
      const want = wantOf(party)
      return want ? [{ party, want }] : []
    })
    const goOn = new Set(atOnce)
    for (const { party, want } of freed) {
      const doubt = othersFor(party, want, ended, false)
      // Who is freed at the same moment is over soon, and no reason to end the command instead.
      const isAfterFreed = want.next !== undefined && doubt.by.every((other) => goOn.has(other))
      if (doubt.by.length > 0) doubts.set(party, isAfterFreed ? { ...doubt, kind: 'rivals' } : doubt)
    }
    const wantRows = freed.filter(({ want }) => !isOneByOne(want))
    // Of one transaction, or of several that end together: savepoints have ids of their own, and a row may have many holders.
    const wanting = Map.groupBy(
      wantRows.flatMap(({ party, want }) =>
        [...relationsOf(party, want)].map((relation) => ({
          relation,
          party,
          rowLock: want.rows.find((row) => row.relation === relation),
        })),
      ),
      ({ relation }) => relation,
    )
    for (const { party, want } of wantRows) {
      if (doubts.has(party)) continue
      const rivals = [...relationsOf(party, want)]
        .flatMap((relation) => (wanting.get(relation) ?? []).slice(0, mostRivals))
        .filter((other) => other.party !== party && mayBeRivals({ party, want }, other))
      if (rivals.length > 0)
        doubts.set(party, { kind: 'rivals', by: inOrder(rivals.map((one) => one.party)) })
    }
    return doubts
  }
}

/** The place of a row in its table. */
const rowOf = ({ page, tuple }: LockTarget): string => `${page} ${tuple}`

/** A row lock leaves RowShareLock or more on its table, to the end of the transaction: foreign keys' checks do, too. */
const lockedRows = (held: Held): string[] =>
  [...held].flatMap(([relation, modes]) =>
    [...modes].some((mode) => mode !== 'AccessShareLock') ? [relation] : [],
  )

/** Says whether these are locks of who has changed rows, and not only locked them. */
const changes = (held: ReadonlySet<string> | undefined): boolean =>
  [...(held ?? [])].some((mode) => modes.indexOf(mode) > modes.indexOf('RowShareLock'))
