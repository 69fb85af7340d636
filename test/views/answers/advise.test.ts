import { describe, expect, it } from 'vitest'
import type { Prevention } from '../../../src/domain/advice/prevention.ts'
import { adviseView } from '../../../src/views/answers/advise.ts'

const advice = (over: Partial<Prevention> = {}): Prevention => ({
  setting: 'idle_in_transaction_session_timeout',
  value: '60s',
  scope: { role: 'shop', database: 'orders' },
  trouble: 'shop in orders sat idle in a transaction for up to 25 min, 3 times.',
  statement: "ALTER ROLE shop IN DATABASE orders SET idle_in_transaction_session_timeout = '60s';",
  undo: 'ALTER ROLE shop IN DATABASE orders RESET idle_in_transaction_session_timeout;',
  now: 'off, as on the whole server',
  effect: 'The server ends it.',
  before: { times: 3, ended: 2, hits: { all: 5, innocent: 3, applications: ['report', '<!here>\nnew', ''] } },
  needsRestart: false,
  ...over,
})
const of = (advice: readonly Prevention[], over: object = {}) =>
  adviseView({
    ...{ cluster: 'orders', advice, incidents: 4, sinceSeconds: 604_800, recordSeconds: 86_400 },
    ...over,
  })

describe('/pg advise', () => {
  it('shows the statement, what it is now, whom it would have hit, and the way back', () => {
    const { text, blocks } = of([advice()])
    expect(text).toMatchInlineSnapshot(`
      "What would have prevented it on orders
      I change nothing: run what you agree with. By 4 incidents of the last 7 d and the looks of the last 1 d.
      shop in orders sat idle in a transaction for up to 25 min, 3 times.
      ALTER ROLE shop IN DATABASE orders SET idle_in_transaction_session_timeout = '60s';
      - Now: off, as on the whole server.
      - Before: it would have cut 2 of 3 short, and hit 3 that kept nobody waiting (report, &lt;!here&gt; new and no application name).
      - Does: The server ends it.
      - It holds from the next login on, and each client may SET another value.
      - Back: ALTER ROLE shop IN DATABASE orders RESET idle_in_transaction_session_timeout;"
    `)
    expect(JSON.stringify(blocks)).toContain('rich_text_preformatted')
  })

  it.each([
    [{ times: 1, ended: 1, hits: null }, 'it would have cut it short.'],
    [{ times: 1, ended: 0, hits: null }, 'it would have cut 0 of 1 short.'],
    [
      { times: 2, ended: 2, hits: { all: 2, innocent: 0, applications: [] } },
      'all 2 short, and hit nobody else.',
    ],
  ])('counts %j', (before, words) => {
    expect(of([advice({ before })]).text).toContain(words)
  })

  it('says what needs a restart, and what holds at once', () => {
    expect(of([advice({ scope: null, needsRestart: true })]).text).toContain('Needs a restart of the server.')
    expect(of([advice({ scope: null })]).text).toContain('It holds at once, without a restart.')
    expect(of([advice({ undo: null })]).text).not.toContain('Back:')
  })

  it('says where it comes from, and that calm needs nothing', () => {
    expect(of([], { incidents: 0 }).text).toContain('There was no trouble to prevent.')
    expect(of([], { incidents: 3 }).text).toContain('or it is set already')
    expect(of([advice()], { recordSeconds: null }).text).toContain('nothing is recorded')
  })

  it('keeps within what one message takes, whatever names there are', () => {
    const long = 'x'.repeat(3000)
    const { blocks } = of(Array.from({ length: 9 }, () => advice({ trouble: long, now: long })))
    expect(blocks.length).toBeLessThanOrEqual(50)
    expect(of(Array.from({ length: 9 }, () => advice())).text).toContain('3 more.')
  })
})
