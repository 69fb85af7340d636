import { expect, it } from 'vitest'
import { activityOf } from '../../../src/domain/lists/activity.ts'
import * as of from '../../support/builders.ts'

const sessions = [
  of.session(1),
  of.session(2, { waitEventType: 'IO', waitEvent: 'DataFileRead', usename: 'report', applicationName: '' }),
  of.waiting(3, 40),
  of.idle(4, 10),
  of.idle(5, 400, { datname: 'billing' }),
  of.idleInTransaction(6, 90, { usename: null, datname: null }),
  of.serverProcess(7, 'checkpointer'),
  of.serverProcess(8, 'autovacuum worker'),
  of.serverProcess(9, 'autovacuum worker'),
  of.session(10, { backendType: '', state: null }),
]

it('counts client sessions by what they do and whose they are, most first', () => {
  expect(activityOf(of.snapshot(sessions), {})).toEqual({
    clients: 6,
    matching: 6,
    states: [
      { name: 'active', count: 3 },
      { name: 'idle', count: 2 },
      { name: 'idle in transaction', count: 1 },
    ],
    waitEvents: [
      { name: 'Client/ClientRead', count: 3 },
      { name: 'IO/DataFileRead', count: 1 },
      { name: 'Lock/transactionid', count: 1 },
    ],
    working: 1,
    users: [
      { name: 'shop', count: 4 },
      { name: 'no user', count: 1 },
      { name: 'report', count: 1 },
    ],
    applications: [
      { name: 'web', count: 5 },
      { name: 'no application name', count: 1 },
    ],
    databases: [
      { name: 'orders', count: 4 },
      { name: 'billing', count: 1 },
      { name: 'no database', count: 1 },
    ],
    processes: [
      { name: 'autovacuum worker', count: 2 },
      { name: 'checkpointer', count: 1 },
    ],
    unseen: 1,
  })
})

it('counts those alone that match', () => {
  const { clients, matching, states, processes } = activityOf(of.snapshot(sessions), { db: 'bill' })
  expect({ clients, matching, states }).toEqual({
    clients: 6,
    matching: 1,
    states: [{ name: 'idle', count: 1 }],
  })
  expect(processes).toHaveLength(2)
})
