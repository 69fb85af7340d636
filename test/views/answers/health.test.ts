import { describe, expect, it } from 'vitest'
import { findings } from '../../../src/domain/incidents/finding.ts'
import { recommendationsFor } from '../../../src/domain/incidents/recommend.ts'
import type { Health } from '../../../src/domain/session/health.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import { cardView } from '../../../src/views/card/card.ts'
import { detailsModal } from '../../../src/views/card/details.ts'
import { checkView, transcript } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'
import { told } from '../../support/render.ts'

const million = 1_000_000
const gigabyte = 2 ** 30

/** The card of the first finding. */
function cardOf(
  health: Partial<Health>,
  sessions: readonly Session[] = [],
  locks?: Parameters<typeof of.picture>[1],
) {
  const picture = of.picture(sessions, locks, { health: of.health(health) })
  const [finding] = findings(picture.snapshot, picture.forest, of.thresholds)
  if (!finding) throw new Error('nothing found')
  const recommendation = recommendationsFor(picture, { protectedSessions: [] })(finding)
  const incident = of.incident({ finding, recommendation })
  const card = {
    cluster: 'orders',
    incident,
    proposals: [],
    people: { cancel: 1, terminate: 2 },
    approvers: [],
    secondFactor: { cancel: false, terminate: false },
    breakGlass: false,
    silence: null,
  }
  const view = cardView(card)
  checkView(view)
  const details = detailsModal({ locks: null, wait: null, card, history: [], sql: null, now: of.takenAt })
  return `${told(view.blocks)}\n\n${told(details.blocks.slice(1, -3))}`
}

const participants = [
  of.waiting(41, 1, { applicationName: 'transfer-a' }),
  of.waiting(42, 1, { applicationName: 'transfer-b' }),
]
const report = {
  at: '2026-03-01 02:58:11.042 UTC',
  database: 'orders',
  user: 'shop',
  applicationName: 'transfer-a',
  pid: 41,
  pids: [41, 42],
  statement: 'UPDATE accounts SET balance = ? WHERE id = ?',
}
const deadlocks = {
  database: 'orders',
  count: 3,
  since: of.takenAt - 200_000,
  lastAt: of.takenAt - 20_000,
  participants,
  reports: [report],
}

