import fc from 'fast-check'
import { checkBlocks } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import type { Session } from '../../src/domain/session/session.ts'
import { cardView, target } from '../../src/views/card/card.ts'
import { detailsModal } from '../../src/views/card/details.ts'
import { countWords } from '../../src/views/card/fit.ts'
import { plainWords } from '../../src/views/kit.ts'
import { allTags, originLine } from '../../src/views/tags.ts'
import { checkView, transcript } from '../support/asking.ts'
import { idleInTransaction, picture, session, takenAt } from '../support/builders.ts'
import { cardState } from '../support/cards.ts'
import { proposal } from '../support/proposals.ts'
import { told } from '../support/render.ts'

const traceparent = '00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'
const trace = 'https://trace.example.com/5bd66ef5095369c7b0d1f8f4bd33716a'
const tags = {
  ...{ application: 'checkout', controller: 'OrdersController', action: 'create', route: '/orders' },
  ...{ framework: 'rails', db_driver: 'pg', traceparent },
}
const from = (over: Partial<Session>, most = 60) => plainWords(originLine(session(1, over), most))

describe('the short line', () => {
  it('says application, place and route; how it came there is left to the details', () => {
    expect(from({ tags })).toBe('From checkout · OrdersController#create · route /orders')
  })

  it.each([
    [{}, ''],
    [{ framework: 'rails', db_driver: 'pg', traceparent }, ''],
    [{ application: 'web' }, ''],
    [{ application: 'web', job: 'Billing::CloseMonth' }, 'From job Billing::CloseMonth'],
    [{ controller: 'orders' }, 'From orders'],
    [{ action: 'create' }, 'From action create'],
    [{ route: '/orders', ddps: 'shop' }, 'From route /orders · ddps shop'],
    [{ job: 'one two three four five six' }, 'From job one two three four five …'],
    [{ route: 'x'.repeat(80) }, `From route ${'x'.repeat(33)}…`],
    [{ application: '<!channel> <@U1>' }, 'From &lt;!channel&gt; &lt;@U1&gt;'],
  ])('of %j: %s', (tags, line) => {
    expect(from({ tags })).toBe(line)
  })

  it('has no more words than there is room for, and leaves out what does not fit', () => {
    expect(from({ tags }, 5)).toBe('From checkout · OrdersController#create · route /orders')
    expect(from({ tags }, 4)).toBe('From checkout · OrdersController#create')
    expect(from({ tags: { application: 'a b c', job: 'j' } }, 3)).toBe('From job j')
    expect(from({ tags }, 1)).toBe('')
  })

  it('leads where the configuration says', () => {
    const code = 'https://code.example.com/?q=OrdersController'
    const linked = session(1, { tags, tagLinks: { traceparent: trace, controller: code } })
    expect(plainWords(originLine(linked, 60))).toBe(
      `From checkout · <${code}|OrdersController#create> · route /orders · <${trace}|its trace>`,
    )
    const action = session(1, { tags, tagLinks: { action: code } })
    expect(plainWords(originLine(action, 60))).toContain(`<${code}|OrdersController#create>`)
    expect(from({ tags: { action: 'x', traceparent }, tagLinks: { action: code, traceparent: trace } })).toBe(
      `From <${code}|action x> · <${trace}|its trace>`,
    )
    expect(from({ tags: { application: 'a', job: 'j' }, tagLinks: { application: code, job: trace } })).toBe(
      `From <${code}|a> · <${trace}|job j>`,
    )
  })
})

it('the details say all of it', () => {
  expect(plainWords(allTags(session(1, { tags, tagLinks: { traceparent: trace } })))).toBe(
    `application checkout, controller OrdersController, action create, route /orders, framework rails, db_driver pg, <${trace}|traceparent ${traceparent}>`,
  )
  expect(allTags(session(1))).toEqual([])
})

describe('a card and its details', () => {
  const whose = idleInTransaction(4312, 600, { query: 'UPDATE orders SET state = ?', tags })
  const card = (session: Session) => cardState([proposal({}, session)])
  const modal = (session: Session) =>
    detailsModal({ card: card(session), locks: null, wait: null, history: [], sql: null, now: takenAt })

  it('say where the session comes from, between its names and its statement', () => {
    const view = cardView(card(whose))
    checkView(view)
    expect(told(view.blocks)).toContain(
      'web · shop · orders · idle in transaction\nFrom checkout · OrdersController#create · route /orders\nUPDATE orders SET state = ?',
    )
    const details = modal({ ...whose, tagLinks: { traceparent: trace } })
    checkBlocks(details.blocks as never, 'modal' as never)
    expect(told(details.blocks)).toContain(
      `UPDATE orders SET state = ?\nComes from: application checkout, controller OrdersController, action create, route /orders, framework rails, db_driver pg, traceparent ${traceparent}.`,
    )
  })

  it('say nothing of one that says nothing', () => {
    const { tags: _, ...silent } = whose
    expect(told(cardView(card(silent)).blocks)).not.toContain('From ')
    expect(told(modal(silent).blocks)).not.toContain('Comes from')
  })

  it('take any tags, with nothing in them that Slack would read as markup', () => {
    const value = fc.oneof(
      fc.constantFrom('<!channel>', '<@U1>', '*x*', '\u202e', '`', '\n', traceparent),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(tags), 'ddps', 'line'), value), (some) => {
        const tagged = { ...whose, tags: some, tagLinks: { route: 'https://code.example.com/a' } }
        const view = cardView(card(tagged))
        checkBlocks(view.blocks as never)
        checkBlocks(modal(tagged).blocks as never, 'modal' as never)
        expect(JSON.stringify(view.blocks)).not.toContain('mrkdwn')
        expect(view.text).not.toContain('<!channel>')
        const [, names] = view.blocks.flatMap((block) => (block.type === 'rich_text' ? [told([block])] : []))
        expect(countWords(names ?? '')).toBeLessThan(60)
      }),
    )
  })

  it('leave the statement its words, however little room there is', () => {
    const long = { ...whose, query: 'UPDATE a SET b = c WHERE d' }
    for (let words = 0; words <= 40; words++) {
      const lines = told(target(card(long), words)).split('\n')
      expect(lines.at(-1)).toMatch(/^UPDATE a SET/)
      expect(countWords(...lines)).toBeLessThanOrEqual(Math.max(words, 6))
    }
  })
})

it('/pg session says all of it', async () => {
  const query = 'SELECT ?'
  expect(await transcript('session 7', picture([session(7, { query, tags })]))).toContain(
    `- Comes from: application checkout, controller OrdersController, action create, route /orders, framework rails, db_driver pg, traceparent ${traceparent}.\n`,
  )
  expect(await transcript('session 7', picture([session(7, { query })]))).not.toContain('Comes from')
})
