import { existsSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { figureKinds } from '../../src/domain/incidents/figures.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { madeAt, proposal } from '../support/proposals.ts'

let directory: string
let store: Store

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pg-marshal-store-'))
  store = await openStore({ kind: 'sqlite', path: join(directory, 'deep', 'store.db') })
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

it.each([
  ['journal_kind', () => store.journal.since(madeAt, figureKinds)],
  ['proposals_created', () => store.proposals.madeSince(madeAt)],
])('reads the figures by the index %s, not from end to end', async (index, read) => {
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
  await read()
  const asked = prepare.mock.calls.map(([sql]) => sql).filter((sql) => sql.startsWith('select'))
  prepare.mockRestore()
  expect(asked).toHaveLength(1)
  const database = new DatabaseSync(join(directory, 'deep', 'store.db'), { readOnly: true })
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${asked[0]}`).all()
  database.close()
  expect(JSON.stringify(plan)).toContain(`USING INDEX ${index}`)
})

it('keeps its file to our own user', () => {
  expect(statSync(join(directory, 'deep', 'store.db')).mode & 0o777).toBe(0o600)
})

it('brings its log into its file when it is probed and the log has grown, so that neither grows for ever', async () => {
  const file = join(directory, 'deep', 'store.db')
  const size = (name: string) => statSync(name).size
  const write = (id: string) => store.proposals.add(proposal({ id, reason: 'x'.repeat(1_000_000) }))
  const before = size(file)
  await write('small')
  await store.probe()
  expect(size(file)).toBe(before)
  for (let n = 0; n < 4; n++) await write(`many ${n}`)
  await store.probe()
  expect(size(file)).toBeGreaterThan(5_000_000)
  const log = size(`${file}-wal`)
  for (let n = 4; n < 12; n++) {
    await write(`many ${n}`)
    await store.probe()
  }
  expect(size(`${file}-wal`)).toBeLessThan(log + 2_000_000)
})

it('is on disk when append resolves: another process reads it at once', async () => {
  await store.journal.append(madeAt, null, { kind: 'expired', actor: 'pg-marshal', proposalId: 'p' })
  const path = join(directory, 'deep', 'store.db')
  expect(existsSync(path)).toBe(true)
  const other = new DatabaseSync(path, { readOnly: true })
  expect(other.prepare('SELECT count(*) AS n FROM journal').get()).toEqual({ n: 1 })
  other.close()
})
