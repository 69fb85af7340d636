import type { LockEntry, LockedTarget } from '../../domain/locks/list.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { clean, truncate } from '../kit.ts'
import { count, targetOf, whoOf } from '../words.ts'
import type { Line, Piece } from './page.ts'

/** With cells as long as they may be that many rows keep within what Slack takes of a table: 10,000 characters. */
export const maxRows = 40
const maxTargets = 12
/** Largest number of rows for one target, so that one long queue leaves room for the others. */
const maxOfOne = 8

/** Stands under the table. */
export const ages: Line = ['Age: of a holder’s transaction, of a waiter’s wait.']

/** Holders and waiters of each target, a row each. */
export function targetRows(targets: readonly LockedTarget[]): { table: Piece[]; more: Line[] } {
  const rows: string[][] = []
  const left: LockedTarget[] = []
  for (const [index, target] of targets.entries()) {
    if (index >= maxTargets || rows.length >= maxRows) {
      left.push(target)
      continue
    }
    rows.push(...rowsOf(target, Math.min(maxOfOne, maxRows - rows.length)))
  }
  return {
    table:
      rows.length > 0 ? [{ kind: 'table', head: ['Lock', 'Does', 'PID', 'Mode', 'Age', 'Who'], rows }] : [],
    more:
      left.length > 0
        ? [
            [
              `${count(left.length, 'more lock')}, for which ${count(
                left.reduce((sum, { waiters }) => sum + waiters.length, 0),
                'session waits',
                'sessions wait',
              )}.`,
            ],
          ]
        : [],
  }
}

/** Holders first, as they are to be looked at first; then who waits longest. What is left out is counted. */
function rowsOf(target: LockedTarget, room: number): string[][] {
  const { holders, waiters } = target
  const forHolders = Math.min(holders.length, Math.max(1, room - Math.min(waiters.length, room - 3)))
  const forWaiters = Math.min(waiters.length, Math.max(1, room - forHolders))
  const entries = [
    ...holders.slice(0, forHolders).map((entry) => ({ does: 'holds', entry })),
    ...waiters.slice(0, forWaiters).map((entry) => ({ does: 'waits', entry })),
  ]
  const left = (n: number, one: string, many: string) => (n > 0 ? `${n} more ${n === 1 ? one : many}` : '')
  const rest = [
    left(holders.length - forHolders, 'holds', 'hold'),
    left(waiters.length - forWaiters, 'waits', 'wait'),
  ].filter(Boolean)
  return entries.map(({ does, entry }, index) => [
    index === 0 ? truncate(wordsOfTarget(target), 60) : '',
    does,
    entry.prepared || entry.pid === 0 ? 'none' : String(entry.pid),
    modesOf(entry.modes),
    entry.seconds === null ? '' : formatDuration(entry.seconds),
    [whoHas(entry), index === entries.length - 1 ? rest.map((words) => `… ${words}`).join(' ') : '']
      .filter(Boolean)
      .join(' '),
  ])
}

function whoHas({ session, prepared, pid }: LockEntry): string {
  if (prepared) return truncate(`prepared transaction ${clean(prepared.gid)} · ${prepared.owner}`, 70)
  if (session) return truncate(`${whoOf(session)}, ${session.state ?? 'state not to be seen'}`, 90)
  return pid === 0 ? 'prepared transaction' : 'gone since'
}

/** A row is locked by locking the transaction that changed it: the table says more than its number. */
export function wordsOfTarget({
  target,
  relationName,
}: Pick<LockedTarget, 'target' | 'relationName'>): string {
  const named = { ...target, relationName: relationName ?? target.relationName }
  if (target.locktype !== 'transactionid') return clean(targetOf(named))
  return clean(relationName ? `row of ${relationName} (${targetOf(target)})` : targetOf(target))
}

/** The strongest by name. */
export const modesOf = ([strongest = '', ...others]: readonly string[]): string =>
  others.length === 0 ? strongest : `${strongest} and ${others.length} weaker`
