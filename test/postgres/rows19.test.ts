/** Rows as the catalogs of PostgreSQL 19 have them, by its manual and its source, through the readers of every version. */
import { expect, it } from 'vitest'
import { activityFrom, sessionFrom } from '../../src/postgres/activityRows.ts'
import { horizonFrom, slotsFrom } from '../../src/postgres/healthRows.ts'
import { saidWith } from '../support/hostile.ts'

it('a slot of a REPACK (CONCURRENTLY) is told from one of a subscriber by its plugin', () => {
  const slot = {
    name: 'repack_77',
    slot_type: 'logical',
    database: 'orders',
    active: true,
    wal_status: 'reserved',
    retained_bytes: 16,
    safe_bytes: null,
    inactive_seconds: null,
    invalidation_reason: null,
  }
  expect(slotsFrom([{ ...slot, is_repack: true }])[0]?.isRepack).toBe(true)
  expect(slotsFrom([{ ...slot, is_repack: false }])[0]).not.toHaveProperty('isRepack')
  const holder = {
    kind: 'slot',
    name: 'repack_77',
    database: 'orders',
    pid: null,
    backend_start: null,
    xact_start: null,
    age: 5,
    catalogs_only: true,
  }
  expect(horizonFrom([{ ...holder, is_repack: true }])[0]?.isRepack).toBe(true)
  expect(horizonFrom([{ ...holder, is_repack: false }])[0]).not.toHaveProperty('isRepack')
})

it('who reads for a REPACK is a worker of its leader', async () => {
  const at = '2026-11-29 10:00:00.123456+00'
  const { rows } = await activityFrom([
    { now: Date.UTC(2026, 10, 29, 11) / 1000, pids: '{20}', known: '{}' },
    {
      pid: 20,
      said: saidWith({
        leader_pid: '10',
        backend_type: 'REPACK decoding worker',
        ...{ backend_start: at, xact_start: at, query_start: at, state_change: at },
        ...{ state: 'active', wait_event_type: 'Client', wait_event: 'WaitForWalFlush' },
      }),
      query: null,
    },
  ])
  const [row] = rows
  expect(
    row && sessionFrom(row, Date.UTC(2026, 10, 29, 11) * 1000, { databases: new Map(), roles: new Map() }),
  ).toMatchObject({
    pid: 20,
    leaderPid: 10,
    backendType: 'REPACK decoding worker',
    waitEventType: 'Client',
    waitEvent: 'WaitForWalFlush',
  })
})
