import { describe, expect, it } from 'vitest'
import { createAnswers } from '../../src/answers/answer.ts'
import { createTop } from '../../src/answers/top.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { ClusterError } from '../../src/postgres/cluster.ts'
import { ask, clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import * as of from '../support/builders.ts'

const watched = (name: string, channel: string, over: Partial<Cluster> = {}): WatchedCluster => ({
  config: clusterConfig(name, { channel }),
  cluster: pictureCluster(of.picture([of.session(1)], { kind: 'none' }, { cluster: name }), [], over),
})
const unreachable = async () => {
  throw new ClusterError('the server refuses connections (connection refused).', 'ECONNREFUSED', true)
}
const both = watching(watched('orders', 'C0ORDERS'), watched('Billing', 'C0OPS'), watched('search', 'C0OPS'))

const firstLine = async (...given: Parameters<typeof ask>) => (await ask(...given)).view.text.split('\n')[0]

describe('which cluster', () => {
  it.each([
    ['sessions --cluster billing', 'C0ORDERS', 'Sessions on Billing'],
    ['sessions', 'C0ORDERS', 'Sessions on orders'],
    ['session 1 --cluster search', null, 'Session 1 on search'],
  ])('%s in %s: %s', async (typed, channel, line) => {
    expect(await firstLine(typed, both, channel)).toBe(line)
  })

  it('takes the only one without being told', async () => {
    expect(await firstLine('long', watching(watched('orders', 'C0ORDERS')), 'C0ELSEWHERE')).toBe(
      'Long-running sessions on orders',
    )
  })

  it.each([
    ['blocking', 'C0OPS', 'Which cluster? Add --cluster NAME. Configured: orders, Billing, search.'],
    ['blocking', null, 'Which cluster? Add --cluster NAME. Configured: orders, Billing, search.'],
    [
      'blocking --cluster ordrs',
      null,
      'There is no cluster ordrs here. Did you mean orders? Configured: orders, Billing, search.',
    ],
    [
      'blocking --cluster "<!here> `x`"',
      null,
      'There is no cluster @here x here. Configured: orders, Billing, search.',
    ],
  ])('%s in %s is answered by a sentence', async (typed, channel, sentence) => {
    const { view, failed } = await ask(typed, both, channel)
    expect(view.text).toBe(`pg-marshal\n${sentence}`)
    expect(failed).toBe(true)
  })

  it('names the cluster in every command that it offers', async () => {
    const { view } = await ask('session 1', both, 'C0ORDERS')
    expect(view.text).toContain('/pg cancel 1 reason --cluster orders')
  })
})

describe('answers', () => {
  it('propose the way out of a jam, never who waits in it, and what else takes long', async () => {
    const sessions = [
      of.idleInTransaction(1, 8100, { applicationName: 'checkout' }),
      of.waiting(2, 8000),
      of.waiting(3, 8000),
      of.session(4, { stateSeconds: 4000, applicationName: 'facts' }),
    ]
    const jam = of.rowQueue(1, [
      [2, 8000],
      [3, 8000],
    ])
    const proposedBy = async (kind: 'long' | 'idle', picture = of.picture(sessions, jam)) => {
      const cluster = pictureCluster(picture, [])
      const answers = createAnswers({
        clusters: watching({ config: clusterConfig('orders'), cluster }),
        past: null,
        top: createTop(),
        directory: null,
        now: () => of.takenAt,
      })
      const question = { kind, filters: {}, cluster: null }
      const { view } = await answers(question, null, {
        ...{ typed: kind, sees: new Set(['orders']) },
        timeZone: async () => 'UTC',
      })
      return JSON.stringify(view.blocks).match(/Propose: [^"]*/g)
    }
    expect(await proposedBy('long')).toEqual(['Propose: terminate checkout (1)', 'Propose: cancel facts (4)'])
    expect(await proposedBy('idle')).toEqual(['Propose: terminate checkout (1)'])
    const calm = of.picture([of.idle(5, 1), of.session(6, { stateSeconds: 1 })])
    expect([await proposedBy('long', calm), await proposedBy('idle', calm)]).toEqual([null, null])
  })

  it('says why a cluster cannot be seen', async () => {
    const { view, failed } = await ask(
      'sessions',
      watching(watched('orders', 'C0', { snapshot: unreachable })),
    )
    expect(failed).toBe(true)
    expect(view.text).toMatchInlineSnapshot(`
      "Cannot see orders
      Cannot see orders: the server refuses connections (connection refused).
      This says nothing about how it is doing. pg-marshal keeps trying."
    `)
  })

  it('answers without statements when they cannot be fetched', async () => {
    const { view } = await ask('sessions', watching(watched('orders', 'C0', { withText: unreachable })))
    expect(view.text).toContain('1 | web · shop · orders | active for 1 s')
  })

  it('fetches the statements of at most forty sessions', async () => {
    const sessions = Array.from({ length: 300 }, (_, index) => of.idleInTransaction(index + 1, 4000))
    const waiters = sessions.map(({ pid }) => of.waiting(1000 + pid, 60))
    const groups = sessions.flatMap(({ pid }) => of.rowQueue(pid, [[1000 + pid, 60]], 'public.t', pid))
    const fetched: number[] = []
    const cluster = pictureCluster(of.picture([...sessions, ...waiters], groups), [], {
      withText: async (asked) => {
        fetched.push(asked.length)
        return [...asked]
      },
    })
    for (const command of ['sessions', 'blocking', 'long --older 1s', 'idle'])
      await ask(command, watching({ config: clusterConfig('orders'), cluster }))
    expect(Math.max(...fetched)).toBeLessThanOrEqual(40)
    // Four of them once more for those of whom the advice tells.
    expect(fetched).toHaveLength(8)
  })

  it('lets a mistake of ours through', async () => {
    const broken = watched('orders', 'C0', {
      snapshot: async () => {
        throw new TypeError('a mistake')
      },
    })
    await expect(ask('sessions', watching(broken))).rejects.toThrow('a mistake')
  })

  it.each([
    ...['sessions', 'sessions --state idle', 'blocking', 'blocking --app web', 'long', 'idle', 'activity'],
    ...['activity --app web', 'locks', 'top', 'session 1', 'rules', 'clusters', 'health'],
  ])('%s without pg_monitor says so, and nothing that sounds calm', async (typed) => {
    const unseen = { state: null, backendType: '', backendStart: '', clientAddr: null, stateSeconds: null }
    const blind = of.picture(
      [of.session(1, { ...unseen, xactSeconds: null, applicationName: '' })],
      { kind: 'none' },
      { server: of.server({ seesOthers: false }) },
    )
    const read = () => Promise.reject(new ClusterError('not now', '57014', true))
    const cluster = pictureCluster(blind, [], { statementStats: { read, texts: read } })
    const watched = { config: clusterConfig('orders'), cluster }
    const { text } = (await ask(typed, watching(watched))).view
    expect(text).toContain('pg_monitor')
    expect(text).not.toMatch(
      /nobody|nothing (is|waits|runs)|no (session|transaction|statement)|\b0\b|is well|within/i,
    )
  })

  it('shows 500 clusters with trouble first, and finds some by a part of their name', async () => {
    const waits = (count: number) =>
      pictureCluster(
        of.picture(
          Array.from({ length: count }, (_, index) => of.waiting(index + 1, 2)),
          [],
        ),
      )
    const many = watching(
      ...Array.from({ length: 497 }, (_, index) => watched(`eu-${index}`, 'C0')),
      { config: clusterConfig('us-few'), cluster: waits(1) },
      { config: clusterConfig('us-many'), cluster: waits(3) },
      watched('us-gone', 'C0', { snapshot: unreachable }),
    )
    const lines = (await ask('clusters', many)).view.text.split('\n')
    expect(lines.slice(1, 3)).toEqual(['1 of 500 clusters cannot be seen.', 'Sessions wait on 2.'])
    expect(lines.slice(3, 7).map((line) => line.split(' | ')[0])).toEqual([
      'us-gone',
      'us-many',
      'us-few',
      'eu-0',
    ])
    expect(lines.at(-1)).toBe(
      '460 more clusters, none of them worse. To find one by a part of its name: /pg clusters PART',
    )
    const found = (await ask('clusters US-', many)).view.text
    expect(found).toContain('1 of 3 clusters cannot be seen.')
    expect(found).not.toContain('eu-')
    expect((await ask('clusters asia', many)).view.text).toBe(
      'Clusters\nNo name of 500 clusters contains this. /pg clusters shows all.',
    )
    const long = Array.from({ length: 500 }, (_, index) =>
      watched(`${'n'.repeat(28)}-${index}`, 'C0', { snapshot: unreachable }),
    )
    expect((await ask('clusters', watching(...long))).view.text).toContain('500 of 500')
  })

  it('shows all clusters, those that cannot be seen too', async () => {
    const standby = of.picture([of.waiting(1, 2), of.idle(2, 3)], [], {
      cluster: 'standby',
      server: of.server({ inRecovery: true, versionNum: 140_013 }),
    })
    const blind = of.picture([], { kind: 'none' }, { server: of.server({ seesOthers: false }) })
    const { view } = await ask(
      'clusters',
      watching(
        watched('orders', 'C0'),
        { config: clusterConfig('standby'), cluster: pictureCluster(standby) },
        { config: clusterConfig('blind'), cluster: pictureCluster(blind) },
        watched('gone', 'C0', { snapshot: unreachable }),
      ),
    )
    expect(view.text).toMatchInlineSnapshot(`
      "Clusters
      2 of 4 clusters cannot be seen.
      Sessions wait on 1.
      blind | 18.4 | ? | ? | ? of 100 | 2 s ago, without others’ state: pg_monitor is missing
      gone | cannot be seen: the server refuses connections (connection refused).
      standby | 14.13 (standby) | 2 | 1 | 4 of 100 | 2 s ago
      orders | 18.4 | 1 | 0 | 3 of 100 | 2 s ago"
    `)
  })

  it('helps', async () => {
    expect((await ask('help', watching(watched('orders', 'C0')))).view.text).toMatchInlineSnapshot(`
      "pg-marshal: what you can type
      Look
      - /pg, or /pg overview: the overview of all that is watched: what is wrong, what waits for an approval, and buttons for it
      - /pg sessions: who blocks whom, then what takes long, then totals
      - /pg blocking: who waits behind whom, as a tree
      - /pg long: long-running statements and transactions
      - /pg idle: sessions idle in a transaction, and long-idle ones
      - /pg top: what works most (pg_stat_statements), waiting not counted, since the last look, beside what runs now; /pg top total: since the last reset; /pg top all: also what drivers and I run on our own
      - /pg locks: who holds and who waits; /pg locks 4312: every lock of one session; /pg locks sales.orders: everybody who locks a table
      - /pg activity: how many sessions by state, wait event, user, application and database
      - /pg session 4312: everything about one session
      - /pg health: everything that makes trouble at once, with its limits: locks, connections, deadlocks, prepared transactions, vacuum, wraparound, replication slots
      - /pg rules, /pg rules --app pg_dump: from when on something is trouble here, and for whom it is different
      - /pg advise, /pg advise --since 30d: settings that would have prevented the trouble of that time, as statements to run
      - /pg clusters [PART]: the servers that are watched, trouble first; with a part of their names, those alone
      - /pg history --since 12h, /pg history 4312, /pg history 3f2a9c1b: what happened and what was decided: lately, to a PID, on a card
      - /pg at 14:05, /pg at yesterday 23:10, /pg at 20 min ago: what was seen then, by your clock: who blocked whom where somebody waited, else the sessions; /pg at 14:05 sessions (or blocking, long, idle, activity) says which list, with its filters
      - /pg report, /pg report 3f2a9c1b: an incident as one would write it up, the newest or the one of that card; a button shares it
      - /pg waits, /pg waits --since 6h --app web: what active sessions waited for, over time, and which statements, applications and relations waited most
      - /pg oncall: who is called for trouble now, and what happens when nobody answers
      - /pg stats, /pg stats --since 7d: how quickly trouble was seen, answered and ended, and what was denied or expired
      Act (asks the approvers; nothing is sent before one of them presses the button)
      - /pg cancel 4312 reason: ends the running statement; the connection stays
      - /pg terminate 4312 reason: closes the connection and rolls its transaction back
      - /pg terminate --app web --state idle --older 10m reason: all whom the filters find, on one card with a list; cancel likewise
      - /pg sweep: what is asked for by itself at its times, and when next; /pg sweep NAME asks now
      Calm (everything is still watched and written down)
      - /pg snooze blocking 30m, /pg snooze 3f2a9c1b 1h: no new cards for a kind (blocking, long, idle-in-transaction, idle, connections, storm, cycle, pools, deadlocks, prepared, vacuum, wraparound, slots) or an incident; /pg unsnooze … ends it
      - /pg quiet 2h reason: no new cards at all, for planned work; /pg quiet off ends it, /pg quiet shows what is silent
      Filter the lists; all that are given must hold
      - --db orders, --user shop, --app web: any part of the name, upper and lower case alike; "two words" in quotes
      - --state active, idle, idle-in-transaction or waiting (for a lock)
      - --older 5m: for longer than that in its statement, state or transaction: 30s, 5m, 1h30m
      - --cluster NAME: only needed when there are several"
    `)
    expect((await ask('help', both)).view.text).toContain('Configured: orders, Billing, search.')
  })
})
