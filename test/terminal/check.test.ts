import { afterEach, describe, expect, it } from 'vitest'
import { type Config, ConfigError, parseConfig } from '../../src/config/config.ts'
import { judge } from '../../src/domain/lists/probe.ts'
import type { Picture } from '../../src/domain/locks/picture.ts'
import type { Thresholds } from '../../src/domain/session/policy.ts'
import { check, checkHelp, checkLine, checkWords, readOptions } from '../../src/terminal/check.ts'
import * as of from '../support/builders.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

/** The line that these options make of a picture. */
function line(picture: Picture, options = '', thresholds: Thresholds = of.thresholds): string {
  const asked = readOptions(options.split(' ').filter(Boolean))
  if ('problem' in asked) throw new Error(asked.problem)
  const verdict = judge(picture, asked.limits, thresholds)
  return checkLine(verdict.status, checkWords(verdict, picture), verdict.measures)
}
const words = (...given: Parameters<typeof line>) => line(...given).split(' |')[0]

const jam = of.picture(
  [
    of.idleInTransaction(1, 400, { applicationName: 'batch' }),
    of.waiting(2, 40),
    of.waiting(3, 20),
    of.session(4, { stateSeconds: 4_000, applicationName: 'pg_dump', usename: 'backup' }),
  ],
  of.rowQueue(1, [
    [2, 40],
    [3, 20],
  ]),
)
const calm = of.picture([of.session(1), of.idle(2, 5_000)])

