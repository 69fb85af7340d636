import { describe, expect, it } from 'vitest'
import { createAnswers, type Question } from '../../../src/answers/answer.ts'
import { createTop } from '../../../src/answers/top.ts'
import { parseCommand } from '../../../src/commands/command.ts'
import {
  type StatementReading,
  type StatementStats,
  textKeyOf,
} from '../../../src/domain/lists/statements.ts'
import { type Cluster, ClusterError, type StatementStatsRead } from '../../../src/postgres/cluster.ts'
import { ask, checkView, clusterConfig, pictureCluster, transcript, watching } from '../../support/asking.ts'
import * as of from '../../support/builders.ts'

const body = async (...given: Parameters<typeof transcript>) =>
  (await transcript(...given)).split('\n').slice(0, -1).join('\n')

const picture = of.picture([
  of.session(10, { stateSeconds: 90, query: 'SELECT ? FROM facts' }),
  of.session(11, { stateSeconds: 300, usename: 'report', waitEventType: 'IO', waitEvent: 'DataFileRead' }),
  of.idle(12, 5),
])
const statement = (
  queryId: string | null,
  calls: number,
  totalMs: number,
  over: Partial<StatementStats> = {},
) => ({
  userid: 10,
  dbid: 5,
  usename: 'shop',
  datname: 'orders',
  toplevel: true,
  queryId,
  calls,
  totalMs,
  longestMs: totalMs,
  ...over,
})
const many = [
  statement('1', 3, 7_200_000, { usename: 'report' }),
  statement('2', 1_234_567, 400_000),
  statement('3', 10, 1.2, { toplevel: false }),
]
const reading = (over: Partial<StatementReading> = {}): StatementReading => ({
  readAt: 1_000_000,
  resetAt: 1_000_000 - 2 * 86_400,
  evictions: 0,
  statements: many,
  ...over,
})
/** A cluster that counts statements. Each look sees the next reading. */
const counting = (
  readings: readonly StatementReading[],
  over: Partial<Cluster['statementStats']> & { isRecording?: boolean } = {},
): Partial<Cluster> => {
  let at = 0
  return {
    statementStats: {
      read: async (): Promise<StatementStatsRead> => {
        const next = readings[Math.min(at++, readings.length - 1)]
        if (!next) throw new Error('no reading')
        return { kind: 'read', reading: next, isRecording: over.isRecording ?? true, role: 'marshal' }
      },
      texts: async (statements) =>
        new Map(
          statements.map((one) => [
            textKeyOf(one),
            {
              shown: `SELECT * FROM table_${one.queryId} WHERE id = $1`,
              isHousekeeping: one.queryId === '9',
            },
          ]),
        ),
      ...over,
    },
  }
}

