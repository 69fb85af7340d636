import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hindranceOnHost, outcomeOnHost, stillOnHost } from '../../../src/domain/host/guard.ts'
import { isFromHost, isOfBoot } from '../../../src/domain/host/identity.ts'
import { type Backend, untouchableOnHost, whyStill } from '../../../src/domain/host/process.ts'
import {
  changedOnHost,
  fitOnHost,
  protectionOnHost,
  sessionOnHost,
} from '../../../src/domain/host/session.ts'
import { readTitle } from '../../../src/domain/host/title.ts'
import type { Protected } from '../../../src/domain/session/policy.ts'

const postmaster = {
  ...{
    pid: 10,
    insidePid: 10,
    startTicks: '1',
    bootId: '4f1c',
    executable: '/pg/postgres',
    dataDirectory: '/data',
  },
  ...{ port: 5432, clusterName: null },
}
const backend = (title = 'shop orders [local] SELECT', over: Partial<Backend> = {}): Backend => ({
  ...{ pid: 4312, parent: 10, startTicks: '77', state: 'S', title: `postgres: ${title}` },
  ...{ executable: '/pg/postgres', cpuSeconds: 0, seconds: 5, io: null },
  what: readTitle(`postgres: ${title}`, null),
  ...over,
})
const session = (title?: string, over?: Partial<Backend>) => sessionOnHost(backend(title, over), postmaster)
const idle = 'shop orders [local] idle'
const inTransaction = 'shop orders [local] idle in transaction'

describe('a process', () => {
  it.each<[string, Partial<Backend>, RegExp | null]>([
    ['a client of this server', {}, null],
    ['a child of another', { parent: 11 }, /no child of the server in \/data/],
    ['another program', { executable: '/bin/sh' }, /runs \/bin\/sh/],
    ['a program that may not be seen', { executable: null }, /may not be seen/],
    [
      'the server’s own',
      { what: { kind: 'server', name: 'checkpointer' } },
      /checkpointer\) serves no client[\s\S]*Never kill -9[\s\S]*restarts[\s\S]*\nInstead, in this order: cancel it, terminate it/,
    ],
    ['without a title', { what: null }, /without a title/],
    [
      'whose title does not say what it does',
      { what: readTitle('postgres: shop orders [local]', null) },
      /left alone: update_process_title is off[\s\S]*Set update_process_title = on .* and reload/,
    ],
  ])('%s', (_, over, why) => {
    const said = untouchableOnHost(backend(undefined, over), postmaster)
    const fit = fitOnHost(backend(undefined, over), postmaster, [])
    if (why === null) expect([said, fit.action]).toEqual([null, 'cancel'])
    else {
      expect(said).toMatch(why)
      expect(fit).toEqual({ action: null, why: said })
    }
  })

  it.each([
    ['shop orders [local] SELECT', 'active', null],
    ['shop orders [local] SELECT waiting', 'active', 'Lock'],
    ['shop orders 10.0.0.7(51234) idle', 'idle', null],
    ['shop orders [local] idle in transaction', 'idle in transaction', null],
    ['shop orders [local] idle in transaction (aborted)', 'idle in transaction (aborted)', null],
    ['shop orders [local] startup waiting', 'starting', 'Lock'],
    ['shop orders [local] authentication', 'starting', null],
    ['shop orders [local] CREATE INDEX', 'active', null],
    ['shop orders [local]', null, null],
  ])('%s is a session, as far as its title goes', (title, state, waitEventType) => {
    expect(session(title)).toMatchObject({
      ...{
        pid: 4312,
        backendType: 'client backend',
        usename: 'shop',
        datname: 'orders',
        state,
        waitEventType,
      },
      ...{ query: `postgres: ${title}`, backendSeconds: 5, xactSeconds: null, applicationName: '' },
    })
  })

  it('whose user or database has a space is named whole; one of the server has no state', () => {
    expect(session('my shop orders [local] idle')).toMatchObject({ usename: 'my shop orders', datname: null })
    expect(session('checkpointer')).toMatchObject({
      backendType: 'server process',
      state: null,
      usename: null,
    })
  })

  it('has an identity of the machine’s run, the postmaster and its own start', () => {
    const { backendStart } = session()
    expect(backendStart).toBe('boot 4f1c postmaster 10@1 process 77')
    expect(isFromHost({ backendStart })).toBe(true)
    expect(isFromHost({ backendStart: '2026-11-29 09:12:06.123456+00' })).toBe(false)
    expect(isOfBoot({ backendStart }, '4f1c')).toBe(true)
    expect(isOfBoot({ backendStart }, '4f1')).toBe(false)
    // The value of a button takes no longer one.
    const longest = { pid: 4_194_304, startTicks: '9'.repeat(10), bootId: 'f'.repeat(36) }
    const last = { startTicks: '9'.repeat(10) }
    expect(
      sessionOnHost(backend(idle, last), { ...postmaster, ...longest }).backendStart.length,
    ).toBeLessThan(100)
  })
})

