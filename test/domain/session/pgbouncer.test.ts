import { describe, expect, it } from 'vitest'
import {
  areOfInterest,
  type BouncerClient,
  type BouncerPool,
  type BouncerServer,
  isConsole,
  linksOf,
  withPooler,
} from '../../../src/domain/session/pgbouncer.ts'
import type { Session } from '../../../src/domain/session/session.ts'
import * as of from '../../support/builders.ts'

const pool = (over: Partial<BouncerPool> = {}): BouncerPool => ({
  database: 'orders',
  user: 'shop',
  mode: 'transaction',
  clients: 500,
  waiting: 0,
  waitSeconds: 0,
  lent: 1,
  free: 0,
  inLogin: 0,
  ...over,
})
const server = (over: Partial<BouncerServer> = {}): BouncerServer => ({
  database: 'orders',
  user: 'shop',
  localAddr: '10.0.0.9',
  localPort: 40_001,
  backendPid: 1,
  ptr: '0xa',
  link: '0xc',
  ...over,
})
const client = (over: Partial<BouncerClient> = {}): BouncerClient => ({
  user: 'shop',
  addr: '10.0.3.4',
  port: 51_234,
  pid: 0,
  applicationName: 'web',
  ptr: '0xc',
  link: '0xa',
  ...over,
})
const session = (over: Partial<Session> = {}): Session =>
  of.session(1, {
    clientAddr: '10.0.0.9',
    state: 'idle in transaction',
    usename: 'shop',
    backendSeconds: 100,
    xactSeconds: 10,
    stateSeconds: 2,
    ...over,
  })

const linked = (
  one: Session,
  { servers = [server()], pools = [pool()], port = 40_001, elapsed = 5 } = {},
): (string | null)[] => linksOf({ pools, servers }, [one], () => port, elapsed).map(({ link }) => link)

describe('linksOf', () => {
  it('knows a connection of the pooler by its address and its port', () => {
    expect(linked(session())).toEqual(['0xc'])
    expect(linked(session({ clientAddr: '10.0.0.8' }))).toEqual([])
    expect(linked(session(), { port: 40_002 })).toEqual([])
  })

  it('is not misled by another server with the same port, or by a port that another connection had before', () => {
    expect(linked(session(), { servers: [server({ backendPid: 2 })] })).toEqual([])
    expect(linked(session(), { servers: [server({ backendPid: 0 })] })).toEqual(['0xc'])
    expect(linked(session({ backendSeconds: 4.9, xactSeconds: 4.9 }))).toEqual([])
    expect(linked(session({ backendSeconds: 5 }))).toEqual(['0xc'])
  })

  it('knows one at a Unix socket by its pid and its user', () => {
    const servers = [server({ localAddr: 'unix', localPort: 6432 })]
    const port = -1
    expect(linked(session({ clientAddr: null }), { servers, port })).toEqual(['0xc'])
    expect(linked(session({ clientAddr: null, usename: 'psql' }), { servers, port })).toEqual([])
    expect(linked(session({ clientAddr: null, pid: 2 }), { servers, port })).toEqual([])
    expect(linked(session({ clientAddr: '10.0.0.9' }), { servers, port })).toEqual([])
    expect(linked(session({ clientAddr: null }), { port })).toEqual([])
  })

  it('names the client only of what has gone on since before the console was asked', () => {
    expect(linked(session({ xactSeconds: 4.9 }))).toEqual([null])
    expect(linked(session({ xactSeconds: 5 }))).toEqual(['0xc'])
    expect(linked(session({ xactSeconds: null, stateSeconds: 5 }))).toEqual(['0xc'])
    expect(linked(session({ xactSeconds: null, stateSeconds: null }))).toEqual([null])
  })

  it('lends an idle connection to nobody, but in session mode', () => {
    const idle = session({ state: 'idle', xactSeconds: null, stateSeconds: 60 })
    expect(linked(idle)).toEqual([null])
    expect(linked(idle, { pools: [] })).toEqual([null])
    expect(linked(idle, { pools: [pool({ mode: 'session' })] })).toEqual(['0xc'])
    expect(linked(idle, { pools: [pool({ mode: 'session', user: 'other' })] })).toEqual([null])
    expect(linked(session(), { servers: [server({ link: '' })] })).toEqual([null])
  })
})

describe('isConsole', () => {
  it('knows the pool of the console itself, which is of no server', () => {
    expect([pool({ database: 'pgbouncer' }), pool()].map(isConsole)).toEqual([true, false])
  })
})

describe('areOfInterest', () => {
  const links = (one: Session, link = '0xc') => [{ session: one, server: server(), mode: null, link }]
  const young = { xactSeconds: 0.9, stateSeconds: 0.9 }

  it('asks about those who wait for a lock, or have done the same for a second', () => {
    expect(areOfInterest(links(session(young)), [pool()])).toBe(false)
    expect(areOfInterest(links(session({ ...young, waitEventType: 'Lock' })), [pool()])).toBe(true)
    expect(areOfInterest(links(session({ ...young, xactSeconds: 1 })), [pool()])).toBe(true)
    expect(areOfInterest(links(session({ xactSeconds: null, stateSeconds: 1 })), [pool()])).toBe(true)
    expect(areOfInterest(links(session({ xactSeconds: null, stateSeconds: null })), [pool()])).toBe(false)
  })

  it('asks about all as soon as one of them matters', () => {
    const two = [...links(session(young)), ...links(session({ ...young, xactSeconds: 1 }))]
    expect(areOfInterest(two, [pool()])).toBe(true)
  })

  it('asks about any while there are few clients, and never where none is served', () => {
    const few = [pool({ clients: 150 }), pool({ clients: 50 })]
    expect(areOfInterest(links(session(young)), few)).toBe(true)
    expect(areOfInterest(links(session(young)), [...few, pool({ clients: 1 })])).toBe(false)
    expect(areOfInterest([{ session: session(), server: server(), mode: null, link: null }], few)).toBe(false)
  })
})

describe('withPooler', () => {
  const links = linksOf({ pools: [pool()], servers: [server()] }, [session()], () => 40_001, 5)

  it.each([
    [client(), '10.0.3.4:51234'],
    [client({ addr: '2001:db8::7' }), '[2001:db8::7]:51234'],
    [client({ addr: 'unix', pid: 4312 }), 'unix (pid 4312)'],
    [client({ addr: 'unix' }), 'unix'],
  ])('writes the address of a client: %j', (one, address) => {
    expect(withPooler([session(), of.session(2)], links, [one])).toEqual([
      {
        ...session(),
        pooler: {
          database: 'orders',
          user: 'shop',
          mode: 'transaction',
          client: { address, user: 'shop', applicationName: 'web' },
        },
      },
      of.session(2),
    ])
  })

  it('leaves out a client that has another connection by now, or is gone', () => {
    const clientIn = (clients: BouncerClient[]) => withPooler([session()], links, clients)[0]?.pooler?.client
    expect(clientIn([client({ link: '0xb' })])).toBeNull()
    expect(clientIn([client({ ptr: '0xd' })])).toBeNull()
    expect(clientIn([])).toBeNull()
  })
})
