import type { LockGroup, Locks, LockTable, LockTarget, Snapshot } from '../session/snapshot.ts'

/** Parts of a snapshot beside its sessions, as JSON: each is written again only where it is another one. */

export const restKeys = ['server', 'ownConnections', 'locks', 'health'] as const

/** The same with lists in place of maps and sets, and without the names of fields where there are many. */
export const restOf = (snapshot: Snapshot): readonly string[] => [
  JSON.stringify(snapshot.server),
  JSON.stringify(snapshot.ownConnections),
  JSON.stringify(locksCode(snapshot.locks)),
  JSON.stringify(snapshot.health),
]

export const restFrom = ([server, ownConnections, locks, health]: readonly unknown[]) =>
  ({ server, ownConnections, locks: locksFromCode(locks as LocksCode), health }) as Pick<
    Snapshot,
    (typeof restKeys)[number]
  >

type GroupCode = readonly [readonly unknown[], string, boolean, readonly number[], readonly (number | null)[]]

const targetKeys = [
  'locktype',
  'database',
  'relation',
  'relationName',
  'page',
  'tuple',
  'virtualxid',
  'transactionid',
  'classid',
  'objid',
  'objsubid',
] as const satisfies readonly (keyof LockTarget)[]

const groupCode = ({ target, mode, granted, pids, waitStarts }: LockGroup): GroupCode => [
  targetKeys.map((key) => target[key]),
  mode,
  granted,
  pids,
  waitStarts,
]

const groupFrom = ([target, mode, granted, pids, waitStarts]: GroupCode): LockGroup => ({
  target: Object.fromEntries(targetKeys.map((key, index) => [key, target[index] ?? null])) as LockTarget,
  mode,
  granted,
  pids,
  waitStarts,
})

const tableCode = ({ waitingSince, ...table }: LockTable) => ({
  ...table,
  groups: table.groups.map(groupCode),
  near: table.near.map(groupCode),
  sharedRows: table.sharedRows && { ...table.sharedRows, moved: [...table.sharedRows.moved] },
  ...(waitingSince && { waitingSince: [...waitingSince] }),
  confirmedBlockers: [...table.confirmedBlockers],
  unchanged: [...table.unchanged],
})

type TableCode = ReturnType<typeof tableCode>

const tableFrom = ({ waitingSince, ...code }: TableCode): LockTable => ({
  ...code,
  groups: code.groups.map(groupFrom),
  near: code.near.map(groupFrom),
  sharedRows: code.sharedRows && { ...code.sharedRows, moved: new Set(code.sharedRows.moved) },
  ...(waitingSince && { waitingSince: new Map(waitingSince) }),
  confirmedBlockers: new Map(code.confirmedBlockers),
  unchanged: new Set(code.unchanged),
})

const locksCode = (locks: Locks) => {
  switch (locks.kind) {
    case 'none':
      return locks
    case 'read':
      return { kind: locks.kind, table: tableCode(locks.table) }
    case 'jammed':
      return { ...locks, last: locks.last && tableCode(locks.last) }
  }
}

type LocksCode = ReturnType<typeof locksCode>

function locksFromCode(code: LocksCode): Locks {
  switch (code.kind) {
    case 'none':
      return code
    case 'read':
      return { kind: code.kind, table: tableFrom(code.table) }
    case 'jammed':
      return { ...code, last: code.last && tableFrom(code.last) }
  }
}
