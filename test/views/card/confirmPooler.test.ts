import { expect, test } from 'vitest'
import type { PoolerConnection } from '../../../src/domain/session/session.ts'
import { consequenceFor } from '../../../src/views/card/card.ts'
import { session } from '../../support/builders.ts'
import { cardState } from '../../support/cards.ts'
import { proposal } from '../../support/proposals.ts'

const client = { address: '10.0.3.4:51234', user: 'shop', applicationName: 'web' }
const pool = { database: 'orders', user: 'shop', client }
const nextClient = /the pool’s next client may have the connection within milliseconds, and be hit instead/

test.each<[boolean, PoolerConnection | undefined, RegExp]>([
  [true, undefined, /Behind a pooler: if the transaction ends just now, /],
  [true, { ...pool, mode: 'transaction' }, /Behind PgBouncer: if the transaction ends just now, /],
  [false, { ...pool, mode: 'statement' }, nextClient],
  [false, { ...pool, mode: null }, nextClient],
  [
    true,
    { ...pool, mode: 'session' },
    /Behind PgBouncer: its client 10\.0\.3\.4:51234 loses its connection\./,
  ],
  [true, { ...pool, mode: 'session', client: null }, /Behind PgBouncer: its client loses its connection\./],
])('a terminate of a session that is pooled (%s) by %j says whom it may hit', (pooled, pooler, says) => {
  const one = session(1, pooler ? { pooler } : {})
  const words = (action: 'cancel' | 'terminate') => {
    const made = proposal({ action, pooled }, one)
    return consequenceFor(made, cardState([made])).consequence
  }
  expect(words('terminate')).toMatch(says)
  expect(words('cancel')).not.toMatch(/pool|PgBouncer/)
})

test('nothing is said of a pooler where none was seen', () => {
  const made = proposal({ action: 'terminate', pooled: false }, session(1))
  expect(consequenceFor(made, cardState([made])).consequence).not.toMatch(/pool|PgBouncer/)
})
