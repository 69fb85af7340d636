import { describe, expect, it } from 'vitest'
import type { LockGroup } from '../../../src/domain/session/snapshot.ts'
import { type Cluster, ClusterError, type RelationLocks } from '../../../src/postgres/cluster.ts'
import { ask, clusterConfig, pictureCluster, transcript, watching } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'

const body = async (...given: Parameters<typeof transcript>) =>
  (await transcript(...given)).split('\n').slice(0, -1).join('\n')

const orders = of.relation('orders')
const sessions = [
  of.idleInTransaction(10, 400, { applicationName: 'batch', xactSeconds: 500 }),
  of.waiting(11, 60, { waitEvent: 'relation', applicationName: 'migration' }),
  of.waiting(12, 50, { waitEvent: 'relation' }),
  of.session(20, { xactSeconds: 30 }),
  of.waiting(21, 20),
]
const contended: LockGroup[] = [
  of.held(orders, 'AccessShareLock', 10),
  of.held(orders, 'RowExclusiveLock', 10),
  of.wanted(orders, 'AccessExclusiveLock', [11, 60]),
  of.wanted(orders, 'AccessShareLock', [12, 50]),
  ...of.rowQueue(20, [[21, 20]], 'sales.invoices', 777),
]
const picture = of.picture(sessions, contended)
const jammed = (last: readonly LockGroup[] | null) =>
  of.picture(sessions, {
    kind: 'jammed',
    why: 'The lock manager is busy sorting out 40 sessions: roots follow.',
    last: last && of.lockTable(last),
    lastTakenAt: last && of.takenAt - 90_000,
  })

