import { describe, expect, it } from 'vitest'
import { ask, clusterConfig, pictureCluster, transcript, watching } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'

const withoutTotals = async (...given: Parameters<typeof transcript>) =>
  (await transcript(...given)).split('\n').slice(0, -1).join('\n')

const sessions = [
  of.session(10, { stateSeconds: 9000, applicationName: 'report', query: 'SELECT ? FROM facts' }),
  of.waiting(11, 8000, { waitEvent: 'relation' }),
  of.session(12, { stateSeconds: 2, xactSeconds: 5000, query: 'INSERT INTO t VALUES (?)' }),
  of.session(13, { stateSeconds: 60 }),
  of.idleInTransaction(20, 400, { applicationName: 'batch' }),
  of.idleInTransaction(21, 100, { state: 'idle in transaction (aborted)' }),
  of.idle(30, 3000),
  of.idle(31, 100),
]
const locks = [
  of.held(of.relation('public.t'), 'AccessShareLock', 10),
  of.wanted(of.relation('public.t'), 'AccessExclusiveLock', [11, 8000]),
]
const picture = of.picture(sessions, locks)

describe('listView', () => {
  it('shows what runs long: statements, transactions, and those that only wait', async () => {
    expect(await withoutTotals('long', picture)).toMatchInlineSnapshot(`
      "Long-running sessions on orders
      3 active sessions with a statement or transaction older than 1 h, 1 of them waiting for a lock.
      10 | report · shop · orders | active for 2 h 30 min | blocks 1 | SELECT ? FROM facts
      12 | web · shop · orders | active for 2 s | transaction open for 1 h 23 min | INSERT INTO t VALUES (?)
      11 | web · shop · orders | active for 2 h 13 min | waits 2 h 13 min for AccessExclusiveLock on public.t, behind 10"
    `)
  })

  it('shows what works before a crowd that waits, and says how many wait', async () => {
    const crowd = Array.from({ length: 25 }, (_, index) => of.waiting(index + 100, 9000))
    const query = of.session(50, { stateSeconds: 4000, applicationName: 'facts' })
    const queue = of.rowQueue(
      20,
      crowd.map(({ pid }) => [pid, 9000]),
    )
    const lines = (
      await withoutTotals('long', of.picture([of.idleInTransaction(20, 9100), ...crowd, query], queue))
    ).split('\n')
    expect(lines[1]).toBe(
      '26 active sessions with a statement or transaction older than 1 h, 25 of them waiting for a lock.',
    )
    expect(lines[2]).toMatch(/^50 \| facts/)
    const told = async (...these: Parameters<typeof of.picture>) =>
      (await withoutTotals('long', of.picture(...these))).split('\n')[1]
    expect(await told([of.idleInTransaction(20, 9100), ...crowd.slice(0, 2)], queue)).toContain(
      ', all of them waiting for a lock.',
    )
    expect(await told([of.idleInTransaction(20, 9100), ...crowd.slice(0, 1)], queue)).toContain(
      ', which waits for a lock.',
    )
    // Nothing is past the limit: the oldest are the oldest, whatever they do.
    const young = [of.waiting(100, 90), of.session(50, { stateSeconds: 5 })]
    expect((await withoutTotals('long', of.picture(young))).split('\n')[2]).toMatch(/^100 /)
  })

  it('keeps numbers and units together, but for statements', async () => {
    const query = of.session(50, { stateSeconds: 7200, query: 'SELECT 5 s' })
    const { view } = await ask(
      'long',
      watching({ config: clusterConfig('orders'), cluster: pictureCluster(of.picture([query]), []) }),
    )
    const blocks = JSON.stringify(view.blocks)
    expect(blocks).toContain('active for 2\u00a0h')
    expect(blocks).toContain('SELECT 5 s')
    expect(view.text).toContain('active for 2 h')
  })

  it('names a prepared transaction that others wait behind', async () => {
    const locks = of.locksRead(of.rowQueue(-700, [[100, 9000]]), { prepared: [of.prepared(700)] })
    expect(await withoutTotals('long', of.picture([of.waiting(100, 9000)], locks))).toContain(
      'behind a prepared transaction',
    )
  })

  it('shows the oldest when nothing is past the threshold', async () => {
    expect(
      await withoutTotals('long', of.picture([of.session(13, { stateSeconds: 60 })])),
    ).toMatchInlineSnapshot(`
      "Long-running sessions on orders
      No active session with a statement or transaction older than 1 h. The oldest:
      13 | web · shop · orders | active for 1 min"
    `)
    expect(await withoutTotals('long', of.picture([]))).toMatchInlineSnapshot(`
      "Long-running sessions on orders
      No active session with a statement or transaction older than 1 h."
    `)
  })

  it('takes --older in the place of the threshold', async () => {
    expect(await withoutTotals('long --older 2h', picture)).toMatchInlineSnapshot(`
      "Long-running sessions on orders
      2 active sessions with a statement or transaction older than 2 h, 1 of them waiting for a lock.
      10 | report · shop · orders | active for 2 h 30 min | blocks 1 | SELECT ? FROM facts
      11 | web · shop · orders | active for 2 h 13 min | waits 2 h 13 min for AccessExclusiveLock on public.t, behind 10"
    `)
    expect(await withoutTotals('long --older 9h --app report', picture)).toMatchInlineSnapshot(`
      "Long-running sessions on orders
      No active session with a statement or transaction older than 9 h (--app report)."
    `)
  })

  it('shows who is idle in a transaction before who is idle', async () => {
    expect(await withoutTotals('idle', picture)).toMatchInlineSnapshot(`
      "Idle sessions on orders
      2 sessions idle in transaction for more than 5 min, or idle for more than 30 min.
      20 | batch · shop · orders | idle in transaction for 6 min 40 s
      30 | web · shop · orders | idle for 50 min"
    `)
    expect(await withoutTotals('idle --older 1m --app web', picture)).toMatchInlineSnapshot(`
      "Idle sessions on orders
      3 sessions idle, in a transaction or not, for more than 1 min (--app web).
      21 | web · shop · orders | idle in transaction (aborted) for 1 min 40 s
      30 | web · shop · orders | idle for 50 min
      31 | web · shop · orders | idle for 1 min 40 s"
    `)
  })

  it('says how many more there are and how to narrow it', async () => {
    const many = Array.from({ length: 50 }, (_, index) =>
      of.idle(index + 1, 5000 - index, { applicationName: index % 3 === 0 ? 'cron' : 'web' }),
    )
    const lines = (await withoutTotals('idle --db orders', of.picture(many))).split('\n')
    expect([lines[1], lines.length, lines.at(-1)]).toMatchInlineSnapshot(`
      [
        "50 sessions idle in transaction for more than 5 min, or idle for more than 30 min (--db orders).",
        23,
        "30 more: narrow it with --user, --app, --state and --older (20 of them: --app web).",
      ]
    `)
  })
})
