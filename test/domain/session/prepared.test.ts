import { expect, test } from 'vitest'
import { finishing, finishingPlace, gidFrom } from '../../../src/domain/session/prepared.ts'
import * as of from '../../support/builders.ts'

test.each([
  ['payment-77', 'UTF8', { gid: 'payment-77' }],
  ['payment-77', 'SQL_ASCII', { gid: 'payment-77' }],
  ['größe', 'UTF8', { gid: 'größe' }],
  ['größe', 'EUC_JP', { gid: 'größe', gidInDoubt: true }],
  ['größe', 'SQL_ASCII', { gid: 'größe', gidInDoubt: true }],
  ['größe', null, { gid: 'größe', gidInDoubt: true }],
])('the bytes of %s in a database with %s', (text, encoding, gid) => {
  expect(gidFrom(Buffer.from(text, 'utf8'), encoding)).toEqual(gid)
})

test('bytes that are no UTF-8 are a name in LATIN1 alone', () => {
  const bytes = Buffer.from('gr\u00f6\u00dfe', 'latin1')
  expect(gidFrom(bytes, 'LATIN1')).toEqual({ gid: 'größe' })
  expect(gidFrom(bytes, 'UTF8')).toMatchObject({ gidInDoubt: true })
  expect(gidFrom(Buffer.from([0x80]), 'UTF8')).toMatchObject({ gidInDoubt: true })
})

test('a name that cannot be written as it is, the server writes', () => {
  expect(finishing('ROLLBACK', of.prepared(764, { gid: "it's" }))).toBe("ROLLBACK PREPARED 'it''s';")
  const byServer =
    "SELECT format('COMMIT PREPARED %L', gid) FROM pg_prepared_xacts WHERE transaction = '764' \\gexec"
  expect(finishing('COMMIT', of.prepared(764, { gidInDoubt: true }))).toBe(byServer)
  expect(finishing('COMMIT', of.prepared(764, { gid: 'a\u00a0'.repeat(60) }))).toBe(byServer)
  expect(finishing('COMMIT', of.prepared(764, { gid: 'a'.repeat(298) }))).toMatch(/^COMMIT PREPARED 'a+';$/)
})

test('the place is named whole and as it is', () => {
  expect(finishingPlace(of.prepared(764), 'own')).toBe('in database orders as shop or a superuser')
  const odd = { database: 'a b; DROP', owner: 'we"ird' }
  expect(finishingPlace(of.prepared(764, odd), 'own')).toBe(
    'in database "a b; DROP" as "we""ird" or a superuser',
  )
  expect(finishingPlace(of.prepared(764, { owner: '' }), 'own')).toBe('in database orders as a superuser')
})
