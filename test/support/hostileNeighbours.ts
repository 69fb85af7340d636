import type { Socket } from 'node:net'
import {
  activityRows,
  answerStatements,
  type Column,
  goodRows,
  int32,
  loggedIn,
  message,
  ready,
  saidWith,
  startHostileServer,
} from './hostile.ts'

/**
 * For a process of its own, so that what it costs is not counted as ours: a server for each way to be a bad neighbour. It
 * prints their addresses, and ends with its parent.
 */
type Answer = (socket: Socket, phase: number, received: Buffer) => void

const times = (count: number, bytes: Buffer) => Buffer.concat(Array.from({ length: count }, () => bytes))
const pour = (socket: Socket, bytes: Buffer) => {
  const more = () => {
    while (!socket.destroyed && socket.write(bytes)) {}
  }
  socket.on('drain', more)
  more()
}
/** Logs in, and pours from the first question on. */
const pouring =
  (bytes: Buffer): Answer =>
  (socket, phase) => {
    if (phase === 0) socket.write(loggedIn)
    else if (phase === 1) pour(socket, bytes)
  }

const row = message('D', Buffer.concat([Buffer.from([0, 1]), int32(1000), Buffer.alloc(1000, 65)]))
const oneColumn = message('T', Buffer.concat([Buffer.from([0, 1]), Buffer.from('a\0'), Buffer.alloc(18)]))
const rowsAt = Buffer.concat([message('1'), message('2'), oneColumn, times(100, row)])
const notices = times(5000, Buffer.concat([message('N', Buffer.alloc(1)), ready]))

const good = answerStatements(goodRows)
/** Sound until all is set up; from then on it sends what nobody asked for. */
const pouringLater: Answer = (socket, phase, received) => {
  good(socket, phase, received)
  if (/pg_marshal_(?:prepared_bare|terminate)/.test(received.toString('latin1'))) pour(socket, notices)
}
/** Each byte of what is right comes late, and by itself. */
const slowly: Answer = (socket, phase, received) => {
  const pieces: Buffer[] = []
  good({ write: (bytes: Buffer) => pieces.push(bytes) } as never, phase, received)
  const bytes = Buffer.concat(pieces)
  let at = 0
  const timer = setInterval(() => {
    if (socket.destroyed || at >= bytes.length) clearInterval(timer)
    else socket.write(bytes.subarray(at, ++at))
  }, 1)
}

/** More sessions than anybody's server has, and something is wrong with each. It sends all of them each time. */
const crowd = (count: number, said: string) =>
  activityRows(
    now,
    Array.from({ length: count }, (_, index) => [1000 + index, said]),
  )
const began = '2026-01-01 10:00:00.123456+00'
/** So much later that it is a trouble. */
const now = String(Date.UTC(2026, 0, 1, 12, 30) / 1000)
const idle = crowd(8_000, saidWith({ state: 'idle in transaction', xact_start: began, state_change: began }))
const waiters = (count: number) =>
  crowd(
    count,
    saidWith({
      state: 'active',
      ...{ wait_event_type: 'Lock', wait_event: 'transactionid' },
      ...{ query_start: began, xact_start: began },
    }),
  )
const lock = (id: number, granted: boolean, pids: readonly number[]): readonly Column[] => [
  ['target', 25, `(transactionid,,,,,,${id},,,)`],
  ['mode', 25, granted ? 'ExclusiveLock' : 'ShareLock'],
  ['granted', 16, granted ? 't' : 'f'],
  ['pids', 1022, `{${pids.join(',')}}`],
  ['wait_starts', 1022, granted ? null : `{${pids.map(() => '1767261000').join(',')}}`],
  ['read_at', 701, '1767261609'],
]
/** Each waits for the one before it. */
const chain = Array.from({ length: 1_000 }, (_, index) => [
  lock(index, true, [1000 + index]),
  lock(index, false, [1001 + index]),
]).flat()
const longList = [
  lock(1, true, [1000]),
  lock(
    1,
    false,
    Array.from({ length: 2_000_000 }, (_, index) => 1000 + index),
  ).map(([name, oid, value]): Column => [name, oid, name === 'wait_starts' ? null : value]),
]
const longLists = Array.from({ length: 20 }, (_, id) =>
  lock(
    id,
    false,
    Array.from({ length: 80_000 }, (_, index) => 1000 + index + id),
  ),
)

const noMultixacts: readonly Column[] = [
  ['since', 25, null],
  ['multixact', 20, null],
  ['xid', 25, null],
  ['mode', 25, null],
  ['moved', 16, null],
]

const answers: Readonly<Record<string, Answer>> = {
  'accepts and never answers': () => {},
  'logs in and never answers': (socket, phase) => {
    if (phase === 0) socket.write(loggedIn)
  },
  'sends garbage': (socket, phase) => {
    if (phase === 0) pour(socket, Buffer.alloc(65_536, 0xa5))
  },
  'sends endless rows': pouring(rowsAt),
  'is ready without end': pouring(times(10_000, ready)),
  'sends endless notices': pouring(notices),
  'sends endless notices that nobody asked for': pouringLater,
  'sends byte by byte': slowly,
  'shows a crowd of idle transactions': answerStatements({ ...goodRows, activity: idle }),
  'shows a crowd that waits in a row': answerStatements({
    ...goodRows,
    activity: waiters(1_000),
    locks: chain,
    multixacts: [noMultixacts],
  }),
  'names millions who wait for one lock': answerStatements({
    ...goodRows,
    activity: waiters(50),
    locks: longList,
    multixacts: [noMultixacts],
  }),
  'names many who wait for each lock': answerStatements({
    ...goodRows,
    activity: waiters(50),
    locks: longLists,
    multixacts: [noMultixacts],
  }),
}
const servers = await Promise.all(
  Object.entries(answers).map(async ([way, answer]) => [way, (await startHostileServer(answer)).url]),
)
process.stdout.write(`${JSON.stringify(Object.fromEntries(servers))}\n`)
process.stdin.resume().on('end', () => process.exit())
