import { expect, test } from 'vitest'
import type { PoolerConnection } from '../../../src/domain/session/session.ts'
import { consequenceFor } from '../../../src/views/card/card.ts'
import type { CardState } from '../../../src/views/card/cardState.ts'
import { session } from '../../support/builders.ts'
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
    const card: CardState = {
      cluster: 'orders',
      incident: null,
      proposals: [made],
      people: { cancel: 1, terminate: 1 },
      approvers: ['Dana'],
      secondFactor: { cancel: false, terminate: false },
      breakGlass: true,
      silence: null,
    }
    return consequenceFor(made, card).consequence
  }
  expect(words('terminate')).toMatch(says)
  expect(words('cancel')).not.toMatch(/pool|PgBouncer/)
})

test('nothing is said of a pooler where none was seen', () => {
  const made = proposal({ action: 'terminate', pooled: false }, session(1))
  const card = { cluster: 'orders', incident: null, proposals: [made] } as unknown as CardState
  expect(consequenceFor(made, card).consequence).not.toMatch(/pool|PgBouncer/)
})
