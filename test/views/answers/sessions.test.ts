import { describe, expect, it } from 'vitest'
import { transcript } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'

const root = of.idleInTransaction(4312, 305, {
  xactSeconds: 420,
  backendXid: '704312',
  query: 'UPDATE public.orders SET state = ? WHERE id = ?',
})
const queue: [number, number][] = [
  [4320, 130],
  [4321, 90],
  [4322, 10],
]
const victims = queue.map(([pid, seconds]) =>
  of.waiting(pid, seconds, { query: 'UPDATE orders SET total = ? WHERE id = ?' }),
)

describe('sessionsView', () => {
  it('says who blocks whom first, then what takes long, then totals', async () => {
    const sessions = [
      root,
      ...victims,
      of.waiting(4330, 4),
      of.session(5000, {
        stateSeconds: 7200,
        applicationName: 'report',
        usename: 'bi',
        waitEventType: 'IO',
        waitEvent: 'DataFileRead',
        query: 'SELECT count(*)\n  FROM everything',
      }),
      of.idleInTransaction(5001, 900, { applicationName: 'batch', query: 'SELECT ?' }),
      of.idle(5002, 4000, { applicationName: 'cron' }),
      of.session(5003),
      of.idle(5004, 3),
    ]
    const groups = [...of.rowQueue(4312, queue), ...of.rowQueue(-900, [[4330, 4]], 'public.payments', 2)]
    const picture = of.picture(sessions, of.locksRead(groups, { prepared: [of.prepared(900)] }))
    expect(await transcript('sessions', picture)).toMatchInlineSnapshot(`
      "Sessions on orders
      4 sessions wait behind 2 roots, the longest for 2 min 10 s.
      1 statement runs for longer than 1 h.
      1 session is idle in transaction for longer than 5 min.
      1 session is idle for longer than 30 min.
      blocks 3 | 4312 | web · shop · orders | idle in transaction for 5 min 5 s | 3 wait for 2 min 10 s: a row of public.orders | UPDATE public.orders SET state = ? WHERE id = ?
      blocks 1 | none | shop · orders | prepared transaction for 3 h | 1 waits for 4 s: a row of public.payments | gid payment-77
      long statement | 5000 | report · bi · orders | active for 2 h | IO/DataFileRead | SELECT count(*) FROM everything
      idle in transaction | 5001 | batch · shop · orders | idle in transaction for 15 min | SELECT ?
      long idle | 5002 | cron · shop · orders | idle for 1 h 6 min
      Best way out for web (4312): Terminate 4312 (web, idle in transaction for 5 min 5 s, what it wrote in 7 min is rolled back): 1 of 3 waiters proceeds at once, 2 follow one after the other. /pg terminate 4312 reason
      No way out from here for prepared transaction payment-77: No session to end: the prepared transaction 'payment-77' (shop, prepared 3 h ago) holds the lock. Ask whoever coordinates it; by hand, in database orders as shop or a superuser: ROLLBACK PREPARED 'payment-77';
      6 active · 2 idle · 2 idle in transaction · 4 waiting for a lock · 12 of 100 connections used (12 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('says plainly that there is no trouble, and shows the oldest that do something', async () => {
    const sessions = [
      of.session(1, { stateSeconds: 50 }),
      of.idle(2, 5),
      of.idleInTransaction(3, 20),
      of.session(4),
    ]
    expect(await transcript('sessions', of.picture(sessions))).toMatchInlineSnapshot(`
      "Sessions on orders
      Nobody waits for a lock, and nothing is past its threshold (statement 1 h, idle in transaction 5 min, idle 30 min). The oldest that do something:
      1 | web · shop · orders | active for 50 s
      3 | web · shop · orders | idle in transaction for 20 s
      4 | web · shop · orders | active for 1 s
      2 active · 1 idle · 1 idle in transaction · 0 waiting for a lock · 6 of 100 connections used (6 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('has at most twenty rows, and says for each kind how many more there are and how to see them', async () => {
    const many = <T>(n: number, make: (index: number) => T) =>
      Array.from({ length: n }, (_, index) => make(index))
    const sessions = [
      ...many(7, (i) => of.session(100 + i)),
      ...many(7, (i) => of.waiting(200 + i, 60 - i)),
      ...many(8, (i) => of.session(300 + i, { stateSeconds: 9000 - i, query: 'SELECT pg_sleep(?)' })),
      ...many(30, (i) => of.idleInTransaction(400 + i, 2000 - i)),
      ...many(40, (i) => of.idle(500 + i, 4000 - i)),
    ]
    const groups = many(7, (i) => of.rowQueue(100 + i, [[200 + i, 60 - i]], 'public.orders', i)).flat()
    expect(await transcript('sessions --user shop', of.picture(sessions, groups))).toMatchInlineSnapshot(`
      "Sessions on orders
      92 of 92 sessions match --user shop.
      7 roots with matching sessions: others wait, the longest for 1 min.
      8 statements run for longer than 1 h.
      30 sessions are idle in transaction for longer than 5 min.
      40 sessions are idle for longer than 30 min.
      94 of 100 connections are used (94 %); 3 are kept back for superusers and reserved roles, so 3 are left for everybody else. Most by web, user shop, 10.0.0.7 (92).
      blocks 1 | 100 | web · shop · orders | active for 1 s | 1 waits for 1 min: a row of public.orders
      blocks 1 | 101 | web · shop · orders | active for 1 s | 1 waits for 59 s: a row of public.orders
      blocks 1 | 102 | web · shop · orders | active for 1 s | 1 waits for 58 s: a row of public.orders
      blocks 1 | 103 | web · shop · orders | active for 1 s | 1 waits for 57 s: a row of public.orders
      blocks 1 | 104 | web · shop · orders | active for 1 s | 1 waits for 56 s: a row of public.orders
      long statement | 300 | web · shop · orders | active for 2 h 30 min | SELECT pg_sleep(?)
      long statement | 301 | web · shop · orders | active for 2 h 29 min | SELECT pg_sleep(?)
      long statement | 302 | web · shop · orders | active for 2 h 29 min | SELECT pg_sleep(?)
      long statement | 303 | web · shop · orders | active for 2 h 29 min | SELECT pg_sleep(?)
      long statement | 304 | web · shop · orders | active for 2 h 29 min | SELECT pg_sleep(?)
      idle in transaction | 400 | web · shop · orders | idle in transaction for 33 min
      idle in transaction | 401 | web · shop · orders | idle in transaction for 33 min
      idle in transaction | 402 | web · shop · orders | idle in transaction for 33 min
      idle in transaction | 403 | web · shop · orders | idle in transaction for 33 min
      idle in transaction | 404 | web · shop · orders | idle in transaction for 33 min
      long idle | 500 | web · shop · orders | idle for 1 h 6 min
      long idle | 501 | web · shop · orders | idle for 1 h 6 min
      long idle | 502 | web · shop · orders | idle for 1 h 6 min
      long idle | 503 | web · shop · orders | idle for 1 h 6 min
      long idle | 504 | web · shop · orders | idle for 1 h 6 min
      Best way out for web (100): Cancel 100 (web, running 1 s, it has written nothing, its answer is lost): the one waiter proceeds at once. /pg cancel 100 reason
      Best way out for web (101): Cancel 101 (web, running 1 s, it has written nothing, its answer is lost): the one waiter proceeds at once. /pg cancel 101 reason
      Best way out for web (102): Cancel 102 (web, running 1 s, it has written nothing, its answer is lost): the one waiter proceeds at once. /pg cancel 102 reason
      Best way out for web (103): Cancel 103 (web, running 1 s, it has written nothing, its answer is lost): the one waiter proceeds at once. /pg cancel 103 reason
      Best way out for web (104): Cancel 104 (web, running 1 s, it has written nothing, its answer is lost): the one waiter proceeds at once. /pg cancel 104 reason
      2 more roots: /pg blocking --user shop
      3 more long statements: /pg long --user shop
      25 more idle in transaction: /pg idle --user shop --state idle-in-transaction
      35 more idle: /pg idle --user shop --state idle
      22 active · 40 idle · 30 idle in transaction · 7 waiting for a lock · 94 of 100 connections used (94 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('keeps a jam where only a victim matches, and says what the filter leaves out', async () => {
    const sessions = [
      root,
      ...victims.map((one) => (one.pid === 4322 ? { ...one, applicationName: 'checkout' } : one)),
      of.idleInTransaction(10, 5, { applicationName: 'batch' }),
      of.waiting(11, 2, { applicationName: 'batch' }),
      of.idle(12, 1, { applicationName: 'Checkout 2' }),
    ]
    const groups = [...of.rowQueue(4312, queue), ...of.rowQueue(10, [[11, 2]], 'public.jobs', 2)]
    expect(await transcript('sessions --app checkout', of.picture(sessions, groups))).toMatchInlineSnapshot(`
      "Sessions on orders
      2 of 7 sessions match --app checkout. 1 root does not, see /pg blocking.
      1 root with matching sessions: others wait, the longest for 2 min 10 s.
      blocks 3 | 4312 | web · shop · orders | idle in transaction for 5 min 5 s | 3 wait for 2 min 10 s: a row of public.orders | UPDATE public.orders SET state = ? WHERE id = ?
      12 | Checkout 2 · shop · orders | idle for 1 s
      Best way out: Terminate 4312 (web, idle in transaction for 5 min 5 s, what it wrote in 7 min is rolled back): 1 of 3 waiters proceeds at once, 2 follow one after the other. /pg terminate 4312 reason
      4 active · 1 idle · 2 idle in transaction · 4 waiting for a lock · 9 of 100 connections used (9 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('names what there is when nothing matches', async () => {
    const sessions = [
      of.session(1),
      of.session(2, { datname: 'billing' }),
      of.session(3, { datname: 'billing' }),
    ]
    expect(await transcript('sessions --db bilings', of.picture(sessions))).toMatchInlineSnapshot(`
      "Sessions on orders
      0 of 3 sessions match --db bilings.
      Databases in use: billing (2), orders (1).
      3 active · 0 idle · 0 idle in transaction · 0 waiting for a lock · 5 of 100 connections used (5 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('says who holds the connections when they run out', async () => {
    const sessions = Array.from({ length: 9 }, (_, index) => of.idle(index + 1, 3))
    const picture = of.picture(sessions, { kind: 'none' }, { server: of.server({ maxConnections: 12 }) })
    expect(await transcript('sessions --state active', picture)).toMatchInlineSnapshot(`
      "Sessions on orders
      0 of 9 sessions match --state active.
      11 of 12 connections are used (92 %); 3 are kept back for superusers and reserved roles, so nobody else gets one. Most by web, user shop, 10.0.0.7 (9).
      0 active · 9 idle · 0 idle in transaction · 0 waiting for a lock · 11 of 12 connections used (92 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('in a lock storm shows what it sees, the suspects, and the last forest with its age', async () => {
    const picture = of.picture([root, ...victims, of.waiting(4323, 1), of.idleInTransaction(77, 2)], {
      kind: 'jammed',
      why: 'The lock manager is busy sorting out 5 sessions: roots follow.',
      last: of.lockTable(of.rowQueue(4312, queue.slice(0, 2))),
      lastTakenAt: of.takenAt - 40_000,
    })
    expect(await transcript('sessions', picture)).toMatchInlineSnapshot(`
      "Sessions on orders
      4 sessions wait for a lock, and who blocks them cannot be read. The lock manager is busy sorting out 5 sessions: roots follow. Who blocks whom is shown as it was 42 s ago, at 2026-03-01 02:59:20 UTC.
      2 sessions wait behind 1 root, the longest for 2 min 10 s.
      blocks 2 | 4312 | web · shop · orders | idle in transaction for 5 min 5 s | 2 wait for 2 min 10 s: a row of public.orders | UPDATE public.orders SET state = ? WHERE id = ?
      suspect | 77 | web · shop · orders | idle in transaction for 2 s
      Best way out: Terminate 4312 (web, idle in transaction for 5 min 5 s, what it wrote in 7 min is rolled back): 1 of 2 waiters proceeds at once, 1 follows. /pg terminate 4312 reason
      4 active · 0 idle · 2 idle in transaction · 4 waiting for a lock · 8 of 100 connections used (8 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('does not take blindness for calm', async () => {
    const picture = of.picture(
      [of.session(1, { state: null, stateSeconds: null })],
      { kind: 'none' },
      { server: of.server({ seesOthers: false }) },
    )
    expect(
      await transcript('sessions', picture, [], {
        missingPrivileges: async () => [
          {
            what: 'The role marshal does not see what other sessions do, so a calm picture means nothing.',
            fix: 'GRANT pg_monitor TO marshal;',
            needed: true,
          },
        ],
      }),
    ).toMatchInlineSnapshot(`
      "Sessions on orders
      pg-marshal may not see other sessions on orders, so this picture says nothing about them.
      The role marshal does not see what other sessions do, so a calm picture means nothing. GRANT pg_monitor TO marshal;
      How many sessions and connections there are is not to be seen. As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('shows a deadlock as sessions that wait for each other', async () => {
    const groups = [
      of.held(of.transaction('1'), 'ExclusiveLock', 10),
      of.held(of.transaction('2'), 'ExclusiveLock', 11),
      of.wanted(of.transaction('2'), 'ShareLock', [10, 0.4]),
      of.wanted(of.transaction('1'), 'ShareLock', [11, 0.2]),
    ]
    const picture = of.picture([of.waiting(10, 0.4, { query: 'UPDATE a' }), of.waiting(11, 0.2)], groups)
    expect(await transcript('sessions', picture)).toMatchInlineSnapshot(`
      "Sessions on orders
      2 sessions wait for each other, the longest for 400 ms.
      wait for each other | 10, 11 | web · shop · orders | deadlock or re-ordered queue, for 400 ms | UPDATE a
      2 active · 0 idle · 0 idle in transaction · 2 waiting for a lock · 4 of 100 connections used (4 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('does not say that nobody waits when somebody does', async () => {
    expect(await transcript('sessions', of.picture([of.waiting(10, 3)], []))).toMatchInlineSnapshot(`
      "Sessions on orders
      1 session waits for a lock, and who holds it was not to be seen in that moment: ask again.
      waits | 10 | web · shop · orders | active for 3 s | Lock/transactionid
      1 active · 0 idle · 0 idle in transaction · 1 waiting for a lock · 3 of 100 connections used (3 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('lets no name or statement speak to Slack', async () => {
    const hostile = '<!channel> *bold* <https://evil.example|ok>\u202egnp.exe\u0000\nSecond line & more'
    const long = `SELECT '${'<x>&'.repeat(2500)}'`
    const sessions = Array.from({ length: 40 }, (_, index) =>
      of.idleInTransaction(index + 1, 5000, {
        applicationName: hostile,
        usename: hostile,
        datname: hostile,
        query: long,
      }),
    )
    const waiters = Array.from({ length: 40 }, (_, index) =>
      of.waiting(100 + index, 9, { query: long, datname: hostile }),
    )
    const groups = waiters.flatMap(({ pid }, index) =>
      of.rowQueue(index + 1, [[pid, 9]], hostile.repeat(3), index),
    )
    for (const command of [
      'sessions',
      'blocking',
      'long --older 1s',
      'idle',
      'session 1',
      'session 100',
      `sessions --app "<!here>"`,
    ]) {
      const text = await transcript(command, of.picture([...sessions, ...waiters], groups), groups)
      for (const character of ['\u202e', '\u0000']) expect(text).not.toContain(character)
      expect(text.split('\n').filter((line) => line.startsWith('Second'))).toEqual([])
    }
    const [row] = (await transcript('sessions', of.picture([sessions[0] ?? root]))).split('\n').slice(2)
    expect(row).toMatchInlineSnapshot(
      `"idle in transaction | 1 | &lt;!channel&gt; *bold* &lt;https:… · &lt;!channel&gt; *bold* &lt;https:… · &lt;!channel&gt; *bold* &lt;ht… | idle in transaction for 1 h 23 min | SELECT '&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;&amp;&lt;x&gt;…"`,
    )
  })
})
