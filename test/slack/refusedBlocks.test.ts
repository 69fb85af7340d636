import { describe, expect, it } from 'vitest'
import { createRefusedBlocks } from '../../src/slack/refusedBlocks.ts'

const day = 86_400_000
const blocks = [
  { type: 'table', rows: [[{ type: 'raw_text', text: 'a' }]] },
  { type: 'rich_text', elements: [] },
  { type: 'context', elements: [{ type: 'plain_text', text: 'b' }] },
]

/** A workspace that answers what `judge` says to the kinds of blocks in a call. */
function open(judge: (kinds: readonly string[]) => Response, sent: readonly object[] = blocks) {
  let time = 10 * day
  const learned: [string, number][] = []
  const bare: (readonly string[])[] = []
  const calls: string[] = []
  const make = () =>
    createRefusedBlocks({
      now: () => time,
      learned: (kind, at) => learned.push([kind, at]),
      bare: (kinds) => bare.push(kinds),
    })
  let refused = make()
  return {
    learned,
    bare,
    calls,
    pass: (ms: number) => {
      time += ms
    },
    restart: () => {
      refused = make()
      for (const [kind, at] of learned) refused.remember(kind, at)
    },
    kinds: () => [...refused.kinds()].sort(),
    async post() {
      const fetch = refused.wrap(async (_, init) => {
        const came: { type: string }[] = JSON.parse(
          new URLSearchParams(String(init?.body)).get('blocks') ?? '[]',
        )
        const kinds = came.map(({ type }) => type)
        calls.push(kinds.join(' '))
        return judge(kinds)
      })
      const body = new URLSearchParams({ text: 'words', blocks: JSON.stringify(sent) }).toString()
      const response = await fetch('https://slack.test/api/chat.postMessage', { method: 'POST', body })
      return response.status === 200 ? response.json() : response.status
    },
  }
}

const ok = () => Response.json({ ok: true })
const refusing = (...messages: string[]) =>
  Response.json({ ok: false, error: 'invalid_blocks', response_metadata: { messages } })
const without =
  (...kinds: string[]) =>
  (sent: readonly string[]) =>
    sent.some((kind) => kinds.includes(kind)) ? refusing() : ok()

it('posts the bare text where every form of the blocks is refused, tells so, and learns no kind', async () => {
  const room = open((kinds) => (kinds.length > 0 ? refusing() : ok()))
  expect(await room.post()).toEqual({ ok: true })
  expect(room.calls.at(-1)).toBe('')
  expect(room.bare).toEqual([['context', 'rich_text', 'table']])
  expect(room.learned).toEqual([])
  // Where Slack refuses the text as well, nothing was taken.
  const closed = open(() => refusing())
  expect(await closed.post()).toMatchObject({ ok: false, error: 'invalid_blocks' })
  expect(closed.bare).toEqual([])
})

it('goes on where a limit came between two tries', async () => {
  let isLimited = false
  const room = open((kinds) => {
    if (!isLimited) return without('context')(kinds)
    isLimited = false
    return new Response('', { status: 429, headers: { 'retry-after': '1' } })
  })
  const whole = open(without('context'))
  await whole.post()
  const tries: number[] = []
  for (let turn = 0; turn < 20 && room.learned.length === 0; turn++) {
    isLimited = true
    // The limit is met first, then one try gets through.
    expect(await room.post()).toBe(429)
    tries.push(room.calls.length)
    await room.post()
  }
  expect(room.kinds()).toEqual(['context'])
  expect(new Set(whole.calls)).toEqual(new Set(room.calls))
})

it('does not try again what was refused before a limit, and keeps what Slack said of it', async () => {
  let calls = 0
  const room = open((kinds) => {
    calls++
    if (calls === 2) return new Response('', { status: 429 })
    // A fault of this table alone, not of its kind.
    return kinds.includes('table') ? refusing('must be shorter [json-pointer:/blocks/0/rows]') : ok()
  })
  expect(await room.post()).toBe(429)
  expect(await room.post()).toEqual({ ok: true })
  expect(room.calls).toEqual([
    'table rich_text context',
    'section rich_text context',
    'section rich_text context',
  ])
  expect(room.learned).toEqual([])
})

