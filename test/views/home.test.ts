import { checkView } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import { createHomeReader, type HomeMemory, type HomeOwner } from '../../src/answers/home.ts'
import type { Proposal } from '../../src/domain/approvals/proposal.ts'
import { findings } from '../../src/domain/incidents/finding.ts'
import type { Incident } from '../../src/domain/incidents/incident.ts'
import { recommendationsFor } from '../../src/domain/incidents/recommend.ts'
import { homeBlocks, homeView, noHomeBlocks } from '../../src/views/home.ts'
import type { View } from '../../src/views/kit.ts'
import { clusterConfig, pictureCluster, watching } from '../support/asking.ts'
import {
  idleInTransaction,
  incident as incidentOf,
  picture,
  rowQueue,
  takenAt,
  thresholds,
  waiting,
} from '../support/builders.ts'
import { proposal } from '../support/proposals.ts'
import { told } from '../support/render.ts'

const idOf = (n: number) => `3f2a9c1b-0000-4000-8000-${String(n).padStart(12, '0')}`
const minute = 60_000

function incidentOn(
  cluster: string,
  n: number,
  over: { readonly app?: string; readonly seconds?: number } = {},
) {
  const { app = 'checkout', seconds = 40 } = over
  const root = idleInTransaction(n, 400, {
    backendXid: '759',
    applicationName: app,
    query: 'UPDATE orders SET a = ?',
  })
  const shown = picture([root, waiting(n + 1, seconds)], rowQueue(n, [[n + 1, seconds]]), { cluster })
  const [finding] = findings(shown.snapshot, shown.forest, thresholds)
  if (!finding) throw new Error('nothing found')
  const id = idOf(n)
  const recommendation = recommendationsFor(shown, { protectedSessions: [] })(finding)
  const incident = incidentOf({ id, cluster, key: `key ${n}`, finding, recommendation, mostVictims: 1 })
  const asked = proposal(
    {
      id: idOf(n + 500_000),
      cardId: id,
      key: { cluster, pid: n, backendStart: root.backendStart },
      createdAt: takenAt,
      expiresAt: takenAt + 15 * minute,
    },
    root,
  )
  return { incident, asked }
}

type Given = {
  readonly clusters: readonly string[]
  readonly incidents?: readonly Incident[]
  readonly proposals?: readonly Proposal[]
  readonly silences?: HomeMemory['silences']
  readonly unseen?: Readonly<Record<string, string>>
  readonly owner?: Partial<HomeOwner>
  readonly requesterMayApprove?: boolean
  readonly people?: number
  readonly notice?: View | null
}

/** Draws the Home of Dana, who may see and approve everything, and checks that Slack would take it. */
async function drawn(given: Given) {
  const { clusters, incidents = [], proposals = [], silences = [], unseen = {}, owner = {} } = given
  const people = given.people ?? 1
  const reader = createHomeReader({
    store: {
      incidents: { openOutside: async () => [...incidents] },
      proposals: {
        inState: async (state: string) => proposals.filter((one) => one.state === state),
        decidedSince: async () => proposals.filter(({ state }) => state !== 'open'),
      },
      silences: { all: async () => [...silences] },
    } as unknown as Parameters<typeof createHomeReader>[0]['store'],
    clusters: watching(
      ...clusters.map((name) => ({
        config: clusterConfig(name, {
          approvals: {
            people: { cancel: people, terminate: people },
            requesterMayApprove: given.requesterMayApprove ?? false,
            secondFactor: { cancel: false, terminate: false },
            breakGlass: [],
            expireAfterMs: 900_000,
          },
        }),
        cluster: pictureCluster(picture([])),
      })),
    ),
    cardState: async (cardId) => {
      const incident = incidents.find(({ id }) => id === cardId) ?? null
      const own = proposals.filter((one) => one.cardId === cardId)
      return {
        ...{ cluster: own[0]?.key.cluster ?? '', incident, proposals: own },
        ...{
          people: { cancel: people, terminate: people },
          approvers: [],
          secondFactor: { cancel: false, terminate: false },
          breakGlass: false,
          silence: null,
        },
      }
    },
    linkTo: async (cardId) => `https://example.slack.com/archives/C1/p${cardId.replaceAll('-', '')}`,
    unseen: (name) => unseen[name] ?? null,
    now: () => takenAt,
  })
  const all = new Set(clusters)
  const state = await reader.homeOf(await reader.remembered(), {
    userId: 'U0DANA',
    sees: all,
    approves: all,
    ...owner,
  })
  const view = homeView(homeBlocks(state, given.notice ?? null), takenAt)
  checkView(view, 'home')
  return { view, words: told(view.blocks) }
}

