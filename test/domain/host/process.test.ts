import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type Backend,
  hostDifferences,
  outcomeOnHost,
  protectionOnHost,
  untouchableOnHost,
  whyStill,
} from '../../../src/domain/host/process.ts'

const postmaster = {
  pid: 10,
  startTicks: '1',
  executable: '/pg/postgres',
  dataDirectory: '/data',
  port: 5432,
}
const client = (activity: string, over: object = {}) =>
  ({ kind: 'client', userAndDatabase: 'shop orders', client: '[local]', activity, ...over }) as const
const backend = (over: Partial<Backend> = {}): Backend => ({
  ...{ pid: 4312, parent: 10, startTicks: '77', state: 'S', title: '', executable: '/pg/postgres' },
  ...{ cpuSeconds: 0, seconds: 5, io: null, what: client('SELECT') },
  ...over,
})

describe('a process', () => {
  it.each<[string, Partial<Backend>, RegExp | null]>([
    ['a client of this server', {}, null],
    ['a child of another', { parent: 11 }, /no child of the server in \/data/],
    ['another program', { executable: '/bin/sh' }, /runs \/bin\/sh/],
    ['a program that may not be seen', { executable: null }, /may not be seen/],
    [
      'the server’s own',
      { what: { kind: 'server', name: 'checkpointer' } },
      /checkpointer\) serves no client/,
    ],
    ['without a title', { what: null }, /without a title/],
  ])('%s', (_, over, why) => {
    const said = untouchableOnHost(backend(over), postmaster)
    if (why === null) expect(said).toBeNull()
    else expect(said).toMatch(why)
  })

  it('is the one that was chosen as long as it serves the same client', () => {
    const chosen = backend()
    const differs = (now: Backend | null) => hostDifferences(chosen, now)
    expect(differs(backend({ what: client('idle') }))).toEqual([])
    expect(differs(null)).toEqual(['it is gone'])
    expect(differs(backend({ startTicks: '78' }))).toEqual(['it is gone'])
    expect(differs(backend({ state: 'Z' }))).toEqual(['it has ended'])
    expect(differs(backend({ what: null }))).toEqual(['it serves no client'])
    expect(hostDifferences(backend({ what: null }), backend())).toEqual(['it serves no client'])
    expect(differs(backend({ what: client('SELECT', { client: '::1(5)' }) }))).toEqual([
      'it serves another client',
    ])
    expect(differs(backend({ what: client('x', { userAndDatabase: 'web orders' }) }))).toHaveLength(1)
  })

  it('is done with when it is gone, and for a cancel when its statement has ended', () => {
    const chosen = backend()
    for (const now of [null, backend({ startTicks: '78' }), backend({ state: 'Z' })])
      expect(outcomeOnHost('terminate', chosen, now, 5)).toEqual({ kind: 'gone', afterMs: 5 })
    const idle = backend({ what: client('idle in transaction (aborted)') })
    expect(outcomeOnHost('cancel', chosen, idle, 5)).toEqual({ kind: 'statementEnded', afterMs: 5 })
    expect(outcomeOnHost('terminate', chosen, idle, 5)).toBeNull()
    expect(outcomeOnHost('cancel', chosen, chosen, 5)).toBeNull()
    // It was idle before: that proves nothing.
    expect(outcomeOnHost('cancel', idle, idle, 5)).toBeNull()
    expect(outcomeOnHost('cancel', chosen, backend({ what: null }), 5)).toBeNull()
    expect(outcomeOnHost('cancel', backend({ what: null }), idle, 5)).toBeNull()
  })

  it('that is still there says why', () => {
    expect(whyStill({ pid: 1, state: 'T' }, 1000)).toContain('signal is pending')
    expect(whyStill({ pid: 1, state: 't' }, 1000)).toContain('signal is pending')
    expect(whyStill({ pid: 1, state: 'D' }, 1000)).toContain('in the kernel')
    expect(whyStill({ pid: 1, state: 'S' }, 1000)).toContain('still there, 1')
  })

  it('is protected in each way in which its title may be read', () => {
    const named = (userAndDatabase: string) => backend({ what: client('idle', { userAndDatabase }) })
    const protects = (names: string, rule: object) => protectionOnHost(named(names), [rule])?.certain ?? null
    expect(protects('shop orders', { user: 'shop' })).toBe(true)
    expect(protects('shop orders', { database: 'orders' })).toBe(true)
    expect(protects('shop orders', { user: 'orders' })).toBeNull()
    expect(protects('my shop the orders', { user: 'my shop', database: 'the orders' })).toBe(true)
    expect(protects('shop orders', { applicationName: 'pg_dump' })).toBe(false)
    expect(protects('shop orders', { applicationName: 'pg_dump', user: 'web' })).toBeNull()
    const both = [{ applicationName: 'pg_dump' }, { user: 'shop' }]
    expect(protectionOnHost(named('shop orders'), both)).toEqual({ rule: { user: 'shop' }, certain: true })
    expect(protectionOnHost(backend({ what: null }), [{ user: 'shop' }])).toBeNull()
  })
})

it('no part of the code knows a signal that the whole server would not survive', () => {
  const src = join(import.meta.dirname, '../../../src')
  const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  )
  const named = sources.flatMap((path) =>
    [...readFileSync(join(src, path), 'utf8').matchAll(/['"`]SIG(?:KILL|QUIT|STOP|ABRT)['"`]|\bkill\(/g)].map(
      ([word]) => `${path}: ${word}`,
    ),
  )
  expect(sources.length).toBeGreaterThan(300)
  expect(named).toEqual(['host/procfs.ts: kill('])
})
