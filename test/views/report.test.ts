import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { checkBlocks } from '../../packages/slack-workspace/src/limits.ts'
import {
  hasBrowser,
  listenForProblems,
  openBrowser,
  seriousFaults,
} from '../../packages/slack-workspace/test/browser.ts'
import { charactersIn } from '../../src/views/answers/actions.ts'
import { clockIn } from '../../src/views/report/clock.ts'
import { reportDocument, reportSchema } from '../../src/views/report/document.ts'
import { escapeMarkdown, reportMarkdown } from '../../src/views/report/markdown.ts'
import { reportView } from '../../src/views/report/message.ts'
import { reportPage } from '../../src/views/report/page.ts'
import { peopleIn, withNames } from '../../src/views/report/people.ts'
import { writeReport } from '../../src/views/report/sections.ts'
import { takenAt } from '../support/builders.ts'
import {
  at,
  every5,
  jamIncident,
  journalRow,
  look,
  reportFrom,
  rowLook,
  type Waiter,
} from '../support/pastJams.ts'

const hostile =
  '</style><script>alert(1)</script> **b** [x](http://evil.example) `c` | www.evil.example @here <!channel> \u202egnp\n# head'

/** Five minutes in which a lot happened, and whose names and statements are `name`. */
function told(name: string) {
  const checkout = {
    pid: 1,
    from: -8,
    to: 300,
    over: { applicationName: name, usename: name, datname: name },
  }
  const web = Array.from(
    { length: 14 },
    (_, n): Waiter => ({
      ...{ pid: 100 + n, from: 12 * n + 3, to: 300 },
      over: { applicationName: n % 3 ? name : 'web', usename: name, datname: name },
    }),
  )
  const texts = new Map([1, ...web.map(({ pid }) => pid)].map((pid) => [pid, `UPDATE ${name} SET a = ?`]))
  const looks = every5(-60, 330, (seconds) => rowLook(seconds, [checkout], web))
    .filter(({ look: one }) => one.takenAt < at(120) || one.takenAt > at(160))
    .map((one) =>
      'snapshot' in one.look
        ? { ...one, look: { ...one.look, snapshot: { ...one.look.snapshot, texts } } }
        : one,
    )
  const about = jamIncident(looks, 1, {
    ...{ openedAt: at(35), beganAt: at(3), resolvedAt: at(305) },
    resolution: 'The session is gone. It was ended by the approved terminate.',
  })
  const rows = [
    journalRow(35, { kind: 'incidentOpened', actor: 'pg-marshal', what: 'Seen for the first time.' }),
    journalRow(36, { kind: 'called', actor: 'pg-marshal', why: 'card', people: ['S0DBAONCALL'] }),
    journalRow(200, { kind: 'acknowledged', actor: 'U0RESP' }),
    journalRow(295, { kind: 'approved', actor: 'U0DANA', proposalId: 'p', have: 1, needed: 1 }),
    journalRow(305, { kind: 'incidentResolved', actor: 'pg-marshal', what: 'The session is gone.' }),
  ]
  const report = reportFrom(looks, about, { from: -60, to: 330, rows })
  return { report, written: writeReport(report) }
}

const clock = clockIn('Europe/Berlin', takenAt)
const page = (name: string) => {
  const { report, written } = told(name)
  return reportPage(report, written, { clock, version: '1.2.3', writtenAt: at(999) })
}

