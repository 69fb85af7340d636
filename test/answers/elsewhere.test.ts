import { describe, expect, it } from 'vitest'
import { createAnswers } from '../../src/answers/answer.ts'
import type { Past } from '../../src/answers/openCards.ts'
import { createTop } from '../../src/answers/top.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import { type Cluster, ClusterError } from '../../src/postgres/cluster.ts'
import { ask, clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import * as of from '../support/builders.ts'

const watched = (name: string, pids: readonly number[], over: Partial<Cluster> = {}): WatchedCluster => ({
  config: clusterConfig(name, { channel: `C0${name.toUpperCase()}` }),
  cluster: pictureCluster(
    of.picture(
      pids.map((pid) => of.session(pid)),
      { kind: 'none' },
      { cluster: name },
    ),
    [],
    over,
  ),
})
const gone = {
  snapshot: async () => {
    throw new ClusterError('the server refuses connections.', 'ECONNREFUSED', true)
  },
}

describe('a pid without a cluster', () => {
  it.each(['session 7', 'locks 7'])('%s is found where it is', async (typed) => {
    const both = watching(watched('orders', [1]), watched('billing', [7]))
    const here = (await ask(typed, both, 'C0ORDERS')).view.text
    expect(here).toMatch(/^(Session 7|Locks of session 7) on billing\n/)
    expect(here).toContain('There is no session 7 on orders; this is the one on billing.')
    expect((await ask(typed, both)).view.text).toMatch(/on billing\n(?!There is no)/)
  })

  it('that two clusters have asks which one, but in the channel of one of them', async () => {
    const both = watching(watched('orders', [7]), watched('billing', [7]))
    const { view } = await ask('session 7', both)
    expect(view.text).toBe('Session 7\n2 clusters have a session 7: orders and billing. Which one?')
    expect(JSON.stringify(view.blocks)).toContain('session 7 --cluster billing')
    expect((await ask('session 7', both, 'C0BILLING')).view.text).toMatch(/^Session 7 on billing/)
  })

  it('stays where it was asked when that cluster cannot be seen', async () => {
    const both = watching(watched('orders', [], gone), watched('billing', [7]))
    expect((await ask('session 7', both, 'C0ORDERS')).view.text).toMatch(/^Cannot see orders/)
    expect((await ask('session 7', both)).view.text).toContain(
      'orders cannot be seen: there may be a session 7 as well.',
    )
  })

  it('is nowhere, and with a cluster is looked for nowhere else', async () => {
    const both = watching(watched('orders', [1]), watched('billing', [7]))
    expect((await ask('session 9', both, 'C0ORDERS')).view.text).toContain('There is no session 9 on orders')
    expect((await ask('session 9', both)).view.text).toContain('Which cluster?')
    expect((await ask('session 7 --cluster orders', both, 'C0BILLING')).view.text).toContain(
      'There is no session 7 on orders',
    )
  })
})

describe('trouble on another cluster', () => {
  const trouble = of.incident({
    cluster: 'billing',
    finding: { kind: 'connections', used: 99, max: 100, reserved: 3, holders: [] },
  })
  const past = {
    incidents: { open: async (name: string) => (name === 'billing' ? [trouble] : []) },
    proposals: { inState: async () => [] },
    linkTo: async () => 'https://slack.test/p1',
  } as unknown as Past
  const clusters = watching(watched('orders', [1]), watched('billing', [7]))
  const answers = createAnswers({ clusters, past, top: createTop(), directory: null, now: () => of.takenAt })
  const read = async (kind: 'sessions' | 'overview', cluster: string, sees: string[]) => {
    const question = kind === 'sessions' ? { kind, filters: {}, cluster } : { kind }
    const { view } = await answers(question, null, {
      ...{ typed: kind, sees: new Set(sees) },
      timeZone: async () => 'UTC',
    })
    return JSON.stringify(view)
  }

  it('is named by a quiet answer, with the way there', async () => {
    const calm = await read('sessions', 'orders', ['orders', 'billing'])
    expect(calm).toContain(
      'Trouble on billing. Card: <https://slack.test/p1|🔴 99 of 100 connections used on billing>',
    )
    expect(calm).toContain('Show sessions on billing')
    expect(calm).toContain('https://slack.test/p1')
    expect(await read('sessions', 'billing', ['orders', 'billing'])).not.toContain('Trouble on')
  })

  it('is hidden from who may not see that cluster, in the overview as well', async () => {
    for (const kind of ['sessions', 'overview'] as const)
      expect(await read(kind, 'orders', ['orders'])).not.toContain('billing')
    const all = await read('overview', 'orders', ['orders', 'billing'])
    expect(all).toContain('1 open incident')
    expect(all).toContain('🔴 billing')
  })
})
