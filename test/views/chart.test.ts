import fc from 'fast-check'
import { checkBlocks } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import { answerModal } from '../../src/views/answerModal.ts'
import { chartOf, chartRows, inColumns } from '../../src/views/chart.ts'
import { inPlain } from '../../src/views/plainBlocks.ts'
import { told } from '../support/render.ts'

const words = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constantFrom('', ' ', 'Lock', 'a\nb'))
const value = fc.option(fc.oneof(fc.double(), fc.integer(), fc.constant(Number.NaN)))
const drawn = fc.record({
  kind: fc.constantFrom('line' as const, 'bar' as const, 'area' as const),
  title: words,
  x: words,
  y: words,
  labels: fc.array(words, { maxLength: 30 }),
  series: fc.array(fc.record({ name: words, values: fc.array(value, { maxLength: 30 }) }), { maxLength: 9 }),
})

const plain = { kind: 'line', title: 'Active sessions', x: 'UTC', y: 'sessions' } as const

describe('charts', () => {
  it('are such that Slack takes them, whatever is drawn; a table says the same', () => {
    fc.assert(
      fc.property(drawn, (given) => {
        const chart = chartOf(given)
        if (chart === null) return
        checkBlocks([chart, chart])
        checkBlocks(inPlain([chart, chart], new Set(['data_visualization'])))
        const rows = chartRows(chart)
        expect(new Set(rows.map(({ length }) => length)).size).toBe(1)
      }),
      { numRuns: 500 },
    )
  })

  it('draw numbers by label, and nothing where there is nothing', () => {
    const series = [
      { name: 'Lock', values: [0, 2.345, 1] },
      { name: 'IO', values: [1, 0, 0.5] },
    ]
    const chart = chartOf({ ...plain, labels: ['10:00', '10:05', '10:10'], series })
    expect(chart && chartRows(chart)).toEqual([
      ['UTC', 'Lock', 'IO'],
      ['10:00', '0', '1'],
      ['10:05', '2.35', '0'],
      ['10:10', '1', '0.5'],
    ])
    expect(chartOf({ ...plain, labels: ['10:00'], series: [] })).toBeNull()
    expect(chartOf({ ...plain, labels: [], series })).toBeNull()
    expect(chartOf({ ...plain, labels: ['10:00'], series: [{ name: 'a', values: [null] }] })).toBeNull()
  })

  it('leave out what is not known, and mark that something is missing', () => {
    const values = [null, 1, 2, null, null, 0, 3]
    const labels = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const chart = chartOf({ ...plain, labels, series: [{ name: 'Lock', values }] })
    expect(chart?.chart.axis_config.categories).toEqual(['… b', 'c', '… f', 'g'])
    expect(chart?.chart.series[0]?.data.map(({ value }) => value)).toEqual([1, 2, 0, 3])
  })

  it('sum up what comes after five series where there are more than six', () => {
    const series = Array.from({ length: 8 }, (_, n) => ({ name: `s${n}`, values: [n, 1] }))
    const names = (count: number) =>
      chartOf({ ...plain, labels: ['a', 'b'], series: series.slice(0, count) })?.chart.series.map(
        ({ name, data }) => [name, ...data.map(({ value }) => value)],
      )
    expect(names(6)?.at(-1)).toEqual(['s5', 5, 1])
    expect(names(8)?.slice(4)).toEqual([
      ['s4', 4, 1],
      ['other', 18, 3],
    ])
  })

  it('tell names from each other that are the same when they are cut', () => {
    const name = 'a name that is longer than twenty'
    const series = [name, name, 'short', `${name} still`].map((name) => ({ name, values: [1] }))
    expect(chartOf({ ...plain, labels: ['a'], series })?.chart.series.map(({ name }) => name)).toEqual([
      'a name that is long…',
      'a name that is … (2)',
      'short',
      'a name that is … (3)',
    ])
  })

  it('stand in a modal as columns, which takes no charts', () => {
    const chart = chartOf({ ...plain, labels: ['10:00'], series: [{ name: 'Lock', values: [12] }] })
    const view = answerModal(chart ? [chart] : [])
    expect(view.blocks.map(({ type }) => type)).toEqual(['rich_text'])
    expect(told(view.blocks)).toBe('Active sessions\nUTC    Lock\n10:00    12')
  })

  it('write columns of one width', () => {
    expect(inColumns([])).toBe('')
    expect(
      inColumns([
        ['', 'é', 'long'],
        ['abc', '1', '22'],
      ]),
    ).toBe('     é  long\nabc  1    22')
  })
})
