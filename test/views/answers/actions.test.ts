import fc from 'fast-check'
import { checkBlocks, checkText } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import {
  charactersIn,
  noActions,
  type OpenCard,
  type Proposed,
  withActions,
} from '../../../src/views/answers/actions.ts'
import { compose, lines } from '../../../src/views/answers/page.ts'
import type { Block, View } from '../../../src/views/kit.ts'

const key = (pid: number) => ({ cluster: 'orders', pid, backendStart: '2026-03-01 02:00:00.000001+00' })
const proposed = (pid: number, whom = `web (${pid})`): Proposed => ({
  action: 'terminate',
  key: key(pid),
  whom,
})
const card = (pid: number, over: Partial<OpenCard> = {}): OpenCard => ({
  cardId: `00000000-0000-4000-8000-${String(pid).padStart(12, '0')}`,
  hasDetails: true,
  beganAt: null,
  title: `🟠 web (${pid}) blocks 1 session on orders`,
  link: `https://slack.test/archives/C0/p${pid}`,
  sessions: [key(pid)],
  ...over,
})
const answer = compose('Sessions on orders', [lines(['Two jams.']), lines(['As of now.'])])

const rows = ({ blocks }: View): string[][] =>
  blocks.flatMap((block: Block) =>
    block.type === 'actions'
      ? [block.elements.map((one) => ('text' in one && one.text ? one.text.text : ''))]
      : [],
  )

describe('an answer', () => {
  it('proposes for each session once, with the details and the link of its card', () => {
    const view = withActions(answer, {
      ...noActions,
      proposed: [proposed(1), proposed(2), proposed(1)],
      cards: [card(2), card(3), card(4, { hasDetails: false, link: null })],
      refresh: 'sessions',
    })
    expect(rows(view)).toEqual([
      ['Propose: terminate web (1)'],
      ['Propose: terminate web (2)', 'Details'],
      ['Details'],
      ['Refresh'],
    ])
    expect(view.text).toBe(
      [
        'Sessions on orders',
        'Two jams.',
        'Card: <https://slack.test/archives/C0/p2|🟠 web (2) blocks 1 session on orders>',
        'Card: <https://slack.test/archives/C0/p3|🟠 web (3) blocks 1 session on orders>',
        'Card: 🟠 web (4) blocks 1 session on orders',
        'As of now.',
      ].join('\n'),
    )
  })

  it('that names a card itself gets its button alone', () => {
    const view = withActions(answer, { ...noActions, cards: [{ ...card(2), isNamed: true }] })
    expect(rows(view)).toEqual([['Details']])
    expect(view.text).toBe('Sessions on orders\nTwo jams.\nAs of now.')
  })

  it('that is full loses buttons first, the last ones before the others, Refresh at the very end', () => {
    const nearly = compose('Long', [lines(['x'.repeat(9945)])])
    const view = withActions(nearly, {
      ...noActions,
      proposed: [1, 2, 3].map((pid) => proposed(pid)),
      refresh: 'long',
    })
    expect(rows(view)).toEqual([['Propose: terminate web (1)'], ['Refresh']])
    const full = compose('Long', [lines(['x'.repeat(9995)])])
    expect(rows(withActions(full, { ...noActions, proposed: [proposed(1)], refresh: 'long' }))).toEqual([])
  })

  it('has no Refresh for a command that no button can hold', () => {
    expect(rows(withActions(answer, { ...noActions, refresh: 'x'.repeat(2000) }))).toEqual([])
  })

  it('is taken by Slack, whatever the names are', () => {
    const names = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 63 }),
      fc.constantFrom('<!channel> *b* `c`', '‮tuokcehc', '👩‍👩‍👧‍👦'.repeat(8), 'شحن-الطلبات', '\n\n'),
    )
    fc.assert(
      fc.property(fc.array(names, { maxLength: 30 }), (all) => {
        const { text, blocks } = withActions(answer, {
          ...noActions,
          notes: all.slice(0, 3).map((name) => [name]),
          proposed: all.map((name, index) => proposed(index + 1, name)),
          cards: all.slice(0, 5).map((name, index) => card(index + 1, { title: name })),
          shows: all.slice(0, 3).map((name) => ({ label: name, command: `sessions --app ${name}` })),
          refresh: 'sessions',
        })
        checkText(text, blocks, 4000)
        checkBlocks(blocks)
        expect(blocks.length).toBeLessThanOrEqual(50)
        expect(charactersIn(blocks)).toBeLessThanOrEqual(10_000)
        expect(text).not.toContain('<!channel>')
      }),
    )
  })
})
