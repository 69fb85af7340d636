import { checkBlocks } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import { chartOf } from '../../src/views/chart.ts'
import {
  bold,
  bullets,
  button,
  link,
  preformatted,
  richText,
  section,
  table,
  user,
} from '../../src/views/kit.ts'
import { type AnyBlock, inPlain } from '../../src/views/plainBlocks.ts'

const all = new Set(['rich_text', 'table', 'context_actions'])

it('keeps hostile words as words: plain text, or escaped where a person is named', () => {
  const evil = '<!channel> *bold* <https://evil.example|here> & more'
  const [plain, named] = inPlain(
    [richText(section(bold('a '), evil)), richText(bullets(['by ', user('U0DANA'), evil]))],
    all,
  )
  expect(plain).toMatchObject({ type: 'section', text: { type: 'plain_text', text: `a ${evil}` } })
  expect(named).toMatchObject({ text: { type: 'mrkdwn', verbatim: true } })
  expect(JSON.stringify(named)).toContain('<@U0DANA>&lt;!channel&gt;')
})

it('formats nothing of a database beside a mention, and leaves names as they are inside', () => {
  const evil = '&gt; *bold* _x_ ~y~ `z` :skull: >q __init__'
  const [named] = inPlain([richText(section(user('U0DANA'), ` shop_orders 10:05:30 ${evil}\n>q`))], all)
  const words = JSON.stringify(named)
  expect(words).not.toMatch(/[*~`]|\b_|_\b|:skull:|\\n&gt;/)
  expect(words).toContain('<@U0DANA> shop_orders 10:05:30')
  expect(words).toContain('bold')
  const [linked] = inPlain([richText(section(link('https://slack.test/a_b_*c*', 'the *card* of `x`')))], all)
  expect(linked).toMatchObject({ text: { text: '<https://slack.test/a_b_*c*|the ∗card∗ of ˋxˋ>' } })
})

it('loses no row and no statement, and stays within what Slack takes of a section', () => {
  const rows = Array.from({ length: 100 }, (_, n) => [`${n}`, 'x'.repeat(80)])
  const blocks = inPlain([table(rows), richText(preformatted('SELECT 1\nFROM t'))], all)
  checkBlocks(blocks)
  const words = JSON.stringify(blocks)
  for (const [n] of rows) expect(words).toContain(`${n} · x`)
  expect(words).toContain('SELECT 1\\nFROM t')
})

it('keeps the buttons of a block that is not known, and leaves what is known as it is', () => {
  const one = button('pg_details', 'Details', 'id')
  const known: AnyBlock & { elements: unknown } = { type: 'actions', elements: [one] }
  expect(inPlain([{ ...known, type: 'context_actions' }, known], all)).toEqual([known, known])
  const rich = richText(section('as it is'))
  expect(inPlain([rich], new Set(['table']))).toEqual([rich])
})

describe('a chart', () => {
  const chart = chartOf({
    ...{ kind: 'line', title: 'Active & <!here>', x: 'Europe/Berlin', y: 'sessions' },
    labels: ['10:00', '10:05'],
    series: [
      { name: 'Lock', values: [2, 10.5] },
      { name: '<@U0DANA>', values: [0, 1] },
    ],
  })
  if (!chart) throw new Error('no chart')
  const cells = (block: unknown) =>
    (block as { rows: { text: string }[][] }).rows.map((row) => row.map(({ text }) => text))

  it('becomes a table under its title', () => {
    const [title, rows, ...rest] = inPlain([chart], new Set(['data_visualization']))
    checkBlocks([title, rows])
    expect(rest).toEqual([])
    expect(title).toMatchObject({ text: { type: 'plain_text', text: 'Active & <!here>' } })
    expect(cells(rows)).toEqual([
      ['Europe/Berlin', 'Lock', '<@U0DANA>'],
      ['10:00', '2', '0'],
      ['10:05', '10.5', '1'],
    ])
  })

  it('becomes columns where a message has a table, and plain words where neither is known', () => {
    const beside = inPlain([chart, chart, table([['a']])], new Set(['data_visualization']))
    checkBlocks(beside)
    expect(beside.map(({ type }) => type)).toEqual(['section', 'rich_text', 'section', 'rich_text', 'table'])
    expect(JSON.stringify(beside[1])).toContain(
      'Europe/Berlin  Lock  <@U0DANA>\\n10:00             2          0\\n10:05          10.5          1',
    )
    expect(inPlain([chart, chart], new Set(['data_visualization'])).map(({ type }) => type)).toEqual([
      'section',
      'table',
      'section',
      'rich_text',
    ])
    const noTables = inPlain([chart], new Set(['data_visualization', 'table']))
    expect(noTables.map(({ type }) => type)).toEqual(['section', 'rich_text'])
    const plain = inPlain([chart], new Set(['data_visualization', 'table', 'rich_text']))
    checkBlocks(plain)
    expect(plain.map(({ type }) => type)).toEqual(['section', 'section'])
    expect(JSON.stringify(plain)).toContain('10:05          10.5          1')
    expect(inPlain([chart], new Set(['table']))).toEqual([chart])
  })
})
