import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { differences } from '../../src/domain/approvals/approvedState.ts'
import type { Action } from '../../src/domain/session/action.ts'
import type { Session } from '../../src/domain/session/session.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'
import { guardFor, proposal } from '../support/proposals.ts'

/** The statements that send a signal, on a real server: who is reached, and who is not. */

let server: TestServer

beforeAll(async () => {
  server = await startTestServer({ settings: { deadlock_timeout: '10min', max_wal_senders: 2 } })
  await server.admin.query(`
    CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders VALUES (1, 'one'), (2, 'two');
    CREATE ROLE app LOGIN PASSWORD 'app' REPLICATION;
    GRANT ALL ON orders TO app`)
})
afterEach(async () => {
  await closeClusters()
  await server.closeAll()
})
afterAll(() => server?.stop())

const app = () => server.urlFor('app', 'app')
const started = async (url = server.marshalUrl): Promise<Cluster> => {
  const cluster = openCluster({ url })
  await cluster.start()
  return cluster
}
const look = async (cluster: Cluster, pid: number): Promise<Session> => {
  const [session] = await cluster.look([pid])
  if (!session) throw new Error(`no session ${pid}`)
  return session
}
const isSleeping = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1"
const sleep = async (session: TestSession) => {
  const running = session.start('SELECT pg_sleep(600)')
  await server.until(isSleeping, [session.pid])
  // It is not handed on: a promise of a promise would be waited for.
  void running
}
const isAborted = "SELECT state = 'idle in transaction (aborted)' FROM pg_stat_activity WHERE pid = $1"
/** A statement that fails, and aborts the transaction that it runs in. */
const fail = async (session: TestSession) => {
  await session.start('SELECT 1/0')
  // The error reaches the client before pg_stat_activity shows the state.
  await server.until(isAborted, [session.pid])
}

/** A call of pg_sleep(600) by the fast path, "FunctionCall" in the manual: it has no text and sets no `query_start`. */
const callSleep = async (session: TestSession, since = '-infinity') => {
  const argument = Buffer.from('600')
  const message = Buffer.alloc(19 + argument.length)
  message.write('F')
  message.writeInt32BE(message.length - 1, 1)
  message.writeInt32BE(2626, 5)
  message.writeInt16BE(0, 9)
  message.writeInt16BE(1, 11)
  message.writeInt32BE(argument.length, 13)
  argument.copy(message, 17)
  session.client.connection.stream.write(message)
  await server.until(`${isSleeping} AND state = 'fastpath function call' AND state_change > $2`, [
    session.pid,
    since,
  ])
}
const cancelIt = async (session: TestSession) => {
  await server.admin.query('SELECT pg_cancel_backend($1)', [session.pid])
  await server.until("SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $1", [session.pid])
}
const callSleepAgain = async (session: TestSession) => {
  await cancelIt(session)
  await callSleep(session, new Date(0).toISOString())
}

/** How a session may be when it is approved, and what it may do before the signal. */
type Case = readonly [
  then: string,
  enter: (session: TestSession) => Promise<unknown>,
  meanwhile: string,
  act: (session: TestSession) => Promise<unknown>,
]

const begin = (session: TestSession) => session.query('BEGIN; SELECT 1')
const write = async (session: TestSession) => {
  await session.query('BEGIN')
  await session.query("UPDATE orders SET note = 'x' WHERE id = 1")
}
const abort = async (session: TestSession) => {
  await session.query('BEGIN')
  await fail(session)
}
const abortInSavepoint = async (session: TestSession) => {
  await session.query('BEGIN; SAVEPOINT s')
  await fail(session)
}
const rollback = (session: TestSession) => session.query('ROLLBACK')

