import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Board, createBoard } from '../../src/channel/board.ts'
import type { Session } from '../../src/domain/session.ts'
import { historyView } from '../../src/slack/views/history.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { createReport } from '../../src/watch/report.ts'
import { clusterConfig, pictureCluster } from '../support/asking.ts'
import * as of from '../support/pictures.ts'

const config = clusterConfig('orders')
let directory: string
let store: Store
let board: Board

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pg-marshal-report-'))
  store = await openStore({ kind: 'sqlite', path: join(directory, 'store.db') })
  const postings = new Map([[config.name, config]])
  board = createBoard({ store, postings, now: () => of.takenAt, changed: () => {}, recorded: () => {} })
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

/** Looks, and runs `meanwhile` in the middle of it: when the statements of those concerned are read. */
async function look(sessions: readonly Session[], meanwhile: () => Promise<void> = async () => {}) {
  const picture = of.picture([...sessions])
  const cluster = pictureCluster(picture, [], {
    withText: async (asked) => {
      await meanwhile()
      return [...asked]
    },
  })
  await createReport({ cluster, config, store, board, now: () => of.takenAt }).seen(picture)
}

it('keeps an acknowledgement that comes in the middle of a look', async () => {
  await look([of.idleInTransaction(1, 600)])
  const [opened] = await store.incidents.open('orders')
  if (!opened) return expect.fail('no incident')
  await look([of.idleInTransaction(1, 500)], () =>
    board.change(opened.cardId, ({ incidents }) => incidents.put({ ...opened, acknowledgedBy: 'U0DANA' })),
  )
  const [changed] = await store.incidents.open('orders')
  expect([changed?.acknowledgedBy, changed?.id]).toEqual(['U0DANA', opened.id])
  // The look did change it, and did not merely leave it alone.
  expect(changed?.finding).not.toEqual(opened.finding)
})

it('names in the history of a digest what each row is about', async () => {
  await look(Array.from({ length: 8 }, (_, n) => of.idleInTransaction(n + 1, 600 - n)))
  const listed = (await store.incidents.open('orders')).filter(({ id, cardId }) => id !== cardId)
  await look([])
  const rows = await store.journal.ofCards([listed[0]?.cardId ?? ''], 100)
  const told = historyView('incident', rows, 100).text
  expect(told).toContain('Idle in transaction 7: Seen for the first time.')
  expect(told).toContain('Idle in transaction 8: The session is gone.')
  expect(listed).toHaveLength(2)
})
