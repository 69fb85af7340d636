import { describe, expect, it } from 'vitest'
import type { Session } from '../../../src/domain/session/session.ts'
import type { PoolerLook } from '../../../src/domain/session/snapshot.ts'
import { ClusterError } from '../../../src/postgres/cluster.ts'
import { transcript } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'

const root = of.idleInTransaction(4312, 305, {
  xactSeconds: 420,
  backendXid: '704312',
  backendXmin: '704300',
  query: 'UPDATE public.orders\n   SET state = ?\n WHERE id = ?',
})
const groups = of.rowQueue(4312, [
  [4320, 130],
  [4321, 90],
])
const picture = of.picture([root, of.waiting(4320, 130), of.waiting(4321, 90), of.idle(9, 60)], groups)

describe('sessionView', () => {
  it('shows everything about a root', async () => {
    const own = [
      of.held(of.transaction('704312'), 'ExclusiveLock', 4312),
      of.held(of.target({ locktype: 'virtualxid', virtualxid: '3/17' }), 'ExclusiveLock', 4312),
      of.held(of.relation('public.orders'), 'RowExclusiveLock', 4312),
      of.held(of.relation('public.orders_pkey', 2), 'RowExclusiveLock', 4312),
      of.held(of.relation('public.items', 3), 'AccessShareLock', 4312),
      of.held(of.advisory(42), 'ExclusiveLock', 4312),
    ]
    expect(await transcript('session 4312', picture, own)).toMatchInlineSnapshot(`
      "Session 4312 on orders
      Idle in transaction for 5 min 5 s. 4312 (web, user shop, database orders)
      - Blocks 2 sessions, the longest for 2 min 10 s, for a row of public.orders: 4320 and 4321 (/pg blocking).
      - Wait event: Client/ClientRead (its client is to send the next statement).
      - Ages: transaction open for 7 min; in this state for 5 min 5 s; last statement began 5 min 5 s ago.
      - Transaction: has written or locked rows (transaction id 704312); holds vacuum back to xmin 704300.
      - Client: 10.0.0.7, connected for 1 h (backend_start 2026-03-01 02:00:00.000000+00).
      - Process: client backend.
      Last statement:
      UPDATE public.orders
         SET state = ?
       WHERE id = ?
      - Holds ExclusiveLock on transaction 704312, others wait for it.
      - Holds ExclusiveLock on advisory lock 42.
      - Holds RowExclusiveLock on public.orders.
      - Holds RowExclusiveLock on public.orders_pkey.
      - And 2 other locks that are seldom in the way.
      What could be done: /pg terminate 4312 reason: Terminate closes the connection and rolls its transaction back, so its locks are released. Cancel has no effect on it: no statement is running.
      As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('shows what a waiter waits for, behind whom, and who waits behind it', async () => {
    const own = [
      of.wanted(of.transaction('704312'), 'ShareLock', [4320, 130]),
      of.held(of.tuple('public.orders'), 'ExclusiveLock', 4320),
    ]
    expect(await transcript('session 4320', picture, own)).toMatchInlineSnapshot(`
      "Session 4320 on orders
      Active for 2 min 10 s. 4320 (web, user shop, database orders)
      - 1 session waits behind it: 4321.
      - Waits for 2 min 10 s: a row of public.orders (ShareLock).
      - Blocked by 4312 (web, user shop, database orders), idle in transaction for 5 min 5 s.
      - Ages: transaction open for 2 min 10 s; in this state for 2 min 10 s; statement began 2 min 10 s ago.
      - Transaction: has written nothing (no transaction id).
      - Client: 10.0.0.7, connected for 1 h (backend_start 2026-03-01 02:00:00.000000+00).
      - Process: client backend.
      Statement: not to be seen.
      - Waits for ShareLock on transaction 704312.
      - Holds ExclusiveLock on a row of public.orders, others wait for it.
      Best way out: Terminate 4312 (web, idle in transaction for 5 min 5 s, what it wrote in 7 min is rolled back): 1 of 2 waiters proceeds at once, 1 follows. /pg terminate 4312 reason
      What could be done: /pg cancel 4320 reason: Cancel ends its statement with an error and rolls its transaction back; the connection stays. Terminate would close the connection as well.
      As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('of one behind a prepared transaction tells what a person has to run', async () => {
    const table = of.locksRead(of.rowQueue(-900, [[4330, 40]]), { prepared: [of.prepared(900)] })
    expect(await transcript('session 4330', of.picture([of.waiting(4330, 40)], table))).toMatch(
      /No way out from here: No session to end: the prepared transaction 'payment-77' .* ROLLBACK PREPARED 'payment-77';/,
    )
  })

  it('does not take the transaction id of a request for a proof that it has written', async () => {
    const waiter = of.waiting(4320, 130, { backendXid: '704313' })
    expect(
      await transcript('session 4320', of.picture([root, waiter], of.rowQueue(4312, [[4320, 130]]))),
    ).toContain(
      '- Transaction: has a transaction id (704313), as a request for a lock takes one before it has written.',
    )
  })

  it('shows an idle session, and of a process that is no client', async () => {
    expect(await transcript('session 9', picture)).toMatchInlineSnapshot(`
      "Session 9 on orders
      Idle for 1 min. 9 (web, user shop, database orders)
      - Wait event: Client/ClientRead (its client is to send the next statement).
      - Ages: no transaction is open; in this state for 1 min; last statement began 1 min ago.
      - Client: 10.0.0.7, connected for 1 h (backend_start 2026-03-01 02:00:00.000000+00).
      - Process: client backend.
      Last statement: not to be seen.
      - It holds no locks.
      What could be done: /pg terminate 9 reason: Terminate closes the connection and releases its session-level advisory locks. No transaction is open; temporary tables of the session are lost, if it has any. Cancel has no effect on it: no statement is running.
      As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
    const worker = of.picture([
      of.serverProcess(50, 'autovacuum worker', { state: 'active', querySeconds: 30 }),
    ])
    expect(await transcript('session 50', worker)).toMatchInlineSnapshot(`
      "Session 50 on orders
      Active for 30 s. 50 (autovacuum worker)
      - Ages: transaction open for 30 s; statement began 30 s ago.
      - Transaction: has written nothing (no transaction id).
      - Client: none, connected for 1 h (backend_start 2026-03-01 02:00:00.000000+00).
      - Process: autovacuum worker.
      Statement: not to be seen.
      - It holds no locks.
      Nothing to do from here: It is an autovacuum worker: ending it (a superuser or a member of pg_signal_autovacuum_worker may) helps for a moment only, it comes back (at once, when it prevents transaction-id wraparound).
      As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('shows a long statement as far as there is room', async () => {
    const long = of.picture([of.session(1, { query: `SELECT ${'x, '.repeat(4000)}?` })])
    const lines = (await transcript('session 1', long)).split('\n')
    expect(lines.filter((line) => line.includes('more characters'))).toEqual(['… 7009 more characters.'])
  })

  it('says why the locks were not read, and answers all the same', async () => {
    const failure = new ClusterError('the server did not answer in time', 'DEADLINE', true)
    expect(await transcript('session 9', picture, failure)).toContain(
      '- Its locks were not read: the server did not answer in time',
    )
    const storm = of.picture([root], {
      kind: 'jammed',
      why: 'The lock manager is busy.',
      last: null,
      lastTakenAt: null,
    })
    expect(await transcript('session 4312', storm, failure)).toContain(
      'Its locks were not read: The lock manager is busy.',
    )
  })

  it('names the prepared transaction that it waits for', async () => {
    const waits = of.picture(
      [of.waiting(10, 60)],
      of.locksRead(of.rowQueue(-900, [[10, 60]]), { prepared: [of.prepared(900)] }),
    )
    expect(await transcript('session 10', waits)).toContain(
      '- Blocked by the prepared transaction payment-77.',
    )
  })

  it('says that a pooler stands between, how to find the client, and what terminate does then', async () => {
    const lineOf = async (picture: Parameters<typeof transcript>[1]) =>
      (await transcript('session 1', picture)).split('\n').find((line) => line.includes('pooler'))
    expect(await lineOf(of.picture([of.session(1, { applicationName: 'pgbouncer' })]))).toBe(
      '- A pooler stands between: PgBouncer (application name pgbouncer). 10.0.0.7 is its address. The real client is in the pooler’s own list: SHOW SERVERS has remote_pid 1, and its link is the ptr of the client in SHOW CLIENTS. Terminate closes the pooler’s connection to the server: a client that uses it now loses its own too, and the pooler opens another.',
    )
    const idle = of.idle(1, 60, { applicationName: 'web - 10.0.3.4:51234' })
    expect(await lineOf(of.picture([idle]))).toBe(
      '- A pooler stands between: 10.0.0.7 is its address; the client is 10.0.3.4:51234, says the application name. Terminate closes the pooler’s connection to the server: a client that uses it now loses its own too, and the pooler opens another. While it is idle it belongs to no client, and may be lent to any at any moment.',
    )
    const crowd = Array.from({ length: 12 }, (_, index) =>
      of.session(1 + index, { applicationName: `app-${index % 4}`, usename: `user-${index % 3}` }),
    )
    expect(await lineOf(of.picture(crowd))).toContain(
      'A pooler likely stands between: 12 sessions of 4 applications and 3 users come from 10.0.0.7: the address of a pooler, or of a gateway.',
    )
    expect(await lineOf(of.picture([of.session(1), of.session(2)]))).toBeUndefined()
  })

  it('names the client behind PgBouncer as its admin console does, or says that it is not known', async () => {
    const pool = { database: 'orders', user: 'shop', mode: 'transaction' }
    const client = { address: '10.0.3.4:51234', user: 'kim', applicationName: 'checkout' }
    const lineOf = async (session: Session, pooler: PoolerLook) =>
      (await transcript('session 1', of.picture([session], undefined, { pooler }))).replaceAll('**', '')
    const seen = { pools: 1, waiting: [], secondsOld: 0 }
    const known = await lineOf(of.session(1, { pooler: { ...pool, client } }), seen)
    expect(known).toContain(
      'A pooler stands between: PgBouncer, pool orders of shop in transaction mode. The client is 10.0.3.4:51234 (checkout), logged in as kim, says its admin console.',
    )
    expect(known).toContain('client 10.0.3.4:51234)')
    expect(await lineOf(of.idle(1, 60, { pooler: { ...pool, client } }), seen)).not.toContain(
      'belongs to no client',
    )
    const unknown = await lineOf(of.idle(1, 60, { pooler: { ...pool, mode: null, client: null } }), seen)
    expect(unknown).toContain(
      'PgBouncer, pool orders of shop. Which client it serves now is not known, if any.',
    )
    expect(unknown).toContain('belongs to no client')
    expect(
      await lineOf(of.session(1, { applicationName: 'pgbouncer' }), { unread: 'Nothing listens there.' }),
    ).toContain(
      'PgBouncer’s admin console cannot be read: who the clients are, and whether any wait, is not known. Nothing listens there.',
    )
  })

  it('shows on a standby who holds replay back, what the server will do, and that nothing is written', async () => {
    const standby = of.picture(
      [
        of.idleInTransaction(1, 60, { backendXmin: '850' }),
        of.session(2, { backendXmin: '900' }),
        of.serverProcess(7, 'startup', { waitEventType: 'IPC', waitEvent: 'RecoveryConflictSnapshot' }),
      ],
      [],
      { server: of.server({ inRecovery: true }) },
    )
    expect(await transcript('session 1', standby)).toMatchInlineSnapshot(`
      "Session 1 on orders
      Replay of this standby waits to remove rows that sessions here may still see (RecoveryConflictSnapshot). Likely held back by 1. The server cancels them when replay is 30 s late (max_standby_streaming_delay).
      Idle in transaction for 1 min. 1 (web, user shop, database orders)
      - Wait event: Client/ClientRead (its client is to send the next statement).
      - Likely holds back replay: the startup process (7) waits for it to end.
      - Ages: transaction open for 1 min; in this state for 1 min; last statement began 1 min ago.
      - Transaction: a standby writes nothing; its snapshot reaches back to xmin 850.
      - Client: 10.0.0.7, connected for 1 h (backend_start 2026-03-01 02:00:00.000000+00).
      - Process: client backend.
      Last statement: not to be seen.
      - It holds no locks.
      What could be done: /pg terminate 1 reason: Terminate closes the connection and ends its transaction, so its locks are released; a standby writes nothing, so no work is lost. Cancel has no effect on it: no statement is running.
      As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
    expect(await transcript('session 2', standby)).not.toContain('olds back replay')
    expect(await transcript('sessions', standby)).toContain(
      'Replay of this standby waits to remove rows that sessions here may still see (RecoveryConflictSnapshot). Likely held back by 1. The server cancels them when replay is 30 s late (max_standby_streaming_delay).',
    )
  })

  it('says of a session that may not be seen just that, and does not make up a calm one', async () => {
    const unseen = of.session(1, {
      ...{ state: null, backendType: '', backendStart: '', clientAddr: null, backendSeconds: 0 },
      ...{ stateSeconds: null, xactSeconds: null },
    })
    const blind = of.picture([unseen], [], { server: of.server({ seesOthers: false }) })
    expect(await transcript('session 1', blind)).toMatchInlineSnapshot(`
      "Session 1 on orders
      pg-marshal may not see other sessions on orders, so this picture says nothing about them.
      Its role is no member of pg_monitor. As a superuser: GRANT pg_monitor TO …
      In an unseen state. 1 (web, user shop, database orders)
      - Not to be seen: its state, its ages, its client and its statement.
      Nothing to do from here: Its state cannot be seen: the bot lacks pg_monitor.
      As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('says when a pid is not there', async () => {
    expect(await transcript('session 77', picture)).toMatchInlineSnapshot(`
      "Session 77 on orders
      There is no session 77 on orders (any more). /pg sessions shows those that are there.
      As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('says what a wait means in the words of the server, whatever these are', async () => {
    const reading = of.session(9, { waitEventType: 'IO', waitEvent: 'DataFileRead' })
    const explainWait = async () => 'Waiting for a read\nfrom a <!here> file.'
    expect(await transcript('session 9', of.picture([reading]), [], { explainWait })).toContain(
      '- Wait event: IO/DataFileRead (it waits for the disk). The server says: Waiting for a read from a &lt;!here&gt; file.\n',
    )
    // Of a lock too, below what the lock table shows.
    expect(await transcript('session 4320', picture, [], { explainWait })).toMatch(
      /- Waits for 2 min 10 s: a row[^\n]*\n- Blocked by[^\n]*\n- Wait event: Lock\/transactionid\. The server says: /,
    )
    const long = async () => 'x'.repeat(5000)
    expect(
      (await transcript('session 9', of.picture([reading]), [], { explainWait: long })).length,
    ).toBeLessThan(1500)
  })

  it.each([
    [
      'REPACK t',
      { phase: 'writing new heap', share: 0.425 },
      'writing new heap; 42 % of the table read; nobody else reads or writes the table meanwhile.',
    ],
    ['VACUUM (FULL) t', null, 'nobody else reads or writes the table meanwhile.'],
    [
      'REPACK (CONCURRENTLY) t',
      { phase: 'catch-up', share: null },
      'catch-up; others read and write meanwhile, until its last step takes the AccessExclusiveLock.',
    ],
  ])('%s: says how far it is, and whom it keeps out', async (query, progress, words) => {
    const asked: number[] = []
    const rewriteProgress = async (pid: number) => {
      asked.push(pid)
      return progress
    }
    const said = await transcript('session 9', of.picture([of.session(9, { query })]), [], {
      rewriteProgress,
    })
    expect(said).toContain(`\n- Rewrites a table: ${words}\n`)
    expect(asked).toEqual([9])
  })

  it('asks how far it is of no other statement', async () => {
    const rewriteProgress = () => Promise.reject(new Error('nobody asked'))
    const said = await transcript('session 9', of.picture([of.session(9, { query: 'VACUUM t' })]), [], {
      rewriteProgress,
    })
    expect(said).not.toContain('Rewrites')
  })
})
