import { describe, expect, it } from 'vitest'
import { clusterNameIn, readTitle } from '../../../src/domain/host/title.ts'

describe('a title', () => {
  it.each([
    [
      'postgres: shop orders 127.0.0.1(45678) idle in transaction',
      'shop orders',
      '127.0.0.1(45678)',
      'idle in transaction',
    ],
    ['postgres: shop orders ::1(5) UPDATE waiting', 'shop orders', '::1(5)', 'UPDATE waiting'],
    ['postgres: shop orders [local] idle', 'shop orders', '[local]', 'idle'],
    ['postgres: shop orders db.example.com(77) SELECT', 'shop orders', 'db.example.com(77)', 'SELECT'],
    [
      'postgres: my shop the orders [local] authentication',
      'my shop the orders',
      '[local]',
      'authentication',
    ],
    ['postgres: shop orders 127.0.0.1(45678) ', 'shop orders', '127.0.0.1(45678)', null],
  ])('of a client: %s', (title, userAndDatabase, client, activity) => {
    expect(readTitle(title, null)).toEqual({ kind: 'client', userAndDatabase, client, activity })
  })

  it.each([
    'checkpointer',
    'background writer',
    'walwriter',
    'autovacuum launcher',
    'autovacuum worker orders',
    'logical replication launcher',
    'logical replication apply worker for subscription 16390',
    'walsender marshal 127.0.0.1(45678) streaming 0/3000D88',
    'parallel worker for PID 4312',
    'startup recovering 000000010000000000000003',
    'io worker 0',
    'pg_cron launcher',
    'REPACK decoding worker for relation "x [local] idle"',
    'datachecksums worker [local] idle',
    'autovacuum (1) idle',
    '',
  ])('of the server itself: %s', (name) => {
    expect(readTitle(`postgres: ${name}`, null)).toEqual({ kind: 'server', name })
  })

  it('stands behind the name of the server, where that has one', () => {
    const name = clusterNameIn(['postgres: main: x: walwriter', 'postgres: main: x: checkpointer '])
    expect(name).toBe('main: x')
    expect(readTitle('postgres: main: x: shop orders [local] idle', name)).toMatchObject({ kind: 'client' })
    expect(readTitle('postgres: shop orders [local] idle', name)).toBeNull()
    expect(clusterNameIn(['postgres: checkpointer ', 'postgres: shop orders [local] idle'])).toBeNull()
  })

  it('is none of a server’s where another program has it', () => {
    expect(readTitle('/usr/bin/postgres -D /data', null)).toBeNull()
    expect(readTitle('sh -c postgres: shop orders [local] idle', null)).toBeNull()
  })
})
