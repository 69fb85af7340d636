import { expect, test } from 'vitest'
import { targetOf, whoOf } from '../../src/views/words.ts'
import * as of from '../support/builders.ts'

test.each([
  [{ classid: 1260, objid: 16_385 }, 'role 16385'],
  [{ classid: 1262, objid: 16_390 }, 'database 16390'],
  [{ classid: 1262, objid: 0 }, 'the queue of NOTIFY'],
  [{ classid: 99_999, objid: 7 }, 'object of catalog 99999, 7'],
])('an object that is no relation: %o is %s', (over, words) => {
  expect(targetOf(of.target({ locktype: 'object', database: 0, objsubid: 0, ...over }))).toBe(words)
})

test('a worker of the server is told by its kind', () => {
  const over = { usename: 'postgres', datname: 'shop' }
  expect(whoOf(of.serverProcess(7, 'logical replication apply worker', over))).toBe(
    'logical replication apply… · postgres · shop',
  )
  expect(whoOf(of.serverProcess(7, 'startup'))).toBe('startup')
})