describe('terminate, requested by hand, is not sent to a session that', () => {
  const cases: readonly Case[] = [
    ['was in a transaction', begin, 'began another one', (s) => rollback(s).then(() => begin(s))],
    ['was in a transaction', begin, 'is idle', rollback],
    ['was in a transaction', begin, 'aborted another one', (s) => rollback(s).then(() => abort(s))],
    ['had written', write, 'wrote in another one', (s) => rollback(s).then(() => write(s))],
    ['had aborted', abort, 'is idle', rollback],
    [
      'had aborted',
      abort,
      'wrote since, and is idle',
      (s) =>
        rollback(s)
          .then(() => write(s))
          .then(() => s.query('COMMIT')),
    ],
    ['had aborted', abort, 'is in another transaction', (s) => rollback(s).then(() => begin(s))],
    ['had aborted', abort, 'aborted another one', (s) => rollback(s).then(() => abort(s))],
    ['had aborted', abort, 'ran a statement that failed again', fail],
    ['had aborted', abort, 'runs a statement', (s) => rollback(s).then(() => sleep(s))],
    [
      'had aborted in a savepoint',
      abortInSavepoint,
      'aborted another one',
      (s) => rollback(s).then(() => abort(s)),
    ],
    ['had aborted in a savepoint', abortInSavepoint, 'is idle', rollback],
    ['was idle', (s) => s.query('SELECT 1'), 'is in a transaction', begin],
    ['was idle', (s) => s.query('SELECT 1'), 'has aborted one', abort],
    ['was idle', (s) => s.query('SELECT 1'), 'runs a statement', sleep],
    ['ran a statement', sleep, 'runs another one', (s) => cancelIt(s).then(() => sleep(s))],
    ['made a fast-path call', callSleep, 'makes another one', callSleepAgain],
    ['made a fast-path call', callSleep, 'is idle', cancelIt],
    ['was idle', (s) => s.query('SELECT 1'), 'makes a fast-path call', (s) => callSleep(s)],
  ]
  test.each(cases)('$0, and $2', async (_then, enter, _meanwhile, act) => {
    const cluster = await started()
    const session = await server.open('victim', app())
    await enter(session)
    const then = await look(cluster, session.pid)
    await Promise.race([
      act(session),
      server.until(`${isSleeping} AND state_change > $2`, [session.pid, then.stateChange]),
    ])
    const now = await look(cluster, session.pid)
    expect(differences(proposal({ requestedBy: 'U0RIA' }, then), now)).toHaveLength(1)
    expect(await cluster.signal(guardFor('terminate', then))).toMatchObject({ kind: 'changed' })
    expect((await look(cluster, session.pid)).backendStart).toBe(then.backendStart)
  })
})

describe('terminate, requested by hand, is sent to a session that', () => {
  const cases: readonly Case[] = [
    ['was in a transaction', begin, 'still is', async () => {}],
    ['was in a transaction', begin, 'runs a statement in it', sleep],
    [
      'was in a transaction',
      begin,
      'wrote in it',
      (s) => s.query("UPDATE orders SET note = 'y' WHERE id = 2"),
    ],
    ['had written', write, 'still is as it was', async () => {}],
    ['had aborted', abort, 'still is as it was', async () => {}],
    ['had aborted in a savepoint', abortInSavepoint, 'went back to it', (s) => s.query('ROLLBACK TO s')],
    ['was idle', (s) => s.query('SELECT 1'), 'was used and is idle again', (s) => s.query('SELECT 2')],
    ['made a fast-path call', callSleep, 'still does', async () => {}],
  ]
  test.each(cases)('$0, and $2', async (_then, enter, _meanwhile, act) => {
    const cluster = await started()
    const session = await server.open('victim', app())
    await enter(session)
    const then = await look(cluster, session.pid)
    await act(session)
    const now = await look(cluster, session.pid)
    expect(differences(proposal({ requestedBy: 'U0RIA' }, then), now)).toEqual([])
    expect(await cluster.signal(guardFor('terminate', then))).toMatchObject({ kind: 'sent', returned: true })
    await session.ended
  })
})

test('one that is ended for not being used must not have been used since', async () => {
  const cluster = await started()
  const unused = await server.open('unused', app())
  await unused.query('SELECT 1')
  const then = await look(cluster, unused.pid)
  await unused.query('SELECT 2')
  const watchers = { requestedBy: null }
  expect(await cluster.signal(guardFor('terminate', then, watchers))).toMatchObject({ kind: 'changed' })
  const now = await look(cluster, unused.pid)
  expect(await cluster.signal(guardFor('terminate', now, watchers))).toMatchObject({ kind: 'sent' })
  await unused.ended
})

test('two transactions of one message begin at the same time, and differ by their ids', async () => {
  const cluster = await started()
  await server.admin.query('SELECT pg_advisory_lock(1), pg_advisory_lock(2)')
  const session = await server.open('batch', app())
  const step = (id: number) =>
    `BEGIN; UPDATE orders SET note = 'b' WHERE id = 1; SELECT pg_advisory_xact_lock(${id}); COMMIT;`
  void session.start(`${step(1)} ${step(2)}`)
  await server.untilWaiting(session)
  const first = await look(cluster, session.pid)
  await server.admin.query('SELECT pg_advisory_unlock(1)')
  await server.until('SELECT backend_xid::text <> $2 FROM pg_stat_activity WHERE pid = $1', [
    session.pid,
    first.backendXid,
  ])
  await server.untilWaiting(session)
  const second = await look(cluster, session.pid)
  expect(second.xactStart).toBe(first.xactStart)
  expect(differences(proposal({}, first), second)).toEqual(['its transaction ended'])
  expect(await cluster.signal(guardFor('terminate', first))).toMatchObject({ kind: 'changed' })
  await server.admin.query('SELECT pg_advisory_unlock(2)')
})