describe('a card', () => {
  it('of deadlocks names who was seen and what the log says', () => {
    expect(cardOf({ deadlocks: [deadlocks] })).toMatchInlineSnapshot(`
      "🟠 3 deadlocks in database orders on orders
      Next: let the applications take their rows in one order, and repeat a transaction that fails with 40P01.
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b

      The server broke 3 deadlocks in database orders: each time one statement ended with an error.
      When: after (time), the last before (time).
      Seen waiting for each other: 41 (transfer-a, user shop, database orders) and 42 (transfer-b, user shop, database orders).
      In the log: 2026-03-01 02:58:11.042 UTC: 41 (transfer-a, user shop) lost against 42, which ran UPDATE accounts SET balance = ? WHERE id = ?
      Next: let the applications take their rows in one order, and repeat a transaction that fails with 40P01.
      Began (time), seen first (time)."
    `)
    expect(cardOf({ deadlocks: [{ ...deadlocks, participants: [], reports: [] }] })).toMatchInlineSnapshot(`
      "🟠 3 deadlocks in database orders on orders
      Next: let the applications take their rows in one order, and repeat a transaction that fails with 40P01. The server’s log shows which ones (/pg health says how it can be read here).
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b

      The server broke 3 deadlocks in database orders: each time one statement ended with an error.
      When: after (time), the last before (time).
      Next: let the applications take their rows in one order, and repeat a transaction that fails with 40P01. The server’s log shows which ones (/pg health says how it can be read here).
      Began (time), seen first (time)."
    `)
  })

  it('of a cycle that stands says how it ends, and whose end loses least', () => {
    const locks = [
      of.held(of.advisory(1), 'ExclusiveLock', 41),
      of.wanted(of.advisory(1), 'ExclusiveLock', [42, 32]),
      of.held(of.advisory(2), 'ExclusiveLock', 42),
      of.wanted(of.advisory(2), 'ExclusiveLock', [41, 40]),
    ]
    const sessions = [
      of.waiting(41, 40, { applicationName: 'transfer-a', backendXid: '9' }),
      of.waiting(42, 32, { applicationName: 'transfer-b' }),
    ]
    expect(cardOf({ deadlockTimeoutSeconds: 600 }, sessions, locks)).toMatchInlineSnapshot(`
      "🟠 2 sessions wait for each other on orders · 40 s
      Best way out: cancel transfer-b (42).
      Cost: it has written nothing, its answer is lost.
      transfer-b · shop · orders
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b

      Sessions 41 and 42 wait for each other, the longest for 40 s; 2 sessions wait in all.
      How it ends: the server ends one of them by itself after deadlock_timeout (10 min), in about 9 min 28 s.
      Why this one: of them 42 (transfer-b, user shop, database orders) has written nothing, so its end loses least.
      Its work: Its transaction is open for 32 s; it has written nothing.
      Best way out: Cancel ends its statement with an error and rolls its transaction back; the connection stays. Terminate would close the connection as well.
      What that costs: The rollback takes no time: nothing was written. Its client gets error 57014 (query_canceled) and keeps its connection.
      Began (time), seen first (time)."
    `)
    expect(cardOf({ deadlockTimeoutSeconds: 1 }, sessions, locks)).toContain(
      'it stands for longer than deadlock_timeout (1 s)',
    )
  })

  it('of a prepared transaction has no button, and the statement to run', () => {
    expect(cardOf({ prepared: [of.prepared(700, { gid: "it's" })] })).toMatchInlineSnapshot(`
      "🟠 Prepared transaction 'it''s' is left open on orders · 3 h
      Next: ask whoever coordinates it whether it is to be committed, and finish it in database orders as shop or a superuser: COMMIT PREPARED 'it''s'; or ROLLBACK PREPARED 'it''s';
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b

      Prepared transaction 'it''s' (shop, database orders, prepared 3 h ago) was never finished.
      What it does: it keeps its locks and holds vacuum back until somebody finishes it, over a restart too.
      Next: ask whoever coordinates it whether it is to be committed, and finish it in database orders as shop or a superuser: COMMIT PREPARED 'it''s'; or ROLLBACK PREPARED 'it''s';
      Began (time), seen first (time)."
    `)
  })

  it('of a session that holds vacuum back offers what fits it', () => {
    const dump = of.session(7, { applicationName: 'pg_dump', querySeconds: 600, xactSeconds: 1200 })
    expect(cardOf({ vacuumHolders: [of.holding(dump, 12.5 * million)] }, [dump])).toMatchInlineSnapshot(`
      "🟠 pg_dump holds vacuum back on orders · 12.5 million transactions
      Best way out: cancel pg_dump (7).
      Cost: it has written nothing, its answer is lost.
      pg_dump · shop · orders
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b

      Session 7 (pg_dump, user shop, database orders) keeps vacuum from cleaning up database orders: 12.5 million transactions have begun since.
      What it does: rows that were removed or changed since stay on disk; tables grow and queries slow down.
      Its work: Its transaction is open for 20 min; it has written nothing.
      Best way out: Cancel ends its statement with an error and rolls its transaction back; the connection stays. Terminate would close the connection as well.
      What that costs: The rollback takes no time: nothing was written. Its client gets error 57014 (query_canceled) and keeps its connection.
      Began (time), seen first (time)."
    `)
  })

  it.each([
    ['prepared', { name: 'pay', database: 'orders' }],
    ['slot', { name: 'warehouse', catalogsOnly: true }],
    ['standby', { pid: 99 }],
  ] as const)('of a %s that holds vacuum back says what to do by hand', (kind, over) => {
    expect(cardOf({ vacuumHolders: [of.holder(kind, 12 * million, over)] })).toMatchSnapshot()
  })

  it('of wraparound says what holds it up, or what to run', () => {
    const databases = [of.database('orders', { xidAge: 1.2e9 }), of.database('shop', { xidAge: 1.1e9 })]
    expect(cardOf({ databases })).toMatchInlineSnapshot(`
      "🟠 Database orde… is 55 % of the way to wraparound on orders
      Next: see in database orders whether autovacuum gets through; by hand, as a superuser or the owner of its tables: VACUUM; (neither FULL nor FREEZE). Autovacuum begins at 200 million.
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b

      Database orders is 55 % of the way to transaction-id wraparound (1.2 billion transactions), and 1 more database is past the threshold.
      What happens: at 100 % the server takes no more writes, until it was vacuumed by hand.
      Next: see in database orders whether autovacuum gets through; by hand, as a superuser or the owner of its tables: VACUUM; (neither FULL nor FREEZE). Autovacuum begins at 200 million.
      Began (time), seen first (time)."
    `)
    expect(cardOf({ databases, vacuumHolders: [of.holder('slot', 1.2e9)] })).toContain(
      "Held up by: Replication slot 'standby_2', 1.2 billion old.\nNext: let go of what holds it up: bring its consumer back.",
    )
  })

  const since = Date.UTC(2026, 1, 1)
  const kind = (locktype: string, waits: number, seconds: number, fastPathExceeded = 0) => ({
    locktype,
    waits,
    seconds,
    fastPathExceeded,
  })
  it.each([
    [{ since, kinds: [] }, 'since 2026-02-01 00:00:00 UTC, of more than 1 s (deadlock_timeout): none.\n'],
    [
      { since, kinds: [kind('relation', 4100, 600), kind('<!here>', 1, 3)] },
      'UTC, of more than 1 s (deadlock_timeout): 4,101, 10 min in all; relation 4,100 (10 min) and &lt;!here&gt; 1 (3 s).\n',
    ],
    [
      { since: null, kinds: [kind('relation', 0, 0, 12)] },
      'since the statistics began, of more than 1 s (deadlock_timeout): none. Locks without a place on the fast path (max_locks_per_transaction): 12.\n',
    ],
    [
      { since: null, kinds: [kind('a', 5, 5), kind('b', 4, 4), kind('c', 3, 3), kind('d', 2, 2, 1)] },
      ': 14, 14 s in all; a 5 (5 s), b 4 (4 s) and c 3 (3 s), …. Locks without',
    ],
  ])('of waits for locks tells what the server has counted, %#', async (lockWaits, words) => {
    const health = of.health({ lockWaits })
    expect(await transcript('health', of.picture([], undefined, { health }))).toContain(words)
  })

  it('of waits for locks is silent where the server counts none', async () => {
    expect(await transcript('health', of.picture([], undefined, { health: of.health() }))).not.toContain(
      'Lock waits',
    )
  })

  it('of the slot of a REPACK never advises to drop it, which the server would refuse', () => {
    const slot = of.slot('repack_77', { slotType: 'logical', retainedBytes: 12 * gigabyte, isRepack: true })
    const holder = of.holder('slot', 12 * million, { name: 'repack_77', catalogsOnly: true, isRepack: true })
    for (const card of [cardOf({ slots: [slot] }), cardOf({ vacuumHolders: [holder] })]) {
      expect(card).toContain(
        'Next: let the REPACK (CONCURRENTLY) end that it belongs to, or cancel that: the slot goes with it, and so does its work (/pg long).',
      )
      expect(card).not.toContain('pg_drop_replication_slot')
    }
  })

  it('of a slot says whether its consumer is there, and what follows', () => {
    const gone = of.slot('warehouse', {
      slotType: 'logical',
      database: 'orders',
      active: false,
      retainedBytes: 12 * gigabyte,
      inactiveSeconds: 10_800,
    })
    expect(cardOf({ slots: [gone] })).toMatchInlineSnapshot(`
      "🟠 Slot warehouse keeps 12 GB of WAL on orders
      Next: bring its consumer back. Only when it is gone for good: SELECT pg_drop_replication_slot('warehouse');
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b

      Replication slot 'warehouse' (logical, database orders) keeps 12 GB of WAL; its consumer has been away for 3 h.
      What happens: it keeps more and more until the disk is full, and then the server stops.
      Next: bring its consumer back. Only when it is gone for good: SELECT pg_drop_replication_slot('warehouse');
      Began (time), seen first (time)."
    `)
    expect(cardOf({ slots: [{ ...gone, active: true, safeBytes: 2 * gigabyte }] })).toMatchInlineSnapshot(`
      "🟠 Slot warehouse keeps 12 GB of WAL on orders
      Next: see why its consumer does not keep up.
      [Details] [Acknowledge] [Snooze 30 min] [⋯]
      Incident 3f2a9c1b · /pg history 3f2a9c1b

      Replication slot 'warehouse' (logical, database orders) keeps 12 GB of WAL; its consumer is connected and behind.
      What happens: after 2 GB more the server gives it up, and whoever reads from it has to be set up again.
      Next: see why its consumer does not keep up.
      Began (time), seen first (time)."
    `)
    expect(cardOf({ slots: [{ ...gone, walStatus: 'unreserved' }] })).toMatch(/^🔴 /)
  })

  it('takes no names for markup', () => {
    const name = '<!channel> *x*\nNext: `DROP`'
    for (const health of [
      { slots: [of.slot(name, { retainedBytes: 20 * gigabyte })] },
      { vacuumHolders: [of.holder('standby', 20 * million, { name })] },
      { databases: [of.database(name, { xidAge: 1.2e9 })] },
      {
        deadlocks: [
          { ...deadlocks, database: name, reports: [{ ...report, applicationName: name, statement: name }] },
        ],
      },
      { prepared: [of.prepared(700, { gid: name, database: name })] },
    ])
      expect(cardOf(health).split('\n')).not.toContain('Next: `DROP`')
  })
})

