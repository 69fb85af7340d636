import { checkBlocks } from 'slack-workspace'
import { expect, it } from 'vitest'
import { bold, bullets, button, preformatted, richText, section, table, user } from '../../src/views/kit.ts'
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