describe('topView', () => {
  it('shows what runs most since the reset, and what runs now', async () => {
    expect(await transcript('top', picture, [], counting([reading()]))).toMatchInlineSnapshot(`
      "What runs most on orders
      3 different statements worked for 2 h 6 min since the statistics were reset 2 d ago.
      2 h | 95 % | 3 | 40 min | report · orders | SELECT * FROM table_1 WHERE id = $1
      6 min 40 s | 5 % | 1,234,567 | 0.32 ms | shop · orders | SELECT * FROM table_2 WHERE id = $1
      1.2 ms | &lt; 1 % | 10 | 0.12 ms | shop · orders | in a function: SELECT * FROM table_3 WHERE id = $1
      2 statements run now, longest first:
      - 11 · 5 min · web · report · orders · IO/DataFileRead
      - 10 · 1 min 30 s · web · shop · orders · SELECT ? FROM facts
      2 active · 1 idle · 0 idle in transaction · 0 waiting for a lock · 5 of 100 connections used (5 %). As of 2026-03-01 03:00:00 UTC, 2 s old."
    `)
  })

  it('shows what ran since the last look when asked again, and everything on request', async () => {
    const later = reading({
      readAt: 1_000_240,
      statements: [statement('1', 4, 7_201_500, { usename: 'report' }), ...many.slice(1)],
    })
    const cluster = pictureCluster(picture, [], counting([reading(), later]))
    const answers = createAnswers({
      clusters: watching({ config: clusterConfig('orders'), cluster }),
      past: null,
      top: createTop(),
      directory: null,
      now: () => of.takenAt,
    })
    const look = async (typed: string) => {
      const { view } = await answers(parseCommand(typed) as Question, null)
      checkView(view)
      return view.text.split('\n').slice(1, 4)
    }
    expect((await look('top'))[0]).toContain('since the statistics were reset 2 d ago')
    expect(await look('top')).toMatchInlineSnapshot(`
      [
        "1 statement worked for 1.5 s in the last 4 min, since the last look.",
        "1.5 s | 100 % | 1 | 1.5 s | report · orders | SELECT * FROM table_1 WHERE id = $1",
        "Since the last reset: /pg top total",
      ]
    `)
    expect((await look('top total'))[0]).toContain('since the statistics were reset 2 d ago')
  })

  it("folds what is small and leaves out what is mine or a driver's, with a way to see it", async () => {
    const statements = [
      statement('1', 1, 9000),
      statement('2', 1, 800),
      statement('3', 1, 150),
      statement('4', 5, 20),
      statement('5', 5, 10),
      statement('9', 50, 500),
      statement('8', 50, 20, { usename: 'marshal' }),
    ]
    const slow = statement('9', 2, 500)
    const look = (typed: string) => body(typed, picture, [], counting([reading({ statements })]))
    const text = await look('top total')
    expect(text).toContain('2 more with less: 30 ms (&lt; 1 %) together.')
    expect(text).toContain(
      'Left out, 2 statements of mine and of drivers that read catalogs or set up sessions: 520 ms (5 %)',
    )
    expect(text).toContain('/pg top total all')
    expect(text).not.toContain('table_9')
    // A slow look into the catalogs is somebody's trouble, whoever sends it.
    expect(await body('top total', picture, [], counting([reading({ statements: [slow] })]))).toContain(
      'table_9',
    )
    const all = await look('top total all')
    expect(all).toContain('table_9')
    expect(all).not.toContain('Left out')
  })

  it('takes filters for both, and shares of all', async () => {
    expect(await body('top --user report', picture, [], counting([reading()]))).toMatchInlineSnapshot(`
      "What runs most on orders
      3 different statements worked for 2 h 6 min since the statistics were reset 2 d ago.
      1 of them matches --user report: 2 h (95 %).
      2 h | 95 % | 3 | 40 min | report · orders | SELECT * FROM table_1 WHERE id = $1
      1 statement runs now, longest first:
      - 11 · 5 min · web · report · orders · IO/DataFileRead"
    `)
    expect(await body('top --db nowhere', picture, [], counting([reading()]))).toMatchInlineSnapshot(`
      "What runs most on orders
      3 different statements worked for 2 h 6 min since the statistics were reset 2 d ago.
      0 of them match --db nowhere: 0 ms (0 %).
      Nothing that matches runs now."
    `)
  })

  it('says what is missing and what to type', async () => {
    const lack = {
      what: 'pg_stat_statements is not loaded by the server, so nothing counts what runs.',
      fix: "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'; -- then restart\nCREATE EXTENSION pg_stat_statements;",
      needed: false,
    }
    const missing = {
      statementStats: {
        read: async () => ({ kind: 'missing' as const, missing: lack }),
        texts: async () => new Map(),
      },
    }
    expect(await body('top', picture, [], missing)).toMatchInlineSnapshot(`
      "What runs most on orders
      What ran before is not known. pg_stat_statements is not loaded by the server, so nothing counts what runs.
      ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'; -- then restart
      CREATE EXTENSION pg_stat_statements;
      2 statements run now, longest first:
      - 11 · 5 min · web · report · orders · IO/DataFileRead
      - 10 · 1 min 30 s · web · shop · orders · SELECT ? FROM facts"
    `)
  })

  it('shows what runs now also when the statistics cannot be read, and numbers without texts', async () => {
    const busy = async () => {
      throw new ClusterError('No answer in time: the server is overloaded.', 'DEADLINE', true)
    }
    expect(
      (await body('top', picture, [], counting([reading()], { read: busy }))).split('\n').slice(1, 4),
    ).toMatchInlineSnapshot(`
      [
        "pg_stat_statements was not read: No answer in time: the server is overloaded.",
        "2 statements run now, longest first:",
        "- 11 · 5 min · web · report · orders · IO/DataFileRead",
      ]
    `)
    expect(
      (await body('top', picture, [], counting([reading()], { texts: busy }))).split('\n').slice(1, 6),
    ).toMatchInlineSnapshot(`
      [
        "3 different statements worked for 2 h 6 min since the statistics were reset 2 d ago.",
        "2 h | 95 % | 3 | 40 min | report · orders",
        "6 min 40 s | 5 % | 1,234,567 | 0.32 ms | shop · orders",
        "1.2 ms | &lt; 1 % | 10 | 0.12 ms | shop · orders | in a function: ",
        "Their texts could not be read.",
      ]
    `)
  })

  it('says what makes the numbers less than they seem', async () => {
    const told = await body(
      'top',
      picture,
      [],
      counting([reading({ evictions: 3, statements: [] })], { isRecording: false }),
    )
    expect(told).toContain('The least used were thrown out 3 times meanwhile')
    expect(told).toContain('Nothing is counted at the moment: compute_query_id must not be off')
    expect(told).toContain('No statement ended since the statistics were reset 2 d ago.')
  })

  it('shows the cost of statements that may not be seen, and says what grants it', async () => {
    const blind = of.picture(
      [of.session(1, { state: null, backendType: '' })],
      { kind: 'none' },
      { server: of.server({ seesOthers: false }) },
    )
    const hidden = reading({ statements: [statement(null, 5, 1000)] })
    expect(await body('top', blind, [], counting([hidden]))).toMatchInlineSnapshot(`
      "What runs most on orders
      pg-marshal may not see other sessions on orders, so this picture says nothing about them.
      Its role is no member of pg_monitor. As a superuser: GRANT pg_monitor TO …
      1 statement worked for 1.0 s since the statistics were reset 2 d ago.
      1.0 s | 100 % | 5 | 200 ms | shop · orders | not to be seen
      What runs now is not to be seen."
    `)
  })

  it('keeps within what Slack takes', async () => {
    const wide = Array.from({ length: 100 }, (_, index) =>
      statement(String(index), 1_000_000, 1e9 + (99 - index), {
        usename: 'u'.repeat(63),
        datname: 'd'.repeat(63),
      }),
    )
    const running = Array.from({ length: 50 }, (_, index) =>
      of.session(index + 1, { query: 'x'.repeat(2000), applicationName: 'a'.repeat(63) }),
    )
    const texts = async (of: readonly StatementStats[]) =>
      new Map(of.map((one) => [textKeyOf(one), { shown: 'SELECT '.repeat(100), isHousekeeping: false }]))
    const cluster = pictureCluster(
      of.picture(running),
      [],
      counting([reading({ statements: wide })], { texts }),
    )
    const { view } = await ask('top', watching({ config: clusterConfig('orders'), cluster }))
    const blocks = JSON.stringify(view.blocks)
    expect(blocks).toContain('85 more with less: ')
    expect(blocks).toContain('50 statements run now')
    expect(blocks).toContain('42 more: ')
  })
})

