import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { followWaits, mayFinish, meaningFor, meaningOf } from '../../../src/domain/session/heldUp.ts'
import { type WaitMeaning, waitMeanings } from '../../../src/domain/session/waitMeaning.ts'
import * as of from '../../support/builders.ts'

const rowOf = ({ type, events, waitsFor, behind, endsByItself }: WaitMeaning): string => {
  const names = events.map((name) => `\`${name}\``).join(', ')
  const what = type === '' ? 'none' : `\`${type}\`${names === '' ? '' : `: ${names}`}`
  return `| ${what} | ${waitsFor} | ${behind} | ${endsByItself ? 'yes' : 'no'} |`
}

test('docs/diagnosis.md has the same table', () => {
  const docs = readFileSync('docs/diagnosis.md', 'utf8').split('\n')
  const head = docs.indexOf('| it waits in | that is: for | behind it can be | ends by itself |')
  expect(docs.slice(head + 2, head + 2 + waitMeanings.length)).toEqual(waitMeanings.map(rowOf))
  expect(docs[head + 2 + waitMeanings.length]).toBe('')
})

test('each class has a meaning for events that no one has heard of, but for locks', () => {
  const types = ['Activity', 'BufferPin', 'Buffer', 'Client', 'Extension', 'InjectionPoint', 'IO', 'IPC']
  for (const type of [...types, 'LWLock', 'Timeout']) expect(meaningFor(type, 'SomethingNew')).not.toBeNull()
  expect(meaningFor('Lock', 'relation')).toBeNull()
})

test('names of up to 16 differ in capitals', () => {
  for (const [type, old, name] of [
    ['Client', 'LibPQWalReceiverReceive', 'LibpqwalreceiverReceive'],
    ['IPC', 'BgWorkerShutdown', 'BgworkerShutdown'],
    ['IPC', 'BufferIO', 'BufferIo'],
    ['IPC', 'ProcArrayGroupUpdate', 'ProcarrayGroupUpdate'],
  ] as const) {
    expect(meaningFor(type, old)?.events).toContain(name)
    expect(meaningFor(type, old)).toBe(meaningFor(type, name))
  }
  // The same name in two classes is not the same wait.
  expect(meaningFor('LWLock', 'SyncRep')).not.toBe(meaningFor('IPC', 'SyncRep'))
})

test('what 19 added has a meaning of its own', () => {
  for (const [type, name] of [
    ['Buffer', 'BufferCleanup'],
    ['IPC', 'RepackWorkerExport'],
    ['Client', 'WaitForWalFlush'],
    ['Client', 'WaitForWalReplay'],
    ['Client', 'WaitForWalWrite'],
  ] as const)
    expect(meaningFor(type, name)?.events, name).toContain(name)
})

test.each([
  ['nothing', of.session(1), true],
  ['a disk', of.session(1, { waitEventType: 'IO', waitEvent: 'DataFileRead' }), true],
  ['pg_sleep', of.session(1, { waitEventType: 'Timeout', waitEvent: 'PgSleep' }), true],
  ['a pin', of.session(1, { waitEventType: 'BufferPin', waitEvent: 'BufferPin' }), false],
  ['a pin on 19', of.session(1, { waitEventType: 'Buffer', waitEvent: 'BufferCleanup' }), false],
  ['a page on 19', of.session(1, { waitEventType: 'Buffer', waitEvent: 'BufferShared' }), true],
  [
    'the replay that it waits for (19)',
    of.session(1, { waitEventType: 'Client', waitEvent: 'WaitForWalReplay' }),
    false,
  ],
  ['a barrier', of.session(1, { waitEventType: 'IPC', waitEvent: 'ProcSignalBarrier' }), false],
  ['a client', of.session(1, { waitEventType: 'Client', waitEvent: 'ClientWrite' }), false],
  ['dblink on 17', of.session(1, { waitEventType: 'Extension', waitEvent: 'DblinkGetResult' }), false],
  ['dblink on 16', of.session(1, { query: 'SELECT dblink_exec(?, ?)' }), false],
  ['a program', of.session(1, { query: 'COPY t FROM PROGRAM ?' }), false],
  ['a COPY that works', of.session(1, { query: 'COPY t FROM STDIN' }), true],
  ['its client, idle', of.idle(1, 5), false],
  ['its client, in a transaction', of.idleInTransaction(1, 5), false],
  ['a lock', of.waiting(1, 5), true],
])('who waits for %s may finish: %s', (_, session, may) => {
  expect(mayFinish(session)).toBe(may)
})

test('a session that is idle or waits for a lock is described by that', () => {
  for (const session of [of.idle(1, 5), of.idleInTransaction(1, 5), of.waiting(1, 5)])
    expect(meaningOf(session)).toBeNull()
})

test('a wait counts from the first look that found it, in the same statement', () => {
  const pin = of.session(1, { waitEventType: 'BufferPin', waitEvent: 'BufferPin' })
  const start = followWaits(new Map(), [pin], 1_000)
  expect(start.sessions[0]?.sameWaitSeconds).toBe(0)
  const later = followWaits(start.seen, [pin], 16_000)
  expect(later.sessions[0]?.sameWaitSeconds).toBe(15)
  for (const other of [
    { waitEvent: 'BufferCleanup' },
    { waitEventType: 'Buffer' },
    { queryStart: 'another' },
    { xactStart: 'another' },
    { stateChange: 'another' },
    { backendStart: 'another' },
  ])
    expect(followWaits(start.seen, [{ ...pin, ...other }], 16_000).sessions[0]?.sameWaitSeconds).toBe(0)
  // It went on meanwhile, and waits there again.
  const gone = followWaits(start.seen, [of.session(1)], 6_000)
  expect(gone.sessions[0]?.sameWaitSeconds).toBeUndefined()
  expect(followWaits(gone.seen, [pin], 16_000).sessions[0]?.sameWaitSeconds).toBe(0)
  // A clock that is set back makes no negative ages.
  expect(followWaits(start.seen, [pin], 500).sessions[0]?.sameWaitSeconds).toBe(0)
})

test('who rests is not followed', () => {
  const resting = of.serverProcess(1, 'walwriter', { waitEventType: 'Activity', waitEvent: 'WalWriterMain' })
  expect(followWaits(new Map(), [resting, of.idle(2, 5)], 0).seen.size).toBe(0)
})