it('learns nothing from an error that says nothing of the blocks', async () => {
  const room = open((kinds) =>
    kinds.includes('table') ? refusing() : Response.json({ ok: false, error: 'not_in_channel' }),
  )
  expect(await room.post()).toMatchObject({ error: 'not_in_channel' })
  expect(room.learned).toEqual([])
  expect(room.bare).toEqual([])
})

it('remembers a kind over a restart, and tries it again after a day, not before', async () => {
  const room = open(without('table'))
  await room.post()
  expect(room.learned).toEqual([['table', 10 * day]])
  room.restart()
  room.pass(day - 1)
  room.calls.splice(0)
  await room.post()
  expect(room.calls).toEqual(['section rich_text context'])
  room.pass(1)
  expect(room.kinds()).toEqual([])
  await room.post()
  expect(room.calls.slice(1)).toEqual(['table rich_text context', 'section rich_text context'])
  expect(room.learned.at(-1)).toEqual(['table', 11 * day])
  // A clock that was set back must not keep it for longer than a day.
  room.pass(-day)
  expect(room.kinds()).toEqual([])
})

it.each([
  ['ok', true],
  ['', true],
  ['no_service', false],
])('reads the answer "%s" of a response_url', async (answer, isTaken) => {
  const learned: string[] = []
  const refused = createRefusedBlocks({
    now: () => day,
    learned: (kind) => learned.push(kind),
    bare: () => {},
  })
  const fetch = refused.wrap(async (_, init) =>
    String(init?.body).includes('"table"') ? new Response('invalid_blocks') : new Response(answer),
  )
  await fetch('https://slack.test/response', { method: 'POST', body: JSON.stringify({ text: 'a', blocks }) })
  expect(learned).toEqual(isTaken ? ['table'] : [])
})

describe('a chart', () => {
  const chart = {
    type: 'data_visualization',
    title: 'Active sessions',
    chart: {
      type: 'line',
      series: [{ name: 'Lock', data: [{ label: '10:00', value: 2 }] }],
      axis_config: { categories: ['10:00'] },
    },
  }
  const naming =
    (...kinds: string[]) =>
    (sent: readonly string[]) => {
      const at = sent.flatMap((kind, index) => (kinds.includes(kind) ? [index] : []))
      return at.length > 0 ? refusing(...at.map((n) => `no [json-pointer:/blocks/${n}/type]`)) : ok()
    }

  it.each([true, false])('is tried once, and goes as a table from then on (named: %s)', async (isNamed) => {
    const room = open((isNamed ? naming : without)('data_visualization'), [blocks[1] ?? {}, chart])
    for (let n = 0; n < 2; n++) expect(await room.post()).toEqual({ ok: true })
    expect(room.calls).toEqual([
      'rich_text data_visualization',
      'rich_text section table',
      'rich_text section table',
    ])
    expect(room.learned).toEqual([['data_visualization', 10 * day]])
  })

  it.each([
    ['table', 'section rich_text', true],
    ['table', 'section section', false],
    ['table rich_text', 'section section', true],
    ['table rich_text', 'section section', false],
  ])('goes otherwise where %s is refused too: %s (named: %s)', async (others, last, isNamed) => {
    const kinds = ['data_visualization', ...others.split(' ')]
    const room = open((isNamed ? naming : without)(...kinds), [chart])
    for (let n = 0; n < 2; n++) expect(await room.post()).toEqual({ ok: true })
    expect(room.calls.slice(-2)).toEqual([last, last])
    expect(room.bare).toEqual([])
  })

  it('goes as columns beside a table', async () => {
    const room = open(without('data_visualization'), [chart, blocks[0] ?? {}])
    await room.post()
    expect(room.calls.at(-1)).toBe('section rich_text table')
  })
})