describe('names and statements from the database', () => {
  it('are text in the page', () => {
    const html = page(hostile)
    expect(html).not.toMatch(/<script|<\/style>[^\n]|\u202e/)
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(html.match(/<style>/g)).toHaveLength(1)
  })

  it('are text in Markdown', () => {
    const { written } = told(hostile)
    const lines = reportMarkdown(written, clock).split('\n')
    const fence = lines.indexOf('```text')
    const end = lines.indexOf('```', fence)
    const words = [...lines.slice(0, fence), ...lines.slice(end)].map((line) =>
      line.replaceAll(/(`+).*?\1/g, ''),
    )
    expect(fence).toBeGreaterThan(0)
    expect(words.join('\n')).not.toMatch(/(?<!\\)[<[]|(?<!\\):\/\/|www\.|@here|(?<!\\)\*\*b|\u202e/)
    expect(words.filter((line) => line.startsWith('# '))).toHaveLength(1)
    const cells = lines.filter((line) => line.startsWith('| ')).map((line) => line.split(/(?<!\\)\|/).length)
    expect(new Set(cells)).toEqual(new Set([5, 7, 8]))
  })

  it('are text in Slack, and all that stands there fits', () => {
    const { report, written } = told(hostile.repeat(4))
    const { text, blocks } = reportView(report, written, { others: [report.incident], sharedBy: 'U0RESP' })
    expect(text).not.toMatch(/<!|<script|\u202e/)
    expect(JSON.stringify(blocks)).not.toMatch(/mrkdwn|\\u202e/)
    expect(() => checkBlocks(blocks)).not.toThrow()
    expect(charactersIn(blocks)).toBeLessThanOrEqual(10_000)
  })

  it('stand as they are in JSON, which has what its schema says', () => {
    const { report, written } = told(hostile)
    const document = reportSchema.strict().parse(JSON.parse(JSON.stringify(reportDocument(report, written))))
    expect(document.cost.users[0]?.name).toBe(hostile)
    expect(document.notSeen).toHaveLength(1)
  })
})

it('docs/report.schema.json is the schema of what is printed', () => {
  const schema = readFileSync(join(import.meta.dirname, '../../docs/report.schema.json'), 'utf8')
  expect(JSON.parse(schema)).toEqual(
    JSON.parse(JSON.stringify(z.toJSONSchema(reportSchema, { io: 'input' }))),
  )
})

it('no character of Markdown is left as it is', () => {
  expect(escapeMarkdown('a_b*c[d](e)`f`|g<h>#i~j\\k&l\nm')).toBe(
    'a\\_b\\*c\\[d\\](e)\\`f\\`\\|g\\<h\\>\\#i\\~j\\\\k\\&l m',
  )
})

it('says which limits would have cut it short, and first what its card names, where that is another one', () => {
  const { report } = told('checkout')
  const limit = "ALTER ROLE checkout IN DATABASE checkout SET idle_in_transaction_session_timeout = '60s';"
  const lines = (prevention?: string) => {
    const about = { ...report, incident: { ...report.incident, ...(prevention && { prevention }) } }
    const markdown = reportMarkdown(writeReport(about), clock)
    expect(reportDocument(about, writeReport(about)).incident.prevention).toBe(prevention ?? null)
    return markdown.split('What would have prevented it\n')[1]?.split('\n#')[0]?.trim().split('\n')
  }
  const [said, ...more] = lines() ?? []
  expect(more).toEqual([])
  expect(said).toMatch(
    /sat idle in a transaction for up to 5 min .* would have stopped 1 at 04:00:52 and spared/,
  )
  expect(said).toContain(`\`${limit}\``)
  expect(lines(limit)).toEqual([said])
  expect(lines('ALTER SYSTEM SET a = 1;\nSELECT 1')).toEqual(['- `ALTER SYSTEM SET a = 1; SELECT 1`', said])
  expect(reportDocument(report, writeReport(report)).preventions).toMatchObject([
    {
      ...{ setting: 'idle_in_transaction_session_timeout', value: '60s', role: 'checkout' },
      ...{ database: 'checkout', statement: limit, pid: 1, at: new Date(at(52)).toISOString() },
    },
  ])
})

it('a report names people and mentions nobody', () => {
  const { written } = told('checkout')
  expect(peopleIn(written).sort()).toEqual(['S0DBAONCALL', 'U0DANA', 'U0RESP'])
  const named = withNames(written, new Map([['U0DANA', 'Dana']]))
  expect(peopleIn(named)).toEqual([])
  expect(reportMarkdown(named, clock)).toContain('Dana approved')
})

it('times stand on the clock of one place, which is named; another day is said', () => {
  const markdown = reportMarkdown(told('checkout').written, clock)
  expect(markdown).toContain('Times are of Europe/Berlin')
  expect(markdown).toContain('- 04:00:35 **Card:**')
  const night = clockIn('Europe/Berlin', Date.UTC(2026, 2, 1, 22, 59))
  expect(night.time(Date.UTC(2026, 2, 1, 23, 1))).toBe('2 Mar 00:01:00')
  expect(clockIn('No/Where', takenAt).zone).toBe('UTC')
})

it('says it where nobody was seen to wait', () => {
  const calm = every5(0, 60, (seconds) => look(seconds, [], []))
  const { incident } = told('checkout').report
  const written = writeReport(reportFrom(calm, { ...incident, openedAt: at(20) }, { from: 0, to: 60 }))
  expect(reportMarkdown(written, clock)).toContain('nobody was seen to wait for it')
})

describe.skipIf(!hasBrowser)('the page, in a browser', () => {
  let browser: Browser
  let view: Page
  const problems: string[] = []
  beforeAll(async () => {
    browser = await openBrowser()
    view = await browser.newPage({ bypassCSP: true })
    listenForProblems(view, problems)
  })
  afterAll(() => browser?.close())

  it.each([
    ['light', 1200],
    ['dark', 1200],
    ['light', 390],
    ['dark', 390],
  ] as const)('axe finds nothing serious: %s, %i pixels wide', async (colorScheme, width) => {
    await view.emulateMedia({ colorScheme })
    await view.setViewportSize({ width, height: 900 })
    await view.setContent(page('checkout'))
    await view.getByText('The same in words').click()
    expect(await seriousFaults(view)).toEqual([])
    expect(
      await view.evaluate('document.documentElement.scrollWidth - window.innerWidth'),
    ).toBeLessThanOrEqual(0)
    expect(await view.locator('svg[role=img]').count()).toBe(2)
    expect(await view.locator('svg.chart .unseen').count()).toBe(1)
    expect(problems).toEqual([])
  })

  it('fits on paper', async () => {
    await view.setContent(page('checkout'))
    const pdf = await view.pdf({ format: 'A4' })
    expect(pdf.length).toBeGreaterThan(10_000)
  })
})
