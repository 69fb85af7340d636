import { afterEach, beforeEach, expect, it } from 'vitest'
import { answerClusters } from '../../src/answers/clusters.ts'
import { openedWith } from '../../src/domain/incidents/incident.ts'
import type { Store } from '../../src/store/store.ts'
import { clusterConfig, pictureCluster } from '../support/asking.ts'
import * as of from '../support/builders.ts'
import { openTestStore } from '../support/store.ts'

const reason = 'Nothing listens there.'
const watched = (name: string) => ({
  config: clusterConfig(name),
  cluster: pictureCluster(of.picture([], { kind: 'none' }, { cluster: name })),
})
const gone = watched('gone')
const hidden = watched('hidden')
const fresh = watched('new')
let store: Store

beforeEach(async () => {
  store = await openTestStore()
  for (const cluster of ['gone', 'hidden', 'well']) {
    const finding = { kind: 'unreachable', code: 'ECONNREFUSED', reason, seconds: 0, last: null } as const
    await store.incidents.put(openedWith(finding, null, { cluster, takenAt: of.takenAt }, `card-${cluster}`))
  }
})
afterEach(() => store.close())

/** Names of the replicas that watch, by cluster; empty where one process watches all. */
let watchers: Record<string, string> = {}

const answer = async (link: (cardId: string) => string | null) => {
  const well = watched('well')
  const { text, blocks } = await answerClusters([gone, hidden, fresh, well], {
    part: null,
    watcherOf: (name) => watchers[name] ?? null,
    past: { ...store, linkTo: async (cardId) => link(cardId) },
    seen: [gone, fresh, well],
    statusOf: async ({ config: { name }, cluster }) =>
      name === 'well' ? { name, snapshot: await cluster.snapshot() } : { name, reason },
    now: () => of.takenAt,
  })
  return { text, blocks: JSON.stringify(blocks) }
}

it('links the card of a cluster that cannot be seen, for who may see it', async () => {
  const { text, blocks } = await answer((cardId) => `https://slack.example/${cardId}`)
  expect(text).toContain('gone has <https://slack.example/card-gone|a card>.')
  expect(blocks).toContain('"url":"https://slack.example/card-gone"')
  for (const other of ['hidden', 'new', 'well']) expect(text).not.toContain(`${other} has`)
  expect(blocks).not.toMatch(/card-(hidden|well)/)
})

it('names the card also where it cannot be linked', async () => {
  const { text, blocks } = await answer(() => null)
  expect(text).toContain('gone has a card.')
  expect(blocks).not.toContain('"url"')
})

it('names the replica that watches each, where there are several', async () => {
  watchers = { well: 'pod-1' }
  const { text } = await answer(() => null)
  expect(text).toContain('pod-1')
  expect(text).toContain('nobody yet')
  watchers = {}
  expect((await answer(() => null)).text).not.toContain('nobody yet')
})
