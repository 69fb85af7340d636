import { describe, expect, test } from 'vitest'
import type { Session } from '../../src/domain/session/session.ts'
import type { Connection } from '../../src/postgres/connection.ts'
import { ClusterError } from '../../src/postgres/errors.ts'
import { createLockReader } from '../../src/postgres/lockReader.ts'

/** When the lock table is read at all; how it is read is tested on a real server. */
const waiting = { waitEventType: 'Lock', waitEvent: 'tuple' }
const busy = { waitEventType: 'LWLock', waitEvent: 'LockManager' }
const calm = { waitEventType: null, waitEvent: null }
const times = (count: number, wait: Partial<Session>): Session[] =>
  Array.from({ length: count }, (_, pid) => ({ pid, leaderPid: null, ...wait }) as Session)

const read = async (sessions: Session[]) => {
  const asked: string[] = []
  const connection: Pick<Connection, 'query'> = {
    query: async ({ name }) => {
      asked.push(name)
      return []
    },
  }
  const reader = createLockReader({ connection, deadlineMs: 1_000, now: () => 0 })
  return { locks: await reader.read(sessions, 5, null), asked }
}

test.each([
  ['nobody waits', [...times(50, calm)], 'none'],
  ['a few in the lock manager, as on any busy server', [...times(4, busy), ...times(50, calm)], 'none'],
  ['one waits', times(1, waiting), 'read'],
  ['many wait, few in the lock manager', [...times(200, waiting), ...times(19, busy)], 'read'],
  ['a storm begins', [...times(12, waiting), ...times(5, busy)], 'jammed'],
  ['a storm', [...times(900, waiting), ...times(20, busy)], 'jammed'],
] as const)('%s', async (_, sessions, kind) => {
  const { locks, asked } = await read([...sessions])
  expect(locks.kind).toBe(kind)
  expect(asked).toEqual(kind === 'read' ? ['pg_marshal_locks'] : [])
})

test('before 18, who logs in may wait unseen: it is read at first, where somebody may be in the way, and once a minute', async () => {
  let time = 1_000_000
  let reads = 0
  let preparedSeconds: number | null = null
  const prepared = {
    xid: '7',
    gid: Buffer.from('a'),
    encoding: null,
    owner: null,
    database: null,
    prepared: '',
  }
  const connection: Pick<Connection, 'query'> = {
    query: async ({ name }) => {
      if (name === 'pg_marshal_locks') reads++
      const isAsked = name === 'pg_marshal_prepared_bare' && preparedSeconds !== null
      return isAsked ? [{ ...prepared, prepared_seconds: preparedSeconds }] : []
    },
  }
  const reader = createLockReader({ connection, deadlineMs: 1_000, now: () => time })
  const readsOf = async (sessions: Session[]) => {
    const before = reads
    expect(await reader.read(sessions, 5, 60_000)).toEqual({ kind: 'none' })
    return reads - before
  }
  expect(await readsOf(times(5, calm))).toBe(1)
  time += 59_999
  expect(await readsOf(times(5, calm))).toBe(0)
  time += 1
  expect(await readsOf(times(5, calm))).toBe(1)
  expect(await readsOf(times(5, { ...calm, backendXid: '7', xactSeconds: 2 }))).toBe(1)
  expect(await readsOf(times(5, { ...calm, backendXid: '7', xactSeconds: 0 }))).toBe(0)
  preparedSeconds = 0.9
  expect(await readsOf(times(5, calm))).toBe(0)
  preparedSeconds = 1
  expect(await readsOf(times(5, calm))).toBe(1)
  // A storm is never asked, whoever is in the way.
  const storm = [...times(20, busy), ...times(1, { ...calm, backendXid: '7', xactSeconds: 9 })]
  expect((await reader.read(storm, 5, 60_000)).kind).toBe('jammed')
  expect(reads).toBe(4)
})

test('a jam says how many wait, and has no table yet', async () => {
  const { locks } = await read([...times(900, waiting), ...times(100, busy)])
  expect(locks).toMatchObject({
    kind: 'jammed',
    why: expect.stringContaining('busy sorting out 1000 sessions'),
    last: null,
  })
})

describe('who shares rows, where somebody waits for a transaction', () => {
  const lock = (target: string, mode: string, granted: boolean, pids: number[]) => {
    const wait_starts = granted ? null : [1]
    return { target, mode, granted, pids, wait_starts, read_at: 2 }
  }
  const onXid = (xid: number) => `(transactionid,,,,,,${xid},,,)`
  const table = [
    lock(onXid(100), 'ExclusiveLock', true, [1]),
    lock(onXid(100), 'ShareLock', false, [2]),
    lock('(relation,5,7,,,,,,,)', 'RowShareLock', true, [-103]),
  ]
  const member = (xid: string, since: string | null = '0') => ({
    ...{ since, multixact: 4, xid, mode: 'keysh', moved: false },
  })
  const sharedIn = async (rows: unknown[], multixacts: unknown[] | string) => {
    const asked: unknown[] = []
    const connection: Pick<Connection, 'query'> = {
      query: async ({ name }, values) => {
        if (name === 'pg_marshal_locks') return rows
        if (name === 'pg_marshal_multixacts') {
          if (typeof multixacts === 'string') throw new ClusterError('odd', multixacts, true)
          return multixacts
        }
        if (name === 'pg_marshal_transactions') {
          asked.push(values)
          return [{ xid: '104', pid: 2 }]
        }
        return []
      },
    }
    const reader = createLockReader({ connection, deadlineMs: 1_000, now: () => 0 })
    const sessions = [{ pid: 2, leaderPid: null, backendXid: '102', ...waiting } as Session]
    const locks = await reader.read(sessions, 5, null)
    return { asked, shared: locks.kind === 'read' ? locks.table.sharedRows : locks.kind }
  }

  test('members are known by their sessions, their locks, or as prepared; others are asked for', async () => {
    const ids = ['100', '102', '103', '104', '105']
    const { asked, shared } = await sharedIn(
      table,
      ids.map((xid) => member(xid)),
    )
    const pids = [1, 2, -103, 2, null]
    expect(shared).toEqual({
      since: 0,
      rows: [ids.map((xid, index) => ({ xid, mode: 'keysh', pid: pids[index] }))],
      moved: new Set(),
    })
    expect(asked).toEqual([[['104', '105']]])
    expect((await sharedIn(table, [member('100'), member('102')])).asked).toEqual([])
  })

  test.each(['XX000', '42501', '42883', '0A000', '55P03', '57014'])(
    'nothing is known where the server answers %s, and the table is there all the same',
    async (code) => {
      expect((await sharedIn(table, code)).shared).toBeNull()
    },
  )

  test('nothing is known where too many came since, or nobody waits for a transaction', async () => {
    expect((await sharedIn(table, [member('100', null)])).shared).toBeNull()
    const relation = [lock('(relation,5,7,,,,,,,)', 'AccessShareLock', false, [2])]
    expect((await sharedIn(relation, [member('100')])).shared).toBeNull()
  })

  test('a connection that ends is no answer', async () => {
    expect((await sharedIn(table, '57P01')).shared).toBe('jammed')
  })
})