test('a cancel reaches the statement that was approved', async () => {
  const cluster = await started()
  const busy = await server.open('busy', app())
  const running = busy.start('SELECT pg_sleep(600)')
  await server.until(isSleeping, [busy.pid])
  const session = await look(cluster, busy.pid)
  const cancelled = await cluster.signal(guardFor('cancel', session))
  expect(cancelled).toMatchObject({ kind: 'sent', returned: true })
  expect(cancelled.sql).toContain(`a.backend_start = '${session.backendStart}'::timestamptz`)
  expect(await running).toMatchObject({ code: '57014' })
})

test('a cancel does not hit the next statement, nor one that has ended', async () => {
  const cluster = await started()
  const busy = await server.open('busy', app())
  void busy.start('SELECT pg_sleep(600)')
  await server.until(isSleeping, [busy.pid])
  const then = await look(cluster, busy.pid)
  await server.admin.query('SELECT pg_cancel_backend($1)', [busy.pid])
  await server.until("SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $1", [busy.pid])
  // Idle, it still has the time of its last statement.
  const idle = await look(cluster, busy.pid)
  expect(idle.queryStart).toBe(then.queryStart)
  expect(await cluster.signal(guardFor('cancel', idle))).toMatchObject({ kind: 'changed' })
  expect(await cluster.signal(guardFor('cancel', then))).toMatchObject({ kind: 'changed' })
  const next = busy.start('SELECT pg_sleep(600)')
  await server.until(`${isSleeping} AND query_start > $2`, [busy.pid, then.queryStart])
  expect(await cluster.signal(guardFor('cancel', then))).toMatchObject({ kind: 'changed' })
  const now = await look(cluster, busy.pid)
  expect(now.waitEvent).toBe('PgSleep')
  expect(await cluster.signal(guardFor('cancel', now))).toMatchObject({ kind: 'sent' })
  expect(await next).toMatchObject({ code: '57014' })
})

describe('a cancel tells apart fast-path calls, which keep the time of the statement before them:', () => {
  const cases: readonly Case[] = [
    ['a statement', sleep, 'a call', callSleepAgain],
    ['a call', callSleep, 'another one', callSleepAgain],
  ]
  test.each(cases)('$0, then $2', async (_then, enter, _meanwhile, act) => {
    const cluster = await started()
    const session = await server.open('caller', app())
    await enter(session)
    const then = await look(cluster, session.pid)
    await act(session)
    const now = await look(cluster, session.pid)
    expect(now.queryStart).toBe(then.queryStart)
    expect(differences(proposal({ action: 'cancel' }, then), now)).toHaveLength(1)
    expect(await cluster.signal(guardFor('cancel', then))).toMatchObject({ kind: 'changed' })
    expect(differences(proposal({ action: 'cancel' }, now), now)).toEqual([])
    expect(await cluster.signal(guardFor('cancel', now))).toMatchObject({ kind: 'sent', returned: true })
  })
})

describe('no signal goes to a session when the server does not show what it does:', () => {
  const actions: readonly Action[] = ['cancel', 'terminate']
  test.each(actions)('%s with track_activities = off', async (action) => {
    await server.admin.query('CREATE ROLE silent LOGIN PASSWORD $$silent$$; GRANT ALL ON orders TO silent')
    await server.admin.query('ALTER ROLE silent SET track_activities = off')
    try {
      const cluster = await started()
      const session = await server.open('silent', server.urlFor('silent', 'silent'))
      await write(session)
      const then = await look(cluster, session.pid)
      expect(then).toMatchObject({ state: 'disabled', xactStart: null, queryStart: null, stateChange: null })
      expect(differences(proposal({ action, requestedBy: 'U0RIA' }, then), then)).toHaveLength(1)
      expect(await cluster.signal(guardFor(action, then))).toMatchObject({ kind: 'changed' })
    } finally {
      await server.closeAll()
      await server.admin.query('DROP OWNED BY silent; DROP ROLE silent')
    }
  })

  test.each(actions)('%s where the columns are hidden from the role', async (action) => {
    await server.admin.query('CREATE ROLE unread LOGIN PASSWORD $$unread$$')
    await server.admin.query('GRANT pg_signal_backend TO unread')
    try {
      const sighted = await started()
      const blind = await started(server.urlFor('unread', 'unread'))
      const session = await server.open('victim', app())
      await session.query('BEGIN; SELECT 1')
      const seen = await look(sighted, session.pid)
      const hidden = await look(blind, session.pid)
      expect(hidden).toMatchObject({ state: null, backendStart: '', xactStart: null, clientAddr: null })
      for (const then of [hidden, { ...hidden, backendStart: seen.backendStart }]) {
        expect(differences(proposal({ action, requestedBy: 'U0RIA' }, then), hidden)).not.toEqual([])
        expect(await blind.signal(guardFor(action, then))).toMatchObject({ kind: 'changed' })
      }
      expect(await blind.signal(guardFor(action, seen))).toMatchObject({ kind: 'changed' })
    } finally {
      await closeClusters()
      await server.admin.query('DROP OWNED BY unread; DROP ROLE unread')
    }
  })
})

