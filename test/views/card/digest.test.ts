import { checkBlocks, checkText } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import type { Finding } from '../../../src/domain/incidents/finding.ts'
import type { Incident } from '../../../src/domain/incidents/incident.ts'
import { digestView, wholeDigestView } from '../../../src/views/card/digest.ts'
import type { View } from '../../../src/views/kit.ts'
import { idle, idleInTransaction, incident as incidentOf, takenAt } from '../../support/builders.ts'

const listed = (n: number, finding: Finding, over: Partial<Incident> = {}): Incident =>
  incidentOf({
    ...{ id: `i${n}`, cardId: 'digest', digestId: 'digest', openedAt: takenAt + n, placedAt: takenAt },
    finding,
    ...over,
  })
const resting = (n: number, over: Partial<Incident> = {}) =>
  listed(n, { kind: 'idle', session: idle(n, 4_000), seconds: 4_000 }, over)
const checked = (view: View): string => {
  checkBlocks(view.blocks)
  checkText(view.text, view.blocks, 4000)
  return view.text
}

describe('a digest', () => {
  it('names the worst first, each with its command, then who has a card by now and who is over', () => {
    const incidents = [
      resting(1),
      listed(2, { kind: 'idleInTransaction', session: idleInTransaction(2, 400), seconds: 400 }),
      resting(3, { cardId: 'i3' }),
      resting(4, { resolvedAt: takenAt + 9 }),
      resting(5, { resolvedAt: takenAt + 9 }),
    ]
    expect(
      checked(digestView('orders', 'digest', incidents))
        .split('\n')
        .map((line) => line.slice(0, 60)),
    ).toEqual([
      '2 more incidents on orders',
      '- Idle in transaction: Session 2 (web, user shop, database o',
      '- Long-idle session: Session 1 (web, user shop, database ord',
      'On cards of their own: 3.',
      'Over: 4 and 5.',
      'Too many came at once for a card each; the worst of them get',
    ])
    expect(JSON.stringify(digestView('orders', 'digest', incidents).blocks)).toMatch(
      /\/pg session 2".* · incident i2".*\/pg session 1".* · incident i1"/,
    )
  })

  it('says where there may be more than are followed', () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => resting(index + 1))
    const sentence = 'Of each kind 100 are followed at a time'
    expect(checked(digestView('orders', 'digest', many(49)))).not.toContain(sentence)
    expect(checked(digestView('orders', 'digest', many(50)))).toContain(sentence)
  })

  it('proposes for each row that is shown what helps against it, and nothing where nothing helps', () => {
    const target = (pid: number) => ({
      target: {
        action: 'terminate' as const,
        session: idle(pid, 4_000),
        workLost: 'idle' as const,
        waited: false,
      },
      text: '',
      others: [],
      retries: null,
      named: [],
    })
    const incidents = [
      ...Array.from({ length: 12 }, (_, n) => resting(n + 1, { recommendation: target(n + 1) })),
      resting(13, { recommendation: null, openedAt: 0, beganAt: 0 }),
    ]
    const view = digestView('orders', 'digest', incidents)
    checked(view)
    const buttons = view.blocks.flatMap((block) => (block.type === 'actions' ? block.elements : []))
    const proposing = buttons.filter((one) => 'action_id' in one && one.action_id === 'pg_propose_terminate')
    const rows = /- Long-idle session: Session (\d+)/g
    const shown = [...view.text.matchAll(rows)].map(([, pid]) => Number(pid))
    expect(shown).toHaveLength(8)
    expect(proposing.map((one) => ('value' in one ? JSON.parse(one.value ?? '') : null))).toEqual(
      shown
        .filter((pid) => pid !== 13)
        .map((pid) => ({ cluster: 'orders', pid, backendStart: idle(pid, 4_000).backendStart })),
    )
    const row = view.blocks.findIndex((block) => block.type === 'actions')
    expect(JSON.stringify(view.blocks[row - 1])).toContain(`/pg session ${shown.find((pid) => pid !== 13)}"`)
  })

  it('ends when all are over, or have moved', () => {
    const over = { beganAt: takenAt - 60_000, resolvedAt: takenAt, resolution: 'The session is gone.' }
    const told = digestView('orders', 'digest', [
      resting(1, over),
      listed(
        2,
        { kind: 'idleInTransaction', session: idleInTransaction(2, 400), seconds: 400 },
        { ...over, mostVictims: 3 },
      ),
    ])
    expect(checked(told)).toBe(
      `Resolved: 2 incidents on orders
- Idle in transaction 2: The session is gone. It lasted 1 min and kept up to 3 sessions waiting.
- Long-idle session 1: The session is gone. It lasted 1 min.`,
    )
    expect(JSON.stringify(told.blocks)).toContain('/pg history digest shows all of it')
    expect(checked(digestView('orders', 'digest', [resting(1, over), resting(2, { cardId: 'i2' })]))).toBe(
      `Nothing more in this list on orders
- Long-idle session 1: The session is gone. It lasted 1 min.
On cards of their own: 2.
Over: 1.`,
    )
    const many = Array.from({ length: 20 }, (_, n) => resting(n, over))
    expect(checked(digestView('orders', 'digest', many))).toMatch(/\n12 more are over too\.$/)
  })

  it('keeps within what Slack takes, however many there are and whatever they are called', () => {
    const long = (n: number) => ({
      applicationName: `${n}${'<@U0DANA>&'.repeat(7)}`.slice(0, 63),
      usename: 'u'.repeat(63),
      datname: 'd'.repeat(63),
    })
    const incidents = Array.from({ length: 200 }, (_, n) =>
      listed(n, { kind: 'idle', session: idle(100_000 + n, 4_000, long(n)), seconds: 4_000 }),
    )
    expect(checked(digestView('orders', 'digest', incidents))).toContain('192 more: press Show all.')
    checked(wholeDigestView('orders', 'digest', incidents))
    const [moved, over] = [0, 1].map((half) => incidents.slice(half * 100, half * 100 + 100))
    const told = digestView('orders', 'digest', [
      ...(moved ?? []).map((one) => ({ ...one, cardId: one.id })),
      ...(over ?? []).map((one) => ({ ...one, resolvedAt: takenAt })),
    ])
    expect(checked(told)).toMatch(/and 88 more\./)
  })
})