describe('the line', () => {
  it('says that all is well, with every value and its limits', () => {
    expect(line(calm)).toBe(
      'PG_MARSHAL OK - 1 active session, 0 waiting for a lock, 4 of 100 connections used |' +
        'waiting=0;;;0 oldest_wait=0s;;30;0 connections=4;;85;0;100 longest_query=1s;3600;;0 ' +
        'longest_idle_in_transaction=0s;300;;0 longest_transaction=1s;;;0',
    )
  })

  it('says what is wrong, worst first', () => {
    expect(line(jam)).toBe(
      'PG_MARSHAL CRITICAL - 1 session waits for a lock, for 40 s behind 1 (batch, user shop, database orders); ' +
        'long statement: 4 (pg_dump, user backup, database orders) for 1 h 6 min; ' +
        'idle in transaction: 1 (batch, user shop, database orders) for 6 min 40 s |' +
        'waiting=2;;;0 oldest_wait=40s;;30;0 connections=6;;85;0;100 longest_query=4000s;3600;;0 ' +
        'longest_idle_in_transaction=400s;300;;0 longest_transaction=4000s;;;0',
    )
  })

  it.each([
    ['--blocked-for 60s', 'WARNING', /^long statement/],
    ['--blocked-for 20s', 'CRITICAL', /^2 sessions wait for a lock, the longest for 40 s behind 1/],
    ['--blocked-for never --query-longer-than 1h6m', 'CRITICAL', /^long statement.*; idle in transaction/],
    ['--blocked-for 1h --warning blocked-for=40s', 'WARNING', /^1 session waits/],
    [
      '--blocked-for never --warning query-longer-than=never --warning idle-in-transaction=never',
      'OK',
      /^3 active sessions, 2 waiting/,
    ],
    [
      '--blocked-for 41s --warning query-longer-than=2h --idle-in-transaction 6m40s',
      'CRITICAL',
      /^idle in transaction: 1 [^;]*$/,
    ],
    ['--blocked-for never --connections-above 6', 'CRITICAL', /^6 of 100 connections used \(6 %\); long/],
    ['--blocked-for never --connections-above 7', 'WARNING', /^long/],
    ['--blocked-for never --warning connections-above=5', 'WARNING', /^6 of 100 connections used/],
  ])('%s: %s', (options, status, text) => {
    const [, said, rest] = /^PG_MARSHAL (\w+) - (.*)$/.exec(words(jam, options) ?? '') ?? []
    expect(said).toBe(status)
    expect(rest).toMatch(text)
  })

  it('holds the configured limits by their rules, and given ones for all', () => {
    const thresholds: Thresholds = {
      ...of.thresholds,
      rules: [
        {
          match: { applicationName: 'pg_dump' },
          thresholds: { queryLongerThanSeconds: 21_600 },
          hours: null,
          from: 'general',
        },
        {
          match: { applicationName: 'web' },
          thresholds: { blockedForSeconds: 100 },
          hours: null,
          from: 'general',
        },
        {
          match: { user: 'shop' },
          thresholds: { idleInTransactionLongerThanSeconds: Number.POSITIVE_INFINITY },
          hours: null,
          from: 'general',
        },
      ],
    }
    expect(words(jam, '', thresholds)).toMatch(/^PG_MARSHAL OK/)
    expect(words(jam, '--query-longer-than 1h', thresholds)).toMatch(/^PG_MARSHAL CRITICAL - long statement/)
    expect(words(jam, '--blocked-for 30s', thresholds)).toMatch(/^PG_MARSHAL CRITICAL - 1 session waits/)
  })

  it('knows what it cannot know: a lock storm is critical, the wait without a value', () => {
    const storm = of.picture(jam.snapshot.sessions, {
      kind: 'jammed',
      why: 'it piles up.',
      last: null,
      lastTakenAt: null,
    })
    expect(line(storm, '--blocked-for never')).toMatch(
      /^PG_MARSHAL CRITICAL - 2 sessions wait for locks, and who blocks them cannot be read; .* oldest_wait=U;/,
    )
  })

  it('takes it for critical that ordinary roles get no connection, however few are used', () => {
    const full = of.picture([of.session(1)], [], {
      server: of.server({ maxConnections: 10, reservedConnections: 7 }),
    })
    expect(words(full)).toBe(
      'PG_MARSHAL CRITICAL - 3 of 10 connections used (30 %, no more for ordinary roles)',
    )
    expect(words(full, '--connections-above never')).toMatch(/^PG_MARSHAL OK/)
  })

  it('is one line whose text holds nothing but text', () => {
    const evil = of.picture([
      of.session(1, { stateSeconds: 9_999, applicationName: 'a|b=1;\nPG_MARSHAL OK\u202e' }),
    ])
    const said = line(evil)
    expect(said.split('|')).toHaveLength(2)
    expect(said).toContain('1 (a/b=1; PG_MARSHAL OK, user shop')
    expect(said).not.toMatch(/[\n\u202e]/)
  })
})

describe('options', () => {
  it.each([
    ['--blocked-for', 'argument missing'],
    ['--blocked-for 60', '--blocked-for: A duration needs a unit'],
    ['--connections-above 85%', '--connections-above: Write a whole number of percent'],
    ['--connections-above 0', '--connections-above: Write a whole number of percent'],
    ['--connections-above 101', '--connections-above: Write a whole number of percent'],
    ['--warning 5m', '--warning takes NAME=LIMIT'],
    ['--warning idle=5m', '--warning takes NAME=LIMIT'],
    ['--warning blocked-for=soon', '--warning blocked-for: This is not a duration'],
    ['--critical 5', "Unknown option '--critical'."],
    ['orders', "Unexpected argument 'orders'"],
  ])('%s is told', (options, sentence) => {
    const asked = readOptions(options.split(' '))
    expect('problem' in asked && asked.problem).toContain(sentence)
    expect('problem' in asked && asked.problem).toMatch(/^[^\n]*\.$/)
  })

  it('are all explained in the help', () => {
    for (const option of ['--cluster', '--blocked-for', '--connections-above', '--query-longer-than'])
      expect(checkHelp).toContain(`${option} `)
    expect(checkHelp).toContain('--idle-in-transaction TIME')
    expect(checkHelp).toContain('--warning NAME=LIMIT')
  })
})

