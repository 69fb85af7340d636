import { expect, it } from 'vitest'
import { createLooks } from '../../src/api/looks.ts'
import { openedWith } from '../../src/domain/incidents/incident.ts'
import type { Cluster } from '../../src/postgres/cluster.ts'
import { clusterErrorWith } from '../../src/postgres/errors.ts'
import { clusterConfig, pictureCluster } from '../support/asking.ts'
import * as of from '../support/builders.ts'
import { openTestStore } from '../support/store.ts'

const token = { name: 'deploybot', sha256: '', may: ['look'], clusters: null } as const
const all = { demandCluster: () => {} }

async function looksAt(picture: ReturnType<typeof of.picture>, over: Partial<Cluster> = {}) {
  const store = await openTestStore()
  const watched = { config: clusterConfig('orders'), cluster: pictureCluster(picture, [], over) }
  const looks = createLooks({
    clusters: new Map([['orders', watched]]),
    past: { ...store, linkTo: async () => null },
    record: null,
    tokens: all,
    maskText: (text) => text,
    now: () => of.takenAt,
    steady: () => 0,
  })
  return { looks, store }
}

const sizeOf = (document: unknown) => Buffer.byteLength(JSON.stringify(document))

it('a page of sessions ends before it is larger than 1 MB, and the next one begins there', async () => {
  const query = '\u0001'.repeat(3000)
  const sessions = Array.from({ length: 150 }, (_, pid) => of.session(pid + 1, { query }))
  const { looks, store } = await looksAt(of.picture(sessions))
  const pids: number[] = []
  let after: string | null = '0'
  let pages = 0
  for (; after !== null && pages < 10; pages++) {
    const page = await looks.sessions({ cluster: 'orders', limit: 200, after }, token)
    expect(sizeOf(page)).toBeLessThan(1_010_000)
    expect(page.total).toBe(150)
    pids.push(...page.sessions.map(({ pid }) => pid))
    after = page.next
  }
  expect(pids).toEqual(sessions.map(({ pid }) => pid))
  expect(pages).toBeGreaterThan(2)
  await store.close()
})

it('a jam of thousands fits into an answer, which counts whom it leaves out', async () => {
  const waits = Array.from({ length: 3000 }, (_, place): [number, number] => [place + 2, 60])
  const sessions = [
    of.idleInTransaction(1, 90),
    ...waits.map(([pid]) => of.waiting(pid, 60, { query: 'x'.repeat(5000) })),
  ]
  const { looks, store } = await looksAt(of.picture(sessions, of.rowQueue(1, waits)))
  const page = await looks.blocking({ cluster: 'orders', limit: 200 }, token)
  expect(sizeOf(page)).toBeLessThan(2_100_000)
  expect(page.roots).toHaveLength(1)
  expect(page.roots[0]?.victims).toHaveLength(3000)
  expect(page.sessionsLeftOut).toBe(3001 - page.sessions.length)
  await store.close()
})

it('a cluster with very many incidents names the worst, and counts the others', async () => {
  const { looks, store } = await looksAt(of.picture([]))
  for (let place = 0; place < 130; place++) {
    const finding = {
      kind: 'unreachable',
      code: 'ECONNREFUSED',
      reason: 'x',
      seconds: 0,
      last: null,
    } as const
    const opened = openedWith(finding, null, { cluster: 'orders', takenAt: of.takenAt }, `card-${place}`)
    await store.incidents.put({ ...opened, key: `unreachable:${place}` })
  }
  const { clusters } = await looks.clusters({}, token)
  expect(clusters).toMatchObject([{ name: 'orders', seen: false, incidentsLeftOut: 30 }])
  expect(clusters[0]?.incidents).toHaveLength(100)
  await store.close()
})

it('a look is shared for a second, and one that failed is not', async () => {
  const picture = of.picture([])
  const looked: boolean[] = []
  const { looks, store } = await looksAt(picture, {
    snapshot: async () => {
      looked.push(true)
      if (looked.length === 1) throw clusterErrorWith('DEADLINE')
      return picture.snapshot
    },
  })
  const look = () => looks.sessions({ cluster: 'orders' }, token)
  await expect(look()).rejects.toMatchObject({ code: 'DEADLINE' })
  await Promise.all([look(), look()])
  await look()
  expect(looked).toHaveLength(2)
  await store.close()
})

it('what may be proposed for a session comes with why', async () => {
  const { looks, store } = await looksAt(
    of.picture([of.idleInTransaction(1, 90), of.session(2, { backendType: 'checkpointer' })]),
  )
  const propose = async (pid: number) => (await looks.session({ cluster: 'orders', pid }, token)).mayPropose
  expect(await propose(1)).toMatchObject({ action: 'terminate', why: expect.stringMatching(/cancel/i) })
  const none = await propose(2)
  expect(none.action).toBeNull()
  expect(none.why).toMatch(/\w/)
  await store.close()
})
