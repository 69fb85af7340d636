import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isHousekeeping } from '../../../src/domain/lists/housekeeping.ts'

describe('housekeeping', () => {
  it.each([
    'SHOW transaction_read_only',
    'set application_name = $1',
    'RESET ALL',
    'DISCARD ALL',
    'SELECT 1',
    'select version()',
    'SELECT current_setting($1), pg_backend_pid()',
    'SELECT t.oid, t.typname FROM pg_type AS t JOIN pg_namespace AS ns ON typnamespace = ns.oid WHERE t.typname = $1',
    'SELECT c.relname, a.attname FROM pg_catalog.pg_class c, pg_catalog.pg_attribute a WHERE a.attrelid = c.oid',
    'WITH pk AS (SELECT * FROM pg_index) SELECT * FROM pk JOIN "pg_class" ON true',
    'SELECT * FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position',
    '/* app:web */ SELECT datname FROM pg_stat_database -- monitoring',
    'SELECT s.* FROM monitor.pg_stat_statements(false) AS s',
    'SELECT x FROM (SELECT oid AS x FROM pg_class WHERE extract(epoch FROM now()) > $1) AS y',
  ])('is %s', (statement) => {
    expect(isHousekeeping(statement)).toBe(true)
  })

  it.each([
    'SELECT * FROM orders',
    'SELECT * FROM pg_class, orders',
    'SELECT * FROM pg_class c JOIN orders o ON o.oid = c.oid',
    'SELECT (SELECT count(*) FROM orders) FROM pg_class',
    'SELECT * FROM pg_class WHERE oid IN (SELECT id FROM orders)',
    'WITH pg_mine AS (SELECT * FROM orders) SELECT * FROM pg_mine',
    'INSERT INTO t SELECT * FROM pg_class',
    'SELECT * INTO t FROM pg_class',
    'WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM pg_class',
    'UPDATE t SET x = $1',
    'SELECT recompute($1)',
    'SELECT nextval($1)',
    'SELECT * FROM recompute($1)',
    'CREATE INDEX ON t (x)',
    'BEGIN',
    'COMMIT',
    'VACUUM t',
    'COPY t TO STDOUT',
    "SELECT 'FROM pg_class' FROM orders",
    'SELECT * FROM shop.pg_settings_of_ours',
    'SELECT * FROM a UNION SELECT relname FROM pg_class',
    '',
  ])('is not %s', (statement) => {
    expect(isHousekeeping(statement)).toBe(false)
  })

  it('takes any text without a fault', () => {
    const word = fc.constantFrom(
      'select',
      'from',
      'pg_class',
      'orders',
      '(',
      ')',
      ',',
      'join',
      'with',
      'as',
      '.',
      '"',
      "'",
      '--',
      '/*',
      '$1',
    )
    fc.assert(
      fc.property(
        fc.array(word).map((words) => words.join(' ')),
        (statement) => {
          expect(typeof isHousekeeping(statement)).toBe('boolean')
        },
      ),
    )
  })

  it('is never one that reads a table of somebody in its FROM', () => {
    const catalog = fc.constantFrom<string>('pg_class', 'pg_catalog.pg_type t', 'information_schema.columns')
    const joiner = fc.constantFrom(', ', ' JOIN ', ' LEFT JOIN ', ' CROSS JOIN ')
    fc.assert(
      fc.property(
        fc.array(catalog, { maxLength: 3 }),
        fc.nat(3),
        fc.array(joiner, { minLength: 4, maxLength: 4 }),
        (catalogs, place, joiners) => {
          const tables = catalogs.toSpliced(place, 0, 'orders')
          const from = tables.reduce((text, table, at) => `${text}${joiners[at]}${table}`)
          expect(isHousekeeping(`SELECT a, b FROM ${from} WHERE x = $1`)).toBe(false)
        },
      ),
    )
  })
})
