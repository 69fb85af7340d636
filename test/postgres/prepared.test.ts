import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { finishing } from '../../src/domain/session/prepared.ts'
import { sqlIdentifier } from '../../src/domain/text/literal.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

/** What a person is given to run by hand does that, and nothing else. */

let server: TestServer
let cluster: Cluster

beforeAll(async () => {
  server = await startTestServer({ settings: { autovacuum: false, max_prepared_transactions: 20 } })
  for (const encoding of ['LATIN1', 'SQL_ASCII', 'EUC_JP'])
    await server.admin.query(
      `CREATE DATABASE ${encoding.toLowerCase()} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
    )
  cluster = openCluster({ url: server.marshalUrl })
  await cluster.start()
})
afterAll(async () => {
  await closeClusters()
  await server?.stop()
})

const connected = async <T>(database: string, use: (client: pg.Client) => Promise<T>): Promise<T> => {
  const url = new URL(server.url)
  url.pathname = `/${database}`
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

const names = {
  plain: 'payment-77',
  quotes: `it's "so"`,
  backslash: "a\\'b\\u0041",
  lines: 'one\ntwo\ttabs',
  spaces: ' two  spaces\u00a0and one that does not break ',
  direction: 'a\u202eb\u{e0041}',
  letters: 'größe 日本 🐘',
  dollars: '$$;$x$',
}

test.each(Object.entries(names))('a prepared transaction with %s in its name', async (_, gid) => {
  for (const conforming of ['on', 'off']) {
    await connected('postgres', (client) =>
      client.query(`BEGIN; CREATE TABLE t (); PREPARE TRANSACTION ${pg.escapeLiteral(gid)}`),
    )
    const { prepared } = await cluster.health()
    expect(prepared.map((one) => one.gid)).toEqual([gid])
    const [one] = prepared
    const statement = one ? finishing('ROLLBACK', one) : ''
    expect(statement).toMatch(/^ROLLBACK PREPARED E?'[^\p{Cc}\p{Cf}\u00a0]*';$/u)
    await connected('postgres', async (client) => {
      await client.query(`SET standard_conforming_strings = ${conforming}; SET escape_string_warning = off`)
      await client.query(statement)
    })
    expect((await server.admin.query('SELECT FROM pg_prepared_xacts')).rowCount).toBe(0)
  }
})

test.each([
  ['latin1', 'é', /^ROLLBACK PREPARED 'é';$/],
  ['euc_jp', '日本', /^SELECT format\(/],
  ['sql_ascii', 'é', /^SELECT format\(/],
])('in a database with %s the name is exact, or is not offered', async (database, gid, shape) => {
  await connected(database, (client) =>
    client.query(`BEGIN; CREATE TABLE t (); PREPARE TRANSACTION '${gid}'`),
  )
  const [one] = (await cluster.health()).prepared
  const statement = one ? finishing('ROLLBACK', one) : ''
  expect(statement).toMatch(shape)
  await connected(database, async (client) => {
    if (!statement.endsWith('\\gexec')) return client.query(statement)
    // As psql does: what the server answers is run.
    const { rows } = await client.query({ text: statement.replace(/ \\gexec$/, ''), rowMode: 'array' })
    expect(rows).toHaveLength(1)
    return client.query(String(rows[0]?.[0]))
  })
  expect((await server.admin.query('SELECT FROM pg_prepared_xacts')).rowCount).toBe(0)
})

test.each(Object.values(names))('the name %j as an identifier', async (name) => {
  const { rows } = await server.admin.query(`SELECT 1 AS ${sqlIdentifier(name)}`)
  expect(Object.keys(rows[0])).toEqual([name])
})