describe('/pg health', () => {
  it('says that all is well, with numbers, limits and the age of the data', async () => {
    const health = of.health({
      vacuumHolders: [of.holding(of.session(5, { xactSeconds: 90 }), 12_345)],
      databases: [of.database('orders', { deadlocks: 12, xidAge: 150 * million }), of.database('shop')],
      slots: [of.slot('standby_2')],
      prepared: [of.prepared(700, { preparedSeconds: 40 })],
    })
    const sessions = [of.session(5, { xactSeconds: 90 }), of.idleInTransaction(6, 20)]
    expect(await transcript('health', of.picture(sessions, undefined, { health }))).toMatchInlineSnapshot(`
      "Health of orders
      All is well.
      - Locks: nobody waits.
      - Long-running queries: none for more than 1 h; the oldest transaction is open for 1 min 30 s.
      - Idle holders: nobody idle in transaction for more than 5 min (6 (web, user shop, database orders), idle in transaction for 20 s).
      - Connections: 4 of 100 (4 %), limit 85 %.
      - Deadlocks: none lately; 12 since the statistics began (12 in orders).
      - Prepared transactions: 1, the oldest for 40 s, limit 15 min.
      - Vacuum: held back by 12,345 transactions, by session 5 (web, user shop, database orders); limit 10 million.
      - Wraparound: 6 % of the way in database orders (150 million transactions; autovacuum freezes from 200 million on), limit 50 %.
      - Replication slots: 1, 'standby_2' keeps most WAL, 16 MB; limit 10 GB.
      Deadlocks, prepared transactions, vacuum, wraparound and slots: as of 2026-03-01 02:59:40 UTC, 22 s old.
      1 active · 0 idle · 1 idle in transaction · 0 waiting for a lock · 4 of 100 connections used (4 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('says of who waits or is listed already what is so', async () => {
    const lines = async (...sessions: Session[]) =>
      (await transcript('health', of.picture(sessions, of.rowQueue(1, [[2, 8000]])))).split('\n')
    const jam = [of.idleInTransaction(1, 8100), of.waiting(2, 8000)]
    const told = await lines(...jam)
    expect(told.find((line) => line.startsWith('- Long-running'))).toContain(
      ': 1 for more than 1 h, which waits for a lock or is named above; ',
    )
    expect(told.find((line) => line.startsWith('- Idle holders'))).toMatch(
      / nobody else idle in transaction for more than 5 min\.$/,
    )
    const more = await lines(
      of.session(1, { querySeconds: 8100 }),
      jam[1] as Session,
      of.idleInTransaction(3, 20),
    )
    expect(more.find((line) => line.startsWith('- Long-running'))).toContain(
      ': 2 for more than 1 h, all of which wait for a lock or are named above; ',
    )
    expect(more.find((line) => line.startsWith('- Idle holders'))).toContain(
      ' nobody idle in transaction for more than 5 min (3 (web',
    )
  })

  it('shows everything that is past a limit first, with the next step', async () => {
    const sessions = [
      of.idleInTransaction(1, 400, { backendXid: '759' }),
      of.waiting(2, 40),
      of.session(3, { querySeconds: 4000 }),
      of.idle(4, 4000),
    ]
    const health = of.health({
      deadlocks: [deadlocks],
      prepared: [of.prepared(700)],
      vacuumHolders: [of.holder('standby', 12 * million, { pid: 99 })],
      databases: [of.database('orders', { xidAge: 1.2e9 })],
      slots: [
        of.slot('warehouse', { active: false, retainedBytes: 12 * gigabyte }),
        of.slot('old', { walStatus: 'lost', retainedBytes: 0, invalidationReason: 'wal_removed' }),
      ],
      serverLog: 'notGranted',
    })
    expect(
      await transcript('health', of.picture(sessions, of.rowQueue(1, [[2, 40]]), { health })),
    ).toMatchInlineSnapshot(`
      "Health of orders
      9 things need somebody.
      - Blocking: Session 1 (web, user shop, database orders), idle in transaction for 6 min 40 s, keeps 1 session waiting, the longest for 40 s, for a row of public.orders. Next: /pg blocking shows who stands in the way and what ends it.
      - Transaction ids running out: Database orders is 55 % of the way to transaction-id wraparound (1.2 billion transactions). Next: see in database orders whether autovacuum gets through; by hand, as a superuser or the owner of its tables: VACUUM; (neither FULL nor FREEZE). Autovacuum begins at 200 million.
      - Replication slot holds WAL back: Replication slot 'warehouse' (physical) keeps 12 GB of WAL; its consumer is not connected. Next: bring its consumer back. Only when it is gone for good: SELECT pg_drop_replication_slot('warehouse');
      - Deadlocks: The server broke 3 deadlocks in database orders: each time one statement ended with an error. Next: let the applications take their rows in one order, and repeat a transaction that fails with 40P01.
      - In the log: 2026-03-01 02:58:11.042 UTC: 41 (transfer-a, user shop) lost against 42, which ran UPDATE accounts SET balance = ? WHERE id = ?
      - Vacuum held back: The standby standby_2 (walsender 99) keeps vacuum from cleaning up every database: 12 million transactions have begun since. Next: end the long query on that standby: it reports its oldest transaction by hot_standby_feedback.
      - Prepared transaction: Prepared transaction 'payment-77' (shop, database orders, prepared 3 h ago) was never finished. Next: ask whoever coordinates it whether it is to be committed, and finish it in database orders as shop or a superuser: COMMIT PREPARED 'payment-77'; or ROLLBACK PREPARED 'payment-77';
      - Long-running query: Session 3 (web, user shop, database orders) has run one statement for 1 h 6 min. Next: /pg long.
      - Long-idle session: Session 4 (web, user shop, database orders) has been idle for 1 h 6 min. Next: /pg idle.
      - Lost replication slot: The server gave 'old' up (wal_removed). Next: set its consumer up again, then SELECT pg_drop_replication_slot('old');
      Within its limits:
      - Connections: 6 of 100 (6 %), limit 85 %.
      The server’s log shows who was in a deadlock. To let the bot read it (and every file of the server): GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint) TO …;
      Deadlocks, prepared transactions, vacuum, wraparound and slots: as of 2026-03-01 02:59:40 UTC, 22 s old.
      2 active · 1 idle · 1 idle in transaction · 1 waiting for a lock · 6 of 100 connections used (6 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('does not say that all is well where it cannot see', async () => {
    const unlooked = await transcript('health', of.picture([]))
    expect(unlooked).toMatchInlineSnapshot(`
      "Health of orders
      What can be seen is well.
      Deadlocks, prepared transactions, vacuum, wraparound and slots cannot be shown: No answer in time: the server hangs, is overloaded, or the network lost the connection.
      - Locks: nobody waits.
      - Long-running queries: none for more than 1 h; the oldest transaction is open for 0 s.
      - Idle holders: nobody idle in transaction for more than 5 min.
      - Connections: 2 of 100 (2 %), limit 85 %.
      0 active · 0 idle · 0 idle in transaction · 0 waiting for a lock · 2 of 100 connections used (2 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
    const jammed = { kind: 'jammed', why: 'busy', last: null, lastTakenAt: null } as const
    const storm = await transcript('health', of.picture([of.waiting(1, 3)], jammed, { health: of.health() }))
    expect(storm).toContain('The health check could not be repeated: busy')
    expect(storm).not.toContain('All is well')
    const blind = await transcript(
      'health',
      of.picture([], undefined, { health: of.health(), server: of.server({ seesOthers: false }) }),
    )
    expect(blind).toContain('may not see other sessions')
    expect(blind).not.toMatch(/is well|within its limits/i)
  })

  it('does not say that vacuum is within its limit where its holder is told for something else', async () => {
    const idle = of.idleInTransaction(7, 6000)
    const told = (age: number) =>
      transcript(
        'health',
        of.picture([idle], undefined, { health: of.health({ vacuumHolders: [of.holding(idle, age)] }) }),
      )
    expect(await told(12 * million)).not.toContain('Vacuum: held back')
    expect(await told(2 * million)).toContain('Vacuum: held back by 2 million transactions')
  })

  it.each(['noFormat', 'notCollected', 'readable'] as const)(
    'says of a log that is %s what to do',
    async (serverLog) => {
      const shown = await transcript(
        'health',
        of.picture([], undefined, { health: of.health({ serverLog }) }),
      )
      const line = shown.split('\n').find((one) => one.startsWith('The server’s log'))
      expect(line ?? '').toMatchSnapshot()
    },
  )
})
