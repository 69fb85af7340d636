import { describe, expect, it } from 'vitest'
import { answerRules } from '../../src/answers/rules.ts'
import { findings } from '../../src/domain/incidents/finding.ts'
import type { Filters } from '../../src/domain/lists/filters.ts'
import { noForest } from '../../src/domain/locks/blocking.ts'
import type { Rule } from '../../src/domain/session/policy.ts'
import { parseHours } from '../../src/domain/text/hours.ts'
import { type Cluster, ClusterError } from '../../src/postgres/cluster.ts'
import type { View } from '../../src/views/kit.ts'
import { ask, checkView, clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import * as of from '../support/builders.ts'

const night = parseHours('22:00-06:00', 'UTC')
const rules: Rule[] = [
  {
    match: { applicationName: 'pg_dump', user: 'backup' },
    thresholds: {
      queryLongerThanSeconds: 21_600,
      idleInTransactionLongerThanSeconds: Number.POSITIVE_INFINITY,
    },
    hours: 'hours' in night ? night.hours : null,
    from: 'cluster',
  },
  {
    match: { applicationName: 'web*' },
    thresholds: { blockedForSeconds: 5, queryLongerThanSeconds: 6 },
    hours: null,
    from: 'general',
  },
]
const sessions = [
  of.session(1, { applicationName: 'pg_dump', usename: 'backup', stateSeconds: 9_000 }),
  of.session(2, { stateSeconds: 7 }),
  of.idle(3, 10, { applicationName: 'web-2' }),
  of.idle(4, 10, { applicationName: 'psql', datname: 'shop' }),
  of.serverProcess(5, 'checkpointer'),
]

const watchedBy = (rules: readonly Rule[], over: Partial<Cluster> = {}) => ({
  config: clusterConfig('orders', { watch: { ...clusterConfig('orders').watch, rules } }),
  cluster: pictureCluster(of.picture(sessions), [], over),
})

/** Asked at 03:00 UTC. */
async function shown(filters: Filters, watched = watchedBy(rules)): Promise<View> {
  const view = await answerRules({ kind: 'rules', filters, cluster: null }, watched, false, of.takenAt)
  checkView(view)
  return view
}
const transcript = async (...given: Parameters<typeof shown>) => (await shown(...given)).text

describe('/pg rules', () => {
  it('shows which limits hold, in their order, and for how many sessions now', async () => {
    expect(await transcript({})).toMatchInlineSnapshot(`
      "Rules on orders
      2 rules; the first that matches holds, within its hours. What it does not mention is as for everyone else. For a lock, those who wait decide.
      1 | application pg_dump, user backup (this cluster) | 22:00-06:00 (UTC) | statement 6 h, idle in transaction never | 1
      2 | application web* | always | blocked 5 s, statement 6 s | 2
      everyone else | always | blocked 30 s, statement 1 h, idle in transaction 5 min, idle 30 min, vacuum held back 10 million transactions | 1
      Connections: above 85 % of max_connections. Waits in PgBouncer: 30 s. Prepared transactions: 15 min. Wraparound: above 50 % of the way. Replication slots: 10 GB of WAL. As of 2026-03-01 03:00:00 UTC, just read."
    `)
  })

  it('says why what holds for a name', async () => {
    expect(await transcript({ app: 'pg_dump', user: 'backup' })).toMatchInlineSnapshot(`
      "Rules on orders
      2 rules; the first that matches holds, within its hours. What it does not mention is as for everyone else. For a lock, those who wait decide.
      A session with exactly the names --user backup --app pg_dump: rule 1 holds.
      1 | application pg_dump, user backup (this cluster) | 22:00-06:00 (UTC) | statement 6 h, idle in transaction never | 1 | holds: it matches, and it is in its hours
      2 | application web* | always | blocked 5 s, statement 6 s | 0 | no: one above holds
      everyone else | always | blocked 30 s, statement 1 h, idle in transaction 5 min, idle 30 min, vacuum held back 10 million transactions | 0 | no: a rule holds
      Connections: above 85 % of max_connections. Waits in PgBouncer: 30 s. Prepared transactions: 15 min. Wraparound: above 50 % of the way. Replication slots: 10 GB of WAL. Now: sessions that match --user backup --app pg_dump. As of 2026-03-01 03:00:00 UTC, just read."
    `)
    expect(await transcript({ app: 'pg_dump' })).toMatchInlineSnapshot(`
      "Rules on orders
      2 rules; the first that matches holds, within its hours. What it does not mention is as for everyone else. For a lock, those who wait decide.
      A session with exactly the names --app pg_dump: what holds for everyone else holds, unless a rule above does that depends on more names.
      1 | application pg_dump, user backup (this cluster) | 22:00-06:00 (UTC) | statement 6 h, idle in transaction never | 1 | depends on --user
      2 | application web* | always | blocked 5 s, statement 6 s | 0 | no: another name
      everyone else | always | blocked 30 s, statement 1 h, idle in transaction 5 min, idle 30 min, vacuum held back 10 million transactions | 0 | if none above does
      Connections: above 85 % of max_connections. Waits in PgBouncer: 30 s. Prepared transactions: 15 min. Wraparound: above 50 % of the way. Replication slots: 10 GB of WAL. Now: sessions that match --app pg_dump. As of 2026-03-01 03:00:00 UTC, just read."
    `)
  })

  it('says so when there are none', async () => {
    expect(await transcript({}, watchedBy([]))).toMatchInlineSnapshot(`
      "Rules on orders
      No rules: the same limits hold for all sessions.
      all | always | blocked 30 s, statement 1 h, idle in transaction 5 min, idle 30 min, vacuum held back 10 million transactions | 4
      Connections: above 85 % of max_connections. Waits in PgBouncer: 30 s. Prepared transactions: 15 min. Wraparound: above 50 % of the way. Replication slots: 10 GB of WAL. As of 2026-03-01 03:00:00 UTC, just read."
    `)
  })

  it('shows the rules even where nothing can be seen', async () => {
    const unseen = watchedBy(rules, {
      snapshot: async () => {
        throw new ClusterError('Nothing listens there.', 'ECONNREFUSED', true)
      },
    })
    const text = await transcript({}, unseen)
    expect(text).toContain('How many sessions each holds for cannot be seen: Nothing listens there.')
    expect(text).toContain('2 | application web* | always | blocked 5 s, statement 6 s\n')
  })

  it('keeps within what Slack takes', async () => {
    const many = Array.from(
      { length: 200 },
      (_, index): Rule => ({
        match: {
          applicationName: `${index}${'<&|`'.repeat(15)}`,
          user: 'u'.repeat(63),
          database: 'd'.repeat(63),
        },
        thresholds: { blockedForSeconds: 1, queryLongerThanSeconds: 1, idleLongerThanSeconds: 1 },
        hours: null,
        from: 'cluster',
      }),
    )
    const { blocks } = await shown({ app: 'x', db: 'y'.repeat(60) }, watchedBy(many))
    expect(JSON.stringify(blocks)).toContain('175 more rules.')
  })
})

describe('the lists', () => {
  it('say that limits differ where rules make a difference', async () => {
    const clusters = watching(watchedBy(rules))
    expect((await ask('long', clusters)).view.text).toMatch(
      /^Long.*\n1 active session with a statement or transaction older than 1 h \(or its rule’s limit\)\./,
    )
    expect((await ask('sessions', clusters)).view.text).toContain(
      '1 statement runs for longer than 1 h (or its rule’s limit).',
    )
    expect((await ask('idle', clusters)).view.text).toContain('(or its rule’s limit)')
  })

  it('say never where nothing is ever too long', async () => {
    const watch = { ...clusterConfig('orders').watch, idleLongerThanSeconds: Number.POSITIVE_INFINITY }
    const watched = {
      config: clusterConfig('orders', { watch }),
      cluster: pictureCluster(of.picture([of.idle(1, 1e9)])),
    }
    expect((await ask('sessions', watching(watched))).view.text).toContain(
      'nothing is past its threshold (statement 1 h, idle in transaction 5 min, idle never)',
    )
    expect((await ask('idle', watching(watched))).view.text).toContain('or idle for more than any limit')
  })
})

describe('connections', () => {
  const found = (used: number, server: Parameters<typeof of.server>[0], open = new Set<string>()) => {
    const clients = Array.from({ length: used }, (_, index) => of.session(index + 1))
    const snapshot = of.snapshot(clients, { ownConnections: 0, server: of.server(server) })
    return findings(snapshot, noForest, of.thresholds, { open }).length === 1
  }
  const scarce = { maxConnections: 20, reservedConnections: 8 }

  it.each([
    [16, { maxConnections: 20, reservedConnections: 3 }, false],
    [17, { maxConnections: 20, reservedConnections: 3 }, true],
    [11, scarce, false],
    [12, scarce, true],
  ])('%i used of %j: %s', (used, server, expected) => {
    expect(found(used, server)).toBe(expected)
  })

  it('that are free again must be some', () => {
    expect(found(11, scarce, new Set(['connections']))).toBe(true)
    expect(found(10, scarce, new Set(['connections']))).toBe(false)
  })
})