test('two statements of one message begin at the same time, and differ by their ids', async () => {
  const cluster = await started()
  await server.admin.query('ALTER ROLE app SET compute_query_id = on')
  const batch = await server.open('batch', app())
  await server.admin.query('SELECT pg_advisory_lock(1), pg_advisory_lock(2)')
  void batch.start('SELECT pg_advisory_lock(1) AS first; SELECT pg_advisory_lock(2), 2 AS second')
  await server.untilWaiting(batch)
  const first = await look(cluster, batch.pid)
  await server.admin.query('SELECT pg_advisory_unlock(1)')
  await server.until('SELECT query_id::text <> $2 FROM pg_stat_activity WHERE pid = $1', [
    batch.pid,
    first.queryId,
  ])
  await server.untilWaiting(batch)
  const second = await look(cluster, batch.pid)
  expect(second.queryStart).toBe(first.queryStart)
  expect(await cluster.signal(guardFor('cancel', first))).toMatchObject({ kind: 'changed' })
  expect(await cluster.signal(guardFor('cancel', second))).toMatchObject({ kind: 'sent' })
  await server.admin.query('SELECT pg_advisory_unlock_all()')
})

describe('nobody else is reached:', () => {
  const actions: readonly Action[] = ['cancel', 'terminate']
  test.each(actions)('%s of another session under this pid, or of no pid at all', async (action) => {
    const cluster = await started()
    const victim = await server.open('victim', app())
    await sleep(victim)
    const session = await look(cluster, victim.pid)
    const { backendStart } = session
    // The same moment but for a microsecond: what a JavaScript Date would have made of it.
    const digit = Number(backendStart.at(-4) ?? 0)
    const nearly = `${backendStart.slice(0, -4)}${(digit + 1) % 10}${backendStart.slice(-3)}`
    const guard = guardFor(action, session)
    for (const key of [
      { ...guard.key, backendStart: nearly },
      { ...guard.key, backendStart: '' },
      { ...guard.key, pid: 1 },
    ])
      expect(await cluster.signal({ ...guard, key })).toMatchObject({ kind: 'changed' })
    expect(await look(cluster, victim.pid)).toMatchObject({ waitEvent: 'PgSleep' })
  })

  // A superuser's cluster, which the server would let: what stops the signal is the guard.
  test.each(actions)('%s of a walsender, which is no client backend', async (action) => {
    const cluster = await started(server.url)
    const url = new URL(server.url)
    url.searchParams.set('replication', 'database')
    const sender = await server.open('standby', url.href)
    void sender.start('SELECT pg_sleep(600)')
    await server.until(isSleeping, [sender.pid])
    const session = await look(cluster, sender.pid)
    expect(session).toMatchObject({ backendType: 'walsender', state: 'active' })
    expect(await cluster.signal(guardFor(action, session))).toMatchObject({ kind: 'changed' })
    expect((await look(cluster, sender.pid)).backendStart).toBe(session.backendStart)
    expect(await look(cluster, sender.pid)).toMatchObject({ waitEvent: 'PgSleep' })
  })

  test('a superuser is out of reach: the server says so with 42501', async () => {
    const cluster = await started()
    const superuser = await server.open('superuser')
    const session = (await cluster.snapshot()).sessions.find(({ pid }) => pid === superuser.pid)
    if (!session) throw new Error('gone')
    expect(session.isSuperuser).toBe(true)
    await expect(cluster.signal(guardFor('terminate', session))).rejects.toMatchObject({
      code: '42501',
      retryable: false,
      reason: expect.stringContaining('superuser'),
    })
  })
})