describe('a Home', () => {
  it('says that nothing is wrong', async () => {
    const { words } = await drawn({ clusters: ['orders', 'billing'] })
    expect(words.split('\n')).toEqual([
      '🟢 Nothing is wrong that I watch for',
      'Clusters',
      '🟢 billing',
      '🟢 orders',
      '[Refresh]',
      'As of (time). It follows by itself for 15 min after you open it. /pg help shows all that can be typed.',
    ])
  })

  it('shows first what waits for me, and trouble before what is quiet', async () => {
    const first = incidentOn('orders', 100)
    const worse = incidentOn('billing', 200, { seconds: 400 })
    const { words } = await drawn({
      clusters: ['archive', 'billing', 'far', 'orders'],
      incidents: [first.incident, worse.incident],
      proposals: [first.asked, worse.asked],
      unseen: { far: 'Nothing listens there.' },
    })
    const lines = words.split('\n')
    expect(lines[0]).toBe('🔴 2 open incidents · 1 cluster unseen · 2 wait for you')
    expect(lines.indexOf('Waits for your approval')).toBe(1)
    expect(lines.filter((line) => line.startsWith('[Approve'))).toEqual([
      '[Approve: terminate checkout (200)] [Deny] [Details]',
      '[Approve: terminate checkout (100)] [Deny] [Details]',
    ])
    expect(lines.slice(lines.indexOf('Open incidents'), lines.indexOf('[Refresh]'))).toEqual([
      'Open incidents',
      expect.stringContaining('🔴 checkout blocks 1 session on billing'),
      expect.stringContaining('🟠 checkout blocks 1 session on orders'),
      'Clusters',
      '⚠️ far is not seen: Nothing listens there.',
      '🔴 billing: 1 open incident',
      '🟠 orders: 1 open incident',
      '🟢 archive',
    ])
  })

  it('shows what is critical however much of it somebody looks after, before what is less', async () => {
    const looked = { ...incidentOn('orders', 100, { seconds: 500 }).incident, acknowledgedBy: 'U0DEVI' }
    const other = incidentOn('orders', 200, { seconds: 400 }).incident
    const lesser = incidentOn('billing', 300).incident
    const { words } = await drawn({ clusters: ['billing', 'orders'], incidents: [lesser, looked, other] })
    const lines = words.split('\n')
    expect(lines[0]).toBe('🔴 3 open incidents')
    expect(lines.slice(lines.indexOf('Clusters'), lines.indexOf('[Refresh]'))).toEqual([
      'Clusters',
      '🔴 orders: 2 open incidents',
      '🟠 billing: 1 open incident',
    ])
  })

  it('shows buttons for what this person may approve alone', async () => {
    const { incident, asked } = incidentOn('orders', 100)
    const one = async (over: Partial<Proposal>, given: Partial<Given> = {}) =>
      (
        await drawn({
          clusters: ['orders'],
          incidents: [incident],
          proposals: [{ ...asked, ...over } as Proposal],
          ...given,
        })
      ).words
    const headline = (words: string) => words.split('\n')[0]
    expect(headline(await one({}))).toBe('🟠 1 open incident · 1 waits for you')
    for (const others of [
      await one({ requestedBy: 'U0DANA' }),
      await one({ joined: [{ userId: 'U0DANA', reason: '' }] }),
      await one({ approvals: [{ userId: 'U0DANA', at: takenAt }] }, { people: 2 }),
      await one({ expiresAt: takenAt }),
      await one({}, { owner: { approves: new Set() } }),
    ]) {
      expect(headline(others)).toBe('🟠 1 open incident · 1 waits for others')
      expect(others).not.toContain('[Approve')
    }
    expect(headline(await one({ requestedBy: 'U0DANA' }, { requesterMayApprove: true }))).toContain('for you')
    const unseen = await one({}, { owner: { sees: new Set(), approves: new Set(['orders']) } })
    expect(unseen).not.toContain('orders')
    expect(headline(unseen)).toBe('🟢 Nothing is wrong that I watch for')
  })

  it('says what is silent until when and by whom, and what was done', async () => {
    const { incident, asked } = incidentOn('orders', 100)
    const done = {
      ...asked,
      state: 'done',
      claimedAt: takenAt - minute,
      approvals: [{ userId: 'U0DEVI', at: takenAt }],
      outcome: { kind: 'effective', signal: 'sent' },
    } as unknown as Proposal
    const silence = { since: takenAt, by: 'U0RESP', cluster: 'orders', reason: 'planned' }
    const { words } = await drawn({
      clusters: ['orders'],
      incidents: [incident],
      proposals: [
        done,
        { ...asked, id: idOf(7), state: 'denied', decidedBy: 'U0DANA' } as Proposal,
        { ...asked, id: idOf(8), state: 'expired' } as Proposal,
      ],
      silences: [
        { ...silence, id: 'a', scope: { kind: 'cluster' }, until: takenAt + minute },
        {
          ...silence,
          ...{ id: 'b', until: takenAt + 2 * minute, reason: '', untilOver: true },
          scope: { kind: 'incident', incidentId: incident.id, key: incident.key },
        },
        { ...silence, id: 'c', scope: { kind: 'cluster' }, until: takenAt },
      ],
    })
    const lines = words.split('\n')
    expect(lines.slice(lines.indexOf('Silent'), lines.indexOf('[Refresh]'))).toEqual([
      'Silent',
      'orders: everything until (time), by @U0RESP: planned',
      expect.stringMatching(/^orders: 🟠 checkout blocks 1 session .* until it is over, by @U0RESP$/),
      'Done lately',
      '⛔ Denied: terminate checkout (100) on orders, by @U0DANA',
      '✅ Terminated checkout (100) on orders, approved by @U0DEVI, (time)',
    ])
  })

  it('fits with 500 clusters, each in trouble and with a request: the worst are named, the rest is counted', async () => {
    const names = Array.from({ length: 500 }, (_, n) => `cluster-${n}`)
    const all = names.map((name, n) => incidentOn(name, 1000 + 2 * n, n === 499 ? { seconds: 900 } : {}))
    const { view, words } = await drawn({
      clusters: names,
      incidents: all.map(({ incident }) => incident),
      proposals: all.map(({ asked }) => asked),
      notice: { text: 'x', blocks: Array.from({ length: 40 }, () => ({ type: 'divider' as const })) },
    })
    expect(view.blocks.length).toBeLessThan(60)
    expect(JSON.stringify(view).length).toBeLessThan(40_000)
    expect(words).toContain('🔴 500 open incidents · 500 wait for you')
    expect(words).toContain('492 more requests wait for you')
    expect(words).toContain('🔴 cluster-499: 1 open incident')
    expect(words).toContain('480 more clusters, 480 of them in trouble: /pg clusters')
    const calm = await drawn({ clusters: names, incidents: [all[499]?.incident as Incident] })
    expect(calm.words).toContain('🔴 cluster-499: 1 open incident\n🟢 cluster-0\n')
    expect(calm.words).toContain('480 more clusters, nothing wrong on any of them: /pg clusters')
  })

  it('counts the silences that it does not name', async () => {
    const many = async (count: number) =>
      (
        await drawn({
          clusters: ['orders'],
          silences: Array.from({ length: count }, (_, n) => ({
            ...{ id: String(n), cluster: 'orders', scope: { kind: 'cluster' as const }, reason: '' },
            ...{ since: takenAt, until: takenAt + minute + n, by: 'U0RESP' },
          })),
        })
      ).words
    expect(await many(10)).not.toContain('more silence')
    expect(await many(12)).toContain('2 more silences.')
  })

  it('shows names of the database as they are, whatever they try', async () => {
    const app = '<!channel> *b* \u202Eevil\u202C <https://x|y> :fire: &amp; 0123456789'
    const { incident, asked } = incidentOn('orders', 100, { app })
    const { view } = await drawn({ clusters: ['orders'], incidents: [incident], proposals: [asked] })
    const json = JSON.stringify(view.blocks)
    expect(json).not.toContain('mrkdwn')
    expect(json).not.toMatch(/[\u202A-\u202E]/)
    expect(json).toContain('<!channel>')
  })

  it('shows an answer above everything, and only the beginning of a long one', async () => {
    const answer = (blocks: number): View => ({
      text: 'Title\nmore',
      blocks: Array.from({ length: blocks }, () => ({
        type: 'rich_text' as const,
        elements: [
          { type: 'rich_text_section' as const, elements: [{ type: 'text' as const, text: 'part' }] },
        ],
      })),
    })
    const lines = async (blocks: number) =>
      (await drawn({ clusters: ['orders'], notice: answer(blocks) })).words.split('\n').slice(1, 4)
    expect(await lines(1)).toEqual(['part', '', 'Clusters'])
    expect(await lines(9)).toEqual(['Title', '', 'Clusters'])
  })

  it('is one sentence for whoever may see nothing', () => {
    const view = homeView(noHomeBlocks('guests may not use this.'), takenAt)
    checkView(view, 'home')
    expect(told(view.blocks).split('\n')[0]).toBe('Nothing is shown to you here: guests may not use this.')
  })
})