const run = async (args: readonly string[], load: () => Config) => {
  let text = ''
  const code = await check(args, load, { write: (more: string) => (text += more) }, Date.now)
  return { code, text }
}
const configOf = (url: string, more = '') =>
  parseConfig(
    `slack: { channel: C1 }\naccess: { approvers: [U1] }\nclusters:\n  - { name: orders, url: '${url}' }\n${more}`,
    {},
  )

describe('what keeps it from looking is UNKNOWN', () => {
  it.each([
    [['--blocked-for', 'x'], '', /^PG_MARSHAL UNKNOWN - --blocked-for: .* See check --help\.\n$/],
    [
      ['--cluster', 'shop'],
      '',
      /^PG_MARSHAL UNKNOWN - There is no cluster shop here\. Configured: orders\.\n$/,
    ],
    [[], "  - { name: shop, url: 'postgres://h/d' }\n", /UNKNOWN - Which cluster\? Add --cluster NAME\./],
    [[], '', /^PG_MARSHAL UNKNOWN - orders: Nothing listens there: .*\n$/],
  ])('%j', async (args, more, expected) => {
    expect(await run(args, () => configOf('postgres://127.0.0.1:1/x', more))).toMatchObject({
      code: 3,
      text: expect.stringMatching(expected),
    })
  })

  it('a configuration that cannot be used, and a fault of ours', async () => {
    const broken = () => {
      throw new ConfigError(['watch.every: Write it.', 'a', 'b'], 'x')
    }
    expect(await run([], broken)).toEqual({
      code: 3,
      text: 'PG_MARSHAL UNKNOWN - watch.every: Write it. (and 2 more problems)\n',
    })
    const fault = () => {
      throw new TypeError('postgres://u:hunter2@h')
    }
    expect(await run([], fault)).toEqual({
      code: 3,
      text: 'PG_MARSHAL UNKNOWN - pg-marshal failed: TypeError\n',
    })
  })

  it('but not being asked for help', async () => {
    expect(await run(['--help'], () => expect.unreachable())).toEqual({ code: 0, text: checkHelp })
  })
})

describe('against PostgreSQL', () => {
  let server: TestServer
  afterEach(() => server.stop())

  it('sees calm, a jam, and what it may not see', async () => {
    server = await startTestServer()
    const config = configOf(server.marshalUrl)
    expect(await run([], () => config)).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^PG_MARSHAL OK - orders: .*\|waiting=0;;;0 oldest_wait=0s;;30;0 .*\n$/),
    })
    const [root, waiter] = [await server.open('root'), await server.open('waiter')]
    await root.query('SELECT pg_advisory_lock(7)')
    void waiter.start('SELECT pg_advisory_lock(7)')
    await server.untilWaiting(waiter)
    expect(await run(['--cluster', 'orders', '--blocked-for', '1ms'], () => config)).toMatchObject({
      code: 2,
      text: expect.stringMatching(
        /^PG_MARSHAL CRITICAL - orders: 1 session waits for a lock, for .* behind \d+ \(root, user postgres, /,
      ),
    })
    expect(await run(['--blocked-for', '1h', '--warning', 'blocked-for=1ms'], () => config)).toMatchObject({
      code: 1,
    })

    const nobody = configOf(await server.createRole('nobody'))
    expect(await run([], () => nobody)).toMatchObject({
      code: 3,
      text: expect.stringMatching(/^PG_MARSHAL UNKNOWN - orders: .*GRANT pg_monitor TO "nobody";\n$/),
    })
  })

  it('takes it for critical that it gets no connection because all are taken', async () => {
    server = await startTestServer({ settings: { max_connections: 8, superuser_reserved_connections: 2 } })
    const app = await server.createRole('app')
    for (let full = false; !full; ) {
      await server.open('crowd', app).catch(() => {
        full = true
      })
    }
    expect(await run([], () => configOf(server.marshalUrl))).toMatchObject({
      code: 2,
      text: expect.stringMatching(/^PG_MARSHAL CRITICAL - orders: Every connection slot is taken\./),
    })
  })
})