describe('what was approved', () => {
  const hindrance = (
    now: Backend | null,
    { action = 'terminate', chosen = session(), rules = [] }: Partial<Parameters<typeof guard>[0]> = {},
  ) => hindranceOnHost(guard({ action, chosen, rules }), now)
  const guard = ({
    action,
    chosen,
    rules,
  }: {
    action: 'cancel' | 'terminate'
    chosen: ReturnType<typeof session>
    rules: Protected[]
  }) => ({ action, postmaster, chosen, protected: rules })

  it('is the same process of the same server', () => {
    expect(hindrance(backend())).toBeNull()
    expect(hindrance(null)).toBe('4312 is gone')
    expect(hindrance(backend(undefined, { state: 'Z' }))).toBe('4312 is gone')
    expect(hindrance(backend(undefined, { startTicks: '78' }))).toMatch(/the pid belongs to another process/)
    expect(hindrance(backend(undefined, { parent: 11 }))).toMatch(/no child of the server/)
    expect(hindrance(backend(undefined, { executable: '/bin/sh' }))).toMatch(/runs \/bin\/sh/)
    const restarted = { ...postmaster, startTicks: '2' }
    expect(
      hindranceOnHost(
        { ...guard({ action: 'terminate', chosen: session(), rules: [] }), postmaster: restarted },
        backend(),
      ),
    ).toMatch(/the pid belongs to another process/)
  })

  it('serves the same client', () => {
    for (const other of [
      'shop orders ::1(5) SELECT',
      'web orders [local] SELECT',
      'shop stock [local] SELECT',
    ])
      expect(hindrance(backend(other))).toBe('4312 is not what was approved: it serves another client')
    expect(hindrance(backend('checkpointer'))).toMatch(/it serves another client/)
  })

  it('does what it did, as far as a title shows', () => {
    const changed = (action: 'cancel' | 'terminate', then: string, now: string) =>
      changedOnHost(action, session(then), session(now))
    expect(changed('cancel', 'shop orders [local] SELECT', 'shop orders [local] SELECT waiting')).toBeNull()
    expect(changed('cancel', 'shop orders [local] SELECT', 'shop orders [local] UPDATE')).toBe(
      'it runs another statement',
    )
    expect(changed('cancel', 'shop orders [local] SELECT', inTransaction)).toBe('its statement ended')
    expect(changed('terminate', 'shop orders [local] SELECT', inTransaction)).toBeNull()
    expect(changed('terminate', inTransaction, idle)).toBe('its transaction ended')
    expect(changed('terminate', idle, 'shop orders [local] SELECT')).toBe('it is in use again')
    expect(changed('terminate', idle, idle)).toBeNull()
  })

  it('is not protected, and the action still has an effect', () => {
    expect(hindrance(backend(), { rules: [{ user: 'shop' }] })).toMatch(
      /protected by the configuration \(user: shop\)/,
    )
    expect(hindrance(backend(), { rules: [{ applicationName: 'pg_dump' }] })).toBeNull()
    expect(fitOnHost(backend(idle), postmaster, []).action).toBe('terminate')
    expect(fitOnHost(backend(inTransaction), postmaster, []).action).toBe('terminate')
    const chosen = session(idle)
    expect(hindrance(backend(idle), { action: 'cancel', chosen })).toMatch(/its statement ended/)
  })

  it('is done with when it is gone, and for a cancel when its statement has ended', () => {
    const seen = (action: 'cancel' | 'terminate', now: Backend | null) =>
      outcomeOnHost({ action, postmaster, chosen: session() }, now, 5)
    const effective = { kind: 'effective', afterMs: 5, victims: 0, movedOn: 0 }
    const ends = [null, backend(undefined, { startTicks: '78' }), backend(undefined, { state: 'Z' })]
    for (const now of ends)
      expect([seen('terminate', now), seen('cancel', now)]).toEqual([effective, effective])
    expect(seen('cancel', backend(inTransaction))).toEqual(effective)
    expect(seen('terminate', backend(inTransaction))).toBeNull()
    expect(seen('cancel', backend())).toBeNull()
    expect(stillOnHost(backend(undefined, { state: 'T' }), postmaster, 9)).toMatchObject({
      ...{ kind: 'still', afterMs: 9, state: 'active' },
      why: expect.stringContaining('signal is pending'),
    })
  })

  it('that is still there says why', () => {
    expect(whyStill({ pid: 1, state: 'T' })).toMatch(/stopped.*signal is pending/)
    expect(whyStill({ pid: 1, state: 't' })).toMatch(/stopped.*signal is pending/)
    expect(whyStill({ pid: 1, state: 'D' })).toMatch(/disk.*signal is pending/)
    expect(whyStill({ pid: 1, state: 'S' })).toContain('when it next looks')
  })

  it('is protected in each way in which its title may be read', () => {
    const named = (names: string) => backend(`${names} [local] idle`)
    const protects = (names: string, rule: object) => protectionOnHost(named(names), [rule])?.certain ?? null
    expect(protects('shop orders', { user: 'shop' })).toBe(true)
    expect(protects('shop orders', { database: 'orders' })).toBe(true)
    expect(protects('shop orders', { user: 'orders' })).toBeNull()
    expect(protects('my shop the orders', { user: 'my shop', database: 'the orders' })).toBe(true)
    expect(protects('shop orders', { applicationName: 'pg_dump' })).toBe(false)
    expect(protects('shop orders', { applicationName: 'pg_dump', user: 'web' })).toBeNull()
    const both = [{ applicationName: 'pg_dump' }, { user: 'shop' }]
    expect(protectionOnHost(named('shop orders'), both)).toEqual({ rule: { user: 'shop' }, certain: true })
    expect(protectionOnHost(backend(undefined, { what: null }), [{ user: 'shop' }])).toBeNull()
  })
})

