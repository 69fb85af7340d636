import { describe, expect, it } from 'vitest'
import { transcript } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'
import { startCpu } from '../../support/cpu.ts'

const root = of.idleInTransaction(4312, 305, { query: 'UPDATE public.orders SET state = ? WHERE id = ?' })

/** Without the lines that every answer ends with. */
const tree = async (...given: Parameters<typeof transcript>) =>
  (await transcript(...given)).split('\n').slice(1, -1).join('\n')

describe('blockingView', () => {
  it('says who is logging in, for whom there is no name', async () => {
    const catalog = of.relation('pg_authid', 1260)
    const starting = { state: 'starting', usename: null, datname: null, applicationName: '' } as const
    const groups = [
      of.held(catalog, 'AccessExclusiveLock', 4312),
      of.wanted(catalog, 'AccessShareLock', [1, 9], [2, 8], [3, 7]),
    ]
    const sessions = [root, of.waiting(1, 9, starting), of.waiting(2, 8, starting), of.waiting(3, 7)]
    const told = await tree('blocking', of.picture(sessions, groups))
    expect(told).toMatch(/^3 sessions wait behind 1 root \(2 that are logging in\)\.$/m)
    expect(told).toMatch(/└─ 1 · waits 9 s · .* · logging in$/m)
    expect(await transcript('sessions', of.picture(sessions, groups))).toContain(
      '3 sessions wait behind 1 root (2 that are logging in), the longest for 9 s.',
    )
  })

  it('draws who waits behind whom', async () => {
    const sessions = [
      root,
      of.waiting(4320, 130, {
        query: 'UPDATE orders SET total = ?\nWHERE id = ?',
        applicationName: 'checkout',
      }),
      of.waiting(4321, 90),
      of.session(5000, { stateSeconds: 40 }),
      of.waiting(5001, 30, { query: 'ALTER TABLE items ADD note text', applicationName: 'migrate' }),
      of.waiting(5002, 20, { query: 'SELECT FROM items' }),
    ]
    const groups = [
      ...of.rowQueue(4312, [
        [4320, 130],
        [4321, 90],
      ]),
      of.held(of.relation('public.items', 7), 'AccessShareLock', 5000),
      of.wanted(of.relation('public.items', 7), 'AccessExclusiveLock', [5001, 30]),
      of.wanted(of.relation('public.items', 7), 'AccessShareLock', [5002, 20]),
    ]
    expect(await transcript('blocking', of.picture(sessions, groups))).toMatchInlineSnapshot(`
      "Who blocks whom on orders
      4 sessions wait behind 2 roots.
      4312 · idle in transaction for 5 min 5 s · blocks 2, longest 2 min 10 s · web · shop · orders
           last: UPDATE public.orders SET state = ? WHERE id = ?
      └─ 4320 · waits 2 min 10 s · a row of public.orders · checkout · shop · orders · UPDATE orders SET total = ? WHERE id = ?
         └─ 4321 · waits 1 min 30 s · a row of public.orders · web · shop · orders
      5000 · active for 40 s · blocks 2, longest 30 s · web · shop · orders
      └─ 5001 · waits 30 s · AccessExclusiveLock on public.items · migrate · shop · orders · ALTER TABLE items ADD note text
         └─ 5002 · waits 20 s · AccessShareLock on public.items · web · shop · orders · SELECT FROM items
      - Best way out for web (4312): Terminate 4312 (web, idle in transaction for 5 min 5 s, it has written nothing): 1 of 2 waiters proceeds at once, 1 follows. /pg terminate 4312 reason
      - Best way out for web (5000): Cancel 5001 (ALTER TABLE, waiting 30 s, nothing done is lost): 1 of 2 waiters proceeds at once; 5000 (web, running 40 s) may finish. /pg cancel 5001 reason
      - Other way out: Cancel 5000 (web, running 40 s, it has written nothing, its answer is lost): 1 of 2 waiters proceeds at once, 1 follows.
      5 active · 0 idle · 1 idle in transaction · 4 waiting for a lock · 8 of 100 connections used (8 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('keeps a queue of 200 one level deep and counts those without a line', async () => {
    const queue = Array.from({ length: 200 }, (_, index): [number, number] => [1000 + index, 300 - index])
    const sessions = [root, ...queue.map(([pid, seconds]) => of.waiting(pid, seconds))]
    const text = await tree('blocking', of.picture(sessions, of.rowQueue(4312, queue)))
    const lines = text.split('\n')
    expect(lines.length).toBeLessThanOrEqual(43)
    expect([...lines.slice(0, 6), ...lines.slice(-2)].join('\n')).toMatchInlineSnapshot(`
      "200 sessions wait behind 1 root.
      4312 · idle in transaction for 5 min 5 s · blocks 200, longest 5 min · web · shop · orders
           last: UPDATE public.orders SET state = ? WHERE id = ?
      └─ 1000 · waits 5 min · a row of public.orders · web · shop · orders
         └─ 1001 · waits 4 min 59 s · a row of public.orders · web · shop · orders
         └─ 1002 · waits 4 min 58 s · a row of public.orders · web · shop · orders
         … 162 more wait behind 4312
      - Best way out: Terminate 4312 (web, idle in transaction for 5 min 5 s, it has written nothing): 1 of 200 waiters proceeds at once, 199 follow one after the other. /pg terminate 4312 reason"
    `)
  })

  it('shows the victims of many readers once', async () => {
    const readers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    const at = of.relation('public.items', 7)
    const sessions = [...readers.map((pid) => of.session(pid)), of.waiting(20, 9), of.waiting(21, 8)]
    const groups = [
      of.held(at, 'AccessShareLock', ...readers),
      of.wanted(at, 'AccessExclusiveLock', [20, 9]),
      of.wanted(at, 'RowExclusiveLock', [21, 8]),
    ]
    expect(await tree('blocking', of.picture(sessions, groups))).toMatchInlineSnapshot(`
      "2 sessions wait behind 10 roots.
      1 · active for 1 s · blocks 2, longest 9 s · web · shop · orders
      └─ 20 · waits 9 s · AccessExclusiveLock on public.items · web · shop · orders
         └─ 21 · waits 8 s · RowExclusiveLock on public.items · web · shop · orders
      2 · active for 1 s · blocks 2, longest 9 s · web · shop · orders · they stand above
      3 · active for 1 s · blocks 2, longest 9 s · web · shop · orders · they stand above
      4 · active for 1 s · blocks 2, longest 9 s · web · shop · orders · they stand above
      5 · active for 1 s · blocks 2, longest 9 s · web · shop · orders · they stand above
      6 · active for 1 s · blocks 2, longest 9 s · web · shop · orders · they stand above
      7 · active for 1 s · blocks 2, longest 9 s · web · shop · orders · they stand above
      8 · active for 1 s · blocks 2, longest 9 s · web · shop · orders · they stand above
      - Best way out: Cancel 20 (asks for AccessExclusiveLock on public.items, waiting 9 s, nothing done is lost): 1 of 2 waiters proceeds at once; 1 (web, running 1 s), 2 (web, running 1 s) and 8 more may finish. /pg cancel 20 reason
      2 more roots with no more waiters: narrow it with --db, --user or --app."
    `)
  })

  it('stops moving to the right in a long chain', async () => {
    const pids = Array.from({ length: 9 }, (_, index) => index + 1)
    const sessions = pids.map((pid) => (pid === 1 ? of.session(pid) : of.waiting(pid, 100 - pid)))
    const groups = pids.slice(1).flatMap((pid) => of.rowQueue(pid - 1, [[pid, 100 - pid]], 'public.t', pid))
    expect(await tree('blocking', of.picture(sessions, groups))).toMatchInlineSnapshot(`
      "8 sessions wait behind 1 root.
      1 · active for 1 s · blocks 8, longest 1 min 38 s · web · shop · orders
      └─ 2 · waits 1 min 38 s · a row of public.t · web · shop · orders
         └─ 3 · waits 1 min 37 s · a row of public.t · web · shop · orders
            └─ 4 · waits 1 min 36 s · a row of public.t · web · shop · orders
               └─ 5 · waits 1 min 35 s · a row of public.t · web · shop · orders
                  └─ 6 · waits 1 min 34 s · a row of public.t · web · shop · orders
                     └─ 7 · waits 1 min 33 s · a row of public.t · web · shop · orders
                     └─ 8 · waits 1 min 32 s behind 7 · a row of public.t · web · shop · orders
                     └─ 9 · waits 1 min 31 s behind 8 · a row of public.t · web · shop · orders
      - Best way out: Cancel 2 (asks for ShareLock on public.t, waiting 1 min 38 s, nothing done is lost): 1 of 8 waiters proceeds at once, 6 follow one after the other; 1 (web, running 1 s) may finish. /pg cancel 2 reason
      - Other way out: Cancel 3 (asks for ShareLock on public.t, waiting 1 min 37 s, nothing done is lost): 1 of 8 waiters proceeds at once, 5 follow one after the other, 1 stays blocked by 1 (web, running 1 s).
      - Other way out: Cancel 1 (web, running 1 s, it has written nothing, its answer is lost): 1 of 8 waiters proceeds at once, 7 follow one after the other."
    `)
  })

  it('says how to end a prepared transaction by hand', async () => {
    const picture = of.picture(
      [of.waiting(10, 60), of.waiting(11, 5)],
      of.locksRead([...of.rowQueue(-900, [[10, 60]]), ...of.rowQueue(-901, [[11, 5]], 'public.items', 2)], {
        prepared: [
          of.prepared(900, { gid: "it's\\one" }),
          of.prepared(901, { gid: 'a\u202eb', database: 'billing' }),
        ],
      }),
    )
    expect(await tree('blocking', picture)).toMatchInlineSnapshot(`
      "2 sessions wait behind 2 roots.
      prepared transaction it's\\one · blocks 1, longest 1 min · shop · orders · prepared 3 h ago
      └─ 10 · waits 1 min · a row of public.orders · web · shop · orders
      prepared transaction ab · blocks 1, longest 5 s · shop · billing · prepared 3 h ago
      └─ 11 · waits 5 s · a row of public.items · web · shop · orders
      To end the prepared transaction by hand, connected to orders as shop or a superuser: ROLLBACK PREPARED E'it''s\\\\one'; (or COMMIT PREPARED: ask whose it is).
      To end the prepared transaction by hand, connected to billing as shop or a superuser: ROLLBACK PREPARED E'a\\u202eb'; (or COMMIT PREPARED: ask whose it is)."
    `)
  })

  it('shows a deadlock and who waits behind it', async () => {
    const groups = [
      of.held(of.transaction('1'), 'ExclusiveLock', 10),
      of.held(of.transaction('2'), 'ExclusiveLock', 11),
      of.wanted(of.transaction('2'), 'ShareLock', [10, 0.4]),
      of.wanted(of.transaction('1'), 'ShareLock', [11, 0.2]),
      of.held(of.relation('public.t'), 'ExclusiveLock', 10),
      of.wanted(of.relation('public.t'), 'ExclusiveLock', [12, 0.1]),
    ]
    const sessions = [of.waiting(10, 0.4, { query: 'UPDATE a' }), of.waiting(11, 0.2), of.waiting(12, 0.1)]
    expect(await tree('blocking', of.picture(sessions, groups))).toMatchInlineSnapshot(`
      "3 sessions wait behind 1 jam.
      10 ⇄ 11 wait for each other: a deadlock that PostgreSQL ends by itself (deadlock_timeout), or a re-ordered queue
        10 · waits 400 ms for the end of transaction 2 · behind 11 · web · shop · orders · UPDATE a
        11 · waits 200 ms for the end of transaction 1 · behind 10 · web · shop · orders
      └─ 12 · waits 100 ms · ExclusiveLock on public.t · web · shop · orders
      - No way out from here: 10, 11 wait for each other: the server ends such a deadlock by itself, after deadlock_timeout.
      - Other way out: Cancel 10 (UPDATE, waiting 400 ms, nothing done is lost): 2 of 3 waiters proceed at once.
      - Other way out: Cancel 11 (asks for ShareLock, waiting 200 ms, nothing done is lost): 1 of 3 waiters proceeds at once, 1 follows."
    `)
  })

  it('names suspects while the locks cannot be read: sessions of clients', async () => {
    const walsender = { ...of.serverProcess(3, 'walsender'), state: 'idle in transaction', xactSeconds: 9999 }
    const picture = of.picture([root, of.waiting(1, 2), of.idle(2, 9), walsender], {
      kind: 'jammed',
      why: 'The lock table did not answer within 1 s.',
      last: null,
      lastTakenAt: null,
    })
    expect(await tree('blocking', picture)).toMatchInlineSnapshot(`
      "1 session waits for a lock, and who blocks them cannot be read. The lock table did not answer within 1 s. Who blocks whom was not read before.
      Suspect 4312: web · shop · orders · idle in transaction for 5 min 5 s"
    `)
  })

  it('says so when nobody waits, or nobody who matches', async () => {
    const sessions = [root, of.waiting(1, 3)]
    const groups = of.rowQueue(4312, [[1, 3]])
    expect(await tree('blocking', of.picture([root]))).toBe('Nobody waits for a lock.')
    expect(await tree('blocking', of.picture([of.waiting(1, 3)], []))).toMatchInlineSnapshot(
      `"1 session waits for a lock, but who holds it was not to be seen in that moment: ask again."`,
    )
    expect(await tree('blocking --app nobody', of.picture(sessions, groups))).toMatchInlineSnapshot(`
      "Nobody who matches --app nobody blocks others or waits.
      1 root does not match --app nobody: /pg blocking"
    `)
  })

  it('keeps within the limits at its largest', async () => {
    const name = 'n'.repeat(63)
    const names = { applicationName: name, usename: name, datname: name, query: 'x'.repeat(500) }
    const sessions = Array.from({ length: 300 }, (_, index) =>
      index < 20 ? of.session(index + 1, names) : of.waiting(index + 1, 5, names),
    )
    const groups = Array.from({ length: 20 }, (_, index) =>
      of.rowQueue(
        index + 1,
        Array.from({ length: 14 }, (_, victim): [number, number] => [21 + index * 14 + victim, 5]),
        `${name}.${name}`,
        index,
      ),
    ).flat()
    const text = await tree('blocking', of.picture(sessions, groups))
    expect(text.split('\n').at(-1)).toMatch(/more/)
  })

  it('is laid out in time at 2,000 waiters', async () => {
    const queue = Array.from({ length: 2000 }, (_, index): [number, number] => [
      10_000 + index,
      300 - index / 10,
    ])
    const sessions = [root, ...queue.map(([pid, seconds]) => of.waiting(pid, seconds))]
    const picture = of.picture(sessions, of.rowQueue(4312, queue))
    const cpu = startCpu()
    for (const command of ['sessions', 'blocking', 'long', 'session 4312', 'session 11000'])
      await tree(command, picture)
    expect(cpu()).toBeLessThan(1500)
  })

  it('shows a way out of two who must end together once', async () => {
    const at = of.relation('public.orders')
    const readers = [of.idleInTransaction(1, 60), of.idleInTransaction(2, 60)]
    const picture = of.picture(
      [...readers, of.waiting(3, 40)],
      [of.held(at, 'AccessShareLock', 1, 2), of.wanted(at, 'AccessExclusiveLock', [3, 40])],
    )
    const told = (await transcript('blocking', picture))
      .split('\n')
      .filter((line) => line.includes('way out'))
    expect(told).toEqual([
      expect.stringMatching(/Terminate 1 .* and terminate 2 .*: the one waiter proceeds/),
    ])
  })
})

describe('waiters that are alike', () => {
  const at = of.relation('public.customers', 9)
  const many = (n: number, over: (index: number) => object) =>
    Array.from({ length: n }, (_, index) => of.waiting(100 + index, 9, over(index)))
  const shown = (waiters: readonly ReturnType<typeof of.waiting>[]) =>
    tree(
      'blocking',
      of.picture(
        [root, of.waiting(50, 10, { query: 'ALTER TABLE customers ADD note text' }), ...waiters],
        [
          of.held(at, 'AccessShareLock', 4312),
          of.wanted(at, 'AccessExclusiveLock', [50, 10]),
          of.wanted(at, 'AccessShareLock', ...waiters.map(({ pid }): [number, number] => [pid, 9])),
        ],
      ),
    )

  it.each([3, 10, 2000])('share a line: %i of them', async (n) => {
    const query = 'SELECT * FROM customers WHERE id = ?'
    const told = await shown(many(n, (index) => ({ query, applicationName: `shop-${index + 1}` })))
    expect(told).toContain(
      `   └─ ${n} × shop-1 … shop-${n} · ${query} · AccessShareLock on public.customers · 9 s\n`,
    )
    expect(told).not.toContain('more wait')
  })

  it('share it by the id of their statement where its text is hidden', async () => {
    const hidden = (queryId: string | null) =>
      shown(many(4, () => ({ query: null, queryId, applicationName: 'shop' })))
    expect(await hidden('77')).toContain('└─ 4 × shop · AccessShareLock on public.customers · 9 s')
    expect(await hidden(null)).not.toContain('×')
  })

  it('are on their own lines where their statements differ, whatever their names', async () => {
    const told = await shown(
      many(4, (index) => ({ query: `SELECT ${'?, '.repeat(index)}?`, applicationName: 'a\n└─ b' })),
    )
    expect(told).not.toContain('×')
    expect(told.match(/└─ 10\d · waits/g)).toHaveLength(4)
  })
})