describe('how long statements waited', () => {
  const second = 1000
  const readAt = of.takenAt / second
  /** Two looks of the watcher, between which it waits for a lock for 20 s, and a third, at which that is over. */
  const looks = [0, 20, 40].map((at) => {
    const waiting = of.session(10, {
      ...{ queryId: '1', usename: 'shop', datname: 'orders' },
      ...{ waitEventType: 'Lock', waitEvent: 'transactionid', querySeconds: at },
    })
    return of.snapshot(at === 40 ? [] : [waiting], { takenAt: of.takenAt + at * second })
  })
  const from = (at: number, resetAt: number, totalMs: number) =>
    reading({ readAt: readAt + at, resetAt, statements: [statement('1', 1, totalMs)] })
  /** What one replica answers, by the readings that its own questions see. */
  const replicaWith = (readings: readonly StatementReading[]) => {
    const cluster = pictureCluster(picture, [], counting(readings))
    const top = createTop({ watcherOf: () => 'web-2' })
    const answers = createAnswers({
      ...{ clusters: watching({ config: clusterConfig('orders'), cluster }), past: null, top },
      ...{ directory: null, now: () => of.takenAt },
    })
    const look = async (typed = 'top total') => {
      const { view } = await answers(parseCommand(typed) as Question, null)
      checkView(view)
      return view.text
    }
    return { top, look }
  }
  const unknown = 'web-2 watches orders, and I do not know how long one waited: waits count as work here.'
  const later = 'How long one waited is known since I watch, '

  it('is known to who watches, and for others it says who does', async () => {
    const { top, look } = replicaWith([from(60, readAt - 10, 30_000)])
    const elsewhere = await look()
    expect(elsewhere).toContain(unknown)
    expect(elsewhere).toContain('30 s | 100 % | 1')
    for (const snapshot of looks) top.saw(snapshot)
    const here = await look()
    expect(here).not.toContain('web-2')
    expect(here).toContain('10 s | 100 % | 20 s | 1')
    // It was there before it was watched here.
    expect(here).toContain(`${later}2026-03-01 03:00:00 UTC.`)
    // Another one watches it now: what was seen before says nothing of what waits since.
    top.left('billing')
    expect(await look()).toBe(here)
    top.left('orders')
    expect(await look()).toBe(elsewhere)
  })

  it('says since when it is known only where that is not all the time that is counted', async () => {
    const all = replicaWith([from(60, readAt, 30_000)])
    for (const snapshot of looks) all.top.saw(snapshot)
    expect(await all.look()).not.toContain(later)
    // The last look was before the takeover, and nothing has waited since.
    const taken = replicaWith([from(-30, 0, 100), from(60, 0, 30_000)])
    expect(await taken.look('top')).toContain(unknown)
    taken.top.saw(of.snapshot([], { takenAt: of.takenAt }))
    expect(await taken.look('top')).toContain(later)
  })

  it('matters only where something ran', async () => {
    const { look } = replicaWith([reading({ statements: [] })])
    expect(await look()).not.toContain('web-2')
  })
})