describe('/pg locks', () => {
  it('shows every lock that somebody waits for, longest wait first', async () => {
    expect(await transcript('locks', picture)).toMatchInlineSnapshot(`
      "Locks that somebody waits for on orders
      3 sessions wait for 2 locks, the longest for 1 min.
      orders | holds | 10 | RowExclusiveLock and 1 weaker | 8 min 20 s | batch · shop · orders, idle in transaction
      waits | 11 | AccessExclusiveLock | 1 min | migration · shop · orders, active
      waits | 12 | AccessShareLock | 50 s | web · shop · orders, active
      row of sales.invoices (transaction 700020) | holds | 20 | ExclusiveLock | 30 s | web · shop · orders, active
      waits | 21 | ShareLock | 20 s | web · shop · orders, active
      Age: of a holder’s transaction, of a waiter’s wait.
      Who is behind whom, and the way out: /pg blocking
      4 active · 0 idle · 1 idle in transaction · 3 waiting for a lock · 7 of 100 connections used (7 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('says so when nobody waits', async () => {
    expect(await body('locks', of.picture([of.session(1)]))).toMatchInlineSnapshot(`
      "Locks that somebody waits for on orders
      Nobody waits for a lock."
    `)
  })

  it('shows what was read last in a lock storm, with its age', async () => {
    expect(await body('locks', jammed(contended))).toMatchInlineSnapshot(`
      "Locks that somebody waits for on orders
      3 sessions wait for a lock, and who blocks them cannot be read. The lock manager is busy sorting out 40 sessions: roots follow. Who blocks whom is shown as it was 1 min 32 s ago, at 2026-03-01 02:58:30 UTC.
      3 sessions wait for 2 locks, the longest for 1 min.
      orders | holds | 10 | RowExclusiveLock and 1 weaker | 8 min 20 s | batch · shop · orders, idle in transaction
      waits | 11 | AccessExclusiveLock | 1 min | migration · shop · orders, active
      waits | 12 | AccessShareLock | 50 s | web · shop · orders, active
      row of sales.invoices (transaction 700020) | holds | 20 | ExclusiveLock | 30 s | web · shop · orders, active
      waits | 21 | ShareLock | 20 s | web · shop · orders, active
      Age: of a holder’s transaction, of a waiter’s wait.
      Who is behind whom, and the way out: /pg blocking"
    `)
    expect(await body('locks', jammed(null))).toMatchInlineSnapshot(`
      "Locks that somebody waits for on orders
      3 sessions wait for a lock, and who blocks them cannot be read. The lock manager is busy sorting out 40 sessions: roots follow. Who blocks whom was not read before."
    `)
  })

  it('keeps within what Slack takes: a long queue is counted, many locks are too', async () => {
    const queue = Array.from({ length: 500 }, (_, index) => of.waiting(1000 + index, 500 - index))
    const many = Array.from({ length: 30 }, (_, index) => [
      of.session(2000 + index),
      of.waiting(3000 + index, 10, { applicationName: 'x'.repeat(60), usename: 'y'.repeat(63) }),
    ])
    const groups = [
      ...of.rowQueue(
        10,
        queue.map(({ pid }, index) => [pid, 500 - index]),
        'orders',
        1,
      ),
      ...many.flatMap((_, index) =>
        of.rowQueue(2000 + index, [[3000 + index, 10]], `"${'Table '.repeat(10)}${index}"`, 5000 + index),
      ),
    ]
    const crowd = of.picture([of.session(10), ...queue, ...many.flat()], groups)
    const clusters = watching({ config: clusterConfig('orders'), cluster: pictureCluster(crowd) })
    const { view } = await ask('locks', clusters)
    // The first of a row queue waits for the transaction, and holds the row's own lock, which the others wait for.
    expect(view.text.split('\n')[1]).toBe('530 sessions wait for 32 locks, the longest for 8 min 20 s.')
    const blocks = JSON.stringify(view.blocks)
    expect(blocks).toContain('… 492 more wait')
    expect(blocks).toContain('20 more locks, for which 20 sessions wait.')
  })
})

describe('/pg locks PID', () => {
  it('shows every lock of a session and who waits because of it', async () => {
    const own = [
      of.held(orders, 'AccessShareLock', 10),
      of.held(orders, 'RowExclusiveLock', 10),
      of.held(of.relation('orders_pkey', 5), 'AccessShareLock', 10),
      of.held(of.transaction('900'), 'ExclusiveLock', 10),
    ]
    expect(await body('locks 10', picture, own)).toMatchInlineSnapshot(`
      "Locks of session 10 on orders
      10 (batch, user shop, database orders), idle in transaction for 6 min 40 s.
      It holds 3 locks, in a transaction that is open for 8 min 20 s. Others wait for 1 of them.
      holds | orders | RowExclusiveLock and 1 weaker | 1 waits for it: 11
      holds | orders_pkey | AccessShareLock
      holds | transaction 900 | ExclusiveLock
      Everything else about it: /pg session 10"
    `)
  })

  it('shows what it waits for, and behind whom', async () => {
    const own = [
      of.wanted(of.transaction('777'), 'ShareLock', [21, 20]),
      of.held(of.advisory(42), 'ExclusiveLock', 21),
    ]
    expect(await body('locks 21', picture, own)).toMatchInlineSnapshot(`
      "Locks of session 21 on orders
      21 (web, user shop, database orders), active for 20 s.
      It holds 1 lock and waits for 1 more, in a transaction that is open for 20 s.
      waits for | row of sales.invoices (transaction 777) | ShareLock | 20 s | behind 20
      holds | advisory lock 42 | ExclusiveLock
      Everything else about it: /pg session 21"
    `)
  })

  it('says so when there is no such session, or its locks cannot be read', async () => {
    expect(await body('locks 99', picture)).toMatchInlineSnapshot(`
      "Session 99 on orders
      There is no session 99 on orders (any more). /pg sessions shows those that are there."
    `)
    const busy = new ClusterError('No answer in time.', 'DEADLINE', true)
    expect(await body('locks 10', picture, busy)).toMatchInlineSnapshot(`
      "Locks of session 10 on orders
      10 (batch, user shop, database orders), idle in transaction for 6 min 40 s.
      Its locks were not read: No answer in time."
    `)
    expect(await body('locks 20', picture, [])).toContain('It holds no locks.')
  })

  it('shows what was read last in a lock storm', async () => {
    expect(await body('locks 12', jammed(contended))).toMatchInlineSnapshot(`
      "Locks of session 12 on orders
      3 sessions wait for a lock, and who blocks them cannot be read. The lock manager is busy sorting out 40 sessions: roots follow. Who blocks whom is shown as it was 1 min 32 s ago, at 2026-03-01 02:58:30 UTC.
      12 (web, user shop, database orders), active for 50 s.
      orders | holds | 10 | RowExclusiveLock and 1 weaker | 8 min 20 s | batch · shop · orders, idle in transaction
      waits | 11 | AccessExclusiveLock | 1 min | migration · shop · orders, active
      waits | 12 | AccessShareLock | 50 s | web · shop · orders, active
      Age: of a holder’s transaction, of a waiter’s wait."
    `)
    expect(await body('locks 99', jammed(contended))).toContain('There is no session 99')
    const bystander = [...sessions, of.session(30)]
    expect(
      await body('locks 30', {
        ...jammed(contended),
        snapshot: { ...jammed(contended).snapshot, sessions: bystander },
      }),
    ).toMatchInlineSnapshot(`
      "Locks of session 30 on orders
      3 sessions wait for a lock, and who blocks them cannot be read. The lock manager is busy sorting out 40 sessions: roots follow. Who blocks whom is shown as it was 1 min 32 s ago, at 2026-03-01 02:58:30 UTC.
      30 (web, user shop, database orders), active for 1 s.
      When the locks were read last, nobody waited for a lock there. Who holds locks without anybody waiting is not read in a lock storm."
    `)
  })
})

describe('/pg locks RELATION', () => {
  const locksOn = (locks: RelationLocks): Partial<Cluster> => ({
    locksOn: async () => ({ ...locks, database: 'orders' }),
  })
  const asked = (name: string, over = {}) => ({
    oid: 1,
    name,
    kind: 'r',
    isAsked: true,
    parent: null,
    ...over,
  })
  const part = (groups: readonly LockGroup[]) => of.lockTable(groups)

  it('shows everybody who holds a lock there, fast-path locks too, and waits', async () => {
    const found = locksOn({
      kind: 'found',
      relations: [asked('orders')],
      cut: false,
      locks: part([...contended.slice(0, 4), of.held(orders, 'AccessShareLock', 20)]),
    })
    expect(await body('locks orders', picture, [], found)).toMatchInlineSnapshot(`
      "Locks of relation orders on orders
      2 sessions hold a lock there, 2 wait.
      orders | holds | 10 | RowExclusiveLock and 1 weaker | 8 min 20 s | batch · shop · orders, idle in transaction
      holds | 20 | AccessShareLock | 30 s | web · shop · orders, active
      waits | 11 | AccessExclusiveLock | 1 min | migration · shop · orders, active
      waits | 12 | AccessShareLock | 50 s | web · shop · orders, active
      Age: of a holder’s transaction, of a waiter’s wait."
    `)
  })

  it('shows those who wait for a row of it', async () => {
    const invoices = of.relation('sales.invoices', 7)
    const found = locksOn({
      kind: 'found',
      relations: [asked('sales.invoices')],
      cut: false,
      locks: part([of.held(invoices, 'RowExclusiveLock', 20, 21)]),
    })
    expect(await body('locks sales.invoices', picture, [], found)).toMatchInlineSnapshot(`
      "Locks of relation sales.invoices on orders
      2 sessions hold a lock there, 1 waits.
      row of sales.invoices (transaction 700020) | holds | 20 | ExclusiveLock | 30 s | web · shop · orders, active
      waits | 21 | ShareLock | 20 s | web · shop · orders, active
      sales.invoices | holds | 20 | RowExclusiveLock | 30 s | web · shop · orders, active
      holds | 21 | RowExclusiveLock | 20 s | web · shop · orders, active
      Age: of a holder’s transaction, of a waiter’s wait."
    `)
  })

  it('says what the name stands for: several schemas, partitions', async () => {
    const several = locksOn({
      kind: 'found',
      relations: [
        asked('orders'),
        asked('archive.orders', { oid: 2 }),
        asked('orders_2025', { oid: 3, isAsked: false, parent: 'orders' }),
      ],
      cut: false,
      locks: part([]),
    })
    expect(await body('locks orders', picture, [], several)).toMatchInlineSnapshot(`
      "Locks of relation orders on orders
      2 relations of the database orders have this name; these are the locks on all of them: orders and archive.orders. For one alone write its schema, as /pg locks public.orders.
      With 1 partition or table that belongs to orders; a lock on one of them is marked as such.
      Nobody holds a lock on it or waits for one."
    `)
    const partition = locksOn({
      kind: 'found',
      relations: [asked('events_1', { parent: 'events' })],
      cut: false,
      locks: part([]),
    })
    expect(await body('locks events_1', picture, [], partition)).toMatchInlineSnapshot(`
      "Locks of relation events_1 on orders
      It is a partition of events: /pg locks events shows the locks on the whole.
      Nobody holds a lock on it or waits for one."
    `)
  })

  it('says which database names are known of, and what may have been meant', async () => {
    const known = [
      { schema: 'public', name: 'orders' },
      { schema: 'sales', name: 'Order Items' },
    ]
    const unknown = locksOn({ kind: 'unknown', known })
    expect(await body('locks ordrs', picture, [], unknown)).toMatchInlineSnapshot(`
      "Locks of relation ordrs on orders
      There is no relation ordrs in the database orders. Names are known only of the database that pg-marshal is connected to. Did you mean /pg locks orders?
      In every database: /pg locks shows the locks that somebody waits for."
    `)
    expect(await body('locks sales.orders', picture, [], unknown)).toContain('Did you mean /pg locks orders?')
    expect(await body('locks sales."Order Itms"', picture, [], unknown)).toContain(
      'Did you mean /pg locks sales."Order Items"?',
    )
    expect(await body('locks nothing_like_it', picture, [], unknown)).not.toContain('Did you mean')
  })

  it('does not ask in a lock storm, and shows what was read last', async () => {
    expect(await body('locks orders', jammed(contended))).toMatchInlineSnapshot(`
      "Locks of relation orders on orders
      3 sessions wait for a lock, and who blocks them cannot be read. The lock manager is busy sorting out 40 sessions: roots follow. Who blocks whom is shown as it was 1 min 32 s ago, at 2026-03-01 02:58:30 UTC.
      orders | holds | 10 | RowExclusiveLock and 1 weaker | 8 min 20 s | batch · shop · orders, idle in transaction
      waits | 11 | AccessExclusiveLock | 1 min | migration · shop · orders, active
      waits | 12 | AccessShareLock | 50 s | web · shop · orders, active
      Age: of a holder’s transaction, of a waiter’s wait."
    `)
    expect(await body('locks archive.orders', jammed(contended))).toContain('nobody waited for a lock there')
  })

  it('says why the locks cannot be read', async () => {
    const locked: Partial<Cluster> = {
      locksOn: async () => {
        throw new ClusterError('A catalog is locked, so the query gave up instead of waiting.', '55P03', true)
      },
    }
    expect(await body('locks orders', picture, [], locked)).toMatchInlineSnapshot(`
      "Locks of relation orders on orders
      The locks were not read: A catalog is locked, so the query gave up instead of waiting."
    `)
  })
})
