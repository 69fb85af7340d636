import { describe, expect, it } from 'vitest'
import {
  adminsFrom,
  clientsFrom,
  poolsFrom,
  serversFrom,
  versionFrom,
} from '../../src/postgres/bouncerRows.ts'

/** What every version has; the older ones nothing else. Columns by https://www.pgbouncer.org/changelog.html */
const pool = {
  database: 'orders',
  user: 'shop',
  cl_active: 2,
  cl_waiting: 3,
  sv_active: 4,
  sv_idle: 1,
  sv_used: 10,
  sv_tested: 100,
  sv_login: 5,
  maxwait: 7,
  pool_mode: 'transaction',
}
const socket = {
  user: 'shop',
  database: 'orders',
  state: 'active',
  addr: '10.0.3.4',
  port: 5432,
  local_addr: '10.0.0.9',
  local_port: 40_001,
  connect_time: '2026-11-29 09:25:43 UTC',
  request_time: '2026-11-29 09:25:43 UTC',
  ptr: '0x1',
  link: '0x2',
}

describe('the rows of a console', () => {
  it('are read as old versions have them', () => {
    expect(poolsFrom([pool])).toEqual([
      {
        ...{ database: 'orders', user: 'shop', mode: 'transaction' },
        ...{ clients: 5, waiting: 3, waitSeconds: 7, lent: 4, free: 111, inLogin: 5 },
      },
    ])
    expect(serversFrom([{ ...socket, type: 'S' }])).toEqual([
      {
        ...{ database: 'orders', user: 'shop', localAddr: '10.0.0.9', localPort: 40_001 },
        ...{ backendPid: 0, ptr: '0x1', link: '0x2' },
      },
    ])
    expect(clientsFrom([{ ...socket, type: 'C' }])).toEqual([
      {
        ...{ user: 'shop', addr: '10.0.3.4', port: 5432, pid: 0 },
        ...{ applicationName: '', ptr: '0x1', link: '0x2' },
      },
    ])
  })

  it('are read as 1.25 has them', () => {
    const newer = { replication: 'none', remote_pid: 4312, application_name: 'web', id: 9, tls: '' }
    expect(poolsFrom([{ ...pool, maxwait_us: 250_000, load_balance_hosts: null }])).toMatchObject([
      { waitSeconds: 7.25 },
    ])
    expect(serversFrom([{ ...socket, ...newer, type: 'S' }])).toMatchObject([{ backendPid: 4312 }])
    expect(clientsFrom([{ ...socket, ...newer, type: 'C' }])).toMatchObject([
      { pid: 4312, applicationName: 'web' },
    ])
  })

  it('keep names short that a client made long', () => {
    const [one] = clientsFrom([{ ...socket, type: 'C', application_name: 'x'.repeat(10_000) }])
    expect(one?.applicationName).toHaveLength(64)
  })

  it.each([
    () => poolsFrom([{ ...pool, cl_waiting: 'many' }]),
    () => poolsFrom([{ ...pool, cl_waiting: -1 }]),
    () => poolsFrom({}),
    () => serversFrom([{ ...socket, type: 'C' }]),
    () => clientsFrom([{ ...socket, type: 'S' }]),
    () => versionFrom([]),
  ])('are refused where they are something else: %s', (read) => {
    expect(read).toThrow(expect.objectContaining({ code: 'BAD_ROWS' }))
  })

  it('name the users that may do more than look, and the version', () => {
    const rows = [
      { key: 'admin_users', value: 'root, dana' },
      { key: 'stats_users', value: null },
    ]
    expect(adminsFrom(rows)).toEqual(['root', 'dana'])
    expect(adminsFrom([{ key: 'admin_users', value: null }])).toEqual([''])
    expect(versionFrom([{ version: 'PgBouncer 1.25.0' }])).toBe('PgBouncer 1.25.0')
  })
})