/** Sources with each match of a pattern, as `path: match`. */
const matchesIn = (pattern: RegExp): string[] => {
  const src = join(import.meta.dirname, '../../../src')
  const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  )
  expect(sources.length).toBeGreaterThan(300)
  return sources
    .flatMap((path) =>
      [...readFileSync(join(src, path), 'utf8').matchAll(pattern)].map(([word]) => `${path}: ${word}`),
    )
    .sort()
}

describe('the code', () => {
  it('knows no signal that the whole server would not survive', () => {
    expect(matchesIn(/['"`]SIG(?:KILL|QUIT|STOP|ABRT)['"`]/g)).toEqual([])
    expect(matchesIn(/\bkill\(.*/g)).toEqual([
      'host/procfs.ts: kill(chosen.pid, name)',
      // Sends nothing: it asks whether it might.
      'host/procfs.ts: kill(pid, 0)',
    ])
  })

  it('sends a signal in one place for each way', () => {
    expect(matchesIn(/\b(?:cluster|host)\.signal\(/g)).toEqual([
      'actions/carryOut.ts: cluster.signal(',
      'host/signal.ts: host.signal(',
    ])
    expect(matchesIn(/\bsignalOnHost\(/g)).toEqual([
      'actions/carryOutOnHost.ts: signalOnHost(',
      'host/signal.ts: signalOnHost(',
      'terminal/host.ts: signalOnHost(',
    ])
  })
})
