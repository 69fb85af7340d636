import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createMasker, type QueryText } from '../../src/domain/text/mask.ts'
import { commonTagKeys, createTagReader } from '../../src/domain/text/tags.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { corpus } from '../domain/text/tagCorpus.ts'
import { closeClusters, openCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer, type TestSession } from '../support/postgres.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ settings: { track_activity_query_size: '32kB' } })
})
afterEach(async () => {
  await closeClusters()
  await server.closeAll()
})
afterAll(() => server.stop())

const keys = [...commonTagKeys, 'endpoint_id', 'ddps']
const links = { traceparent: 'https://trace.example.com/{trace_id}' }

async function watching(mode: QueryText): Promise<Cluster> {
  const cluster = openCluster({
    url: server.marshalUrl,
    maskText: createMasker(mode),
    readTags: createTagReader({ queryText: mode, tags: { keys, links } }),
  })
  await cluster.start()
  return cluster
}

async function seen(cluster: Cluster, { pid }: TestSession, maxLength?: number) {
  const { sessions } = await cluster.snapshot()
  const [session] = await cluster.withText(
    sessions.filter((one) => one.pid === pid),
    maxLength,
  )
  if (!session) throw new Error('not there')
  return session
}

test('what libraries write is read before it is masked, and only then', async () => {
  const cluster = await watching('masked')
  const session = await server.open('tags')
  for (const { library, text, tags } of corpus.filter(({ keys }) => keys === undefined)) {
    const comment = text.slice(text.indexOf('/*'), text.lastIndexOf('*/') + 2)
    await session.query(`SELECT 'secret' ${comment}`)
    const { query, tags: found } = await seen(cluster, session)
    expect({ library, query, found }).toEqual({ library, query: 'SELECT ?', found: tags })
  }
})

test('a comment at the end of a long statement counts, though the statement is cut before it', async () => {
  const cluster = await watching('masked')
  const session = await server.open('long')
  await session.query(`SELECT '${'x'.repeat(15_000)}' /*route='%2Forders'*/`)
  expect(await seen(cluster, session, 10)).toMatchObject({ query: 'SELECT ?', tags: { route: '/orders' } })
  await session.query(`SELECT '${'x'.repeat(17_000)}' /*route='%2Forders'*/`)
  expect(await seen(cluster, session)).not.toHaveProperty('tags')
  await session.query(`/*route='%2Forders'*/ SELECT '${'x'.repeat(17_000)}'`)
  expect(await seen(cluster, session)).toMatchObject({ tags: { route: '/orders' } })
})

test('a statement is no longer for its tags than for an answer', async () => {
  const cluster = await watching('full')
  const session = await server.open('cut')
  await session.query("SELECT 1234567890 /*route='/a'*/")
  expect(await seen(cluster, session, 12)).toMatchObject({ query: 'SELECT 12345', tags: { route: '/a' } })
  await session.query('SELECT 1234567890')
  const plain = await seen(cluster, session, 12)
  expect(plain.query).toBe('SELECT 12345')
  expect(plain).not.toHaveProperty('tags')
})

test('they belong to the statement that was seen, with their links', async () => {
  const cluster = await watching('masked')
  const session = await server.open('moves')
  const traceparent = '00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'
  await session.query(`SELECT 1 /*traceparent='${traceparent}'*/`)
  const before = await seen(cluster, session)
  expect(before).toMatchObject({
    tags: { traceparent },
    tagLinks: { traceparent: 'https://trace.example.com/5bd66ef5095369c7b0d1f8f4bd33716a' },
  })
  const { sessions } = await cluster.snapshot()
  const old = sessions.filter(({ pid }) => pid === session.pid)
  await session.query("SELECT 2 /*route='/b'*/")
  const [moved] = await cluster.withText(old)
  expect(moved).toMatchObject({ query: null })
  expect(moved).not.toHaveProperty('tags')
})

test('hidden hides them too', async () => {
  const cluster = await watching('hidden')
  const session = await server.open('hidden')
  await session.query("SELECT 1 /*route='/a'*/")
  const hidden = await seen(cluster, session)
  expect(hidden.query).toBeNull()
  expect(hidden).not.toHaveProperty('tags')
})

test('a statement in another encoding keeps the others whole', async () => {
  await server.admin.query(
    "CREATE DATABASE western ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
  )
  const western = new URL(server.url)
  western.pathname = '/western'
  const cluster = await watching('masked')
  const [ours, theirs] = [await server.open('ours'), await server.open('theirs', western.href)]
  for (const session of [ours, theirs]) await session.query('SELECT $$\\x5c\\$$ /*action:größe*/')
  const { sessions } = await cluster.snapshot()
  const both = sessions.filter(({ pid }) => pid === ours.pid || pid === theirs.pid)
  expect((await cluster.withText(both)).map(({ tags }) => tags)).toEqual([
    { action: 'größe' },
    { action: 'größe' },
  ])
})

test('nothing that the server takes for a constant or a name becomes a tag', async () => {
  const cluster = await watching('masked')
  const session = await server.open('lures')
  const lures = [
    "SELECT '/*action:S3CRET*/'",
    "SELECT 'a'\n'/*action:S3CRET*/'",
    "SELECT E'\\'/*action:S3CRET*/'",
    "SELECT E'a'\n'\\'/*action:S3CRET*/'",
    'SELECT $$/*action:S3CRET*/$$',
    'SELECT $a$ $$ /*action:S3CRET*/ $b$ $a$',
    'SELECT 1 AS "/*action:S3CRET*/"',
    "SELECT U&'/*action:S3CRET*/'",
    'SELECT 1 -- /*action:S3CRET*/',
    'SELECT 1 /* /*action:S3CRET*/ */',
    'SET standard_conforming_strings = off',
    "SELECT '\\'/*action:S3CRET*/'",
  ]
  for (const lure of lures) {
    await session.query(lure)
    const { query, tags } = await seen(cluster, session)
    expect({ lure, query, tags }).toEqual({ lure, query: expect.any(String), tags: undefined })
  }
})
