/** Charts that Slack draws itself. */
import { type ChartBlock, clean, truncate } from './kit.ts'

const longestTitle = 50
const longestLabel = 20
const mostSeries = 6
const mostLabels = 20

/** Numbers under one name, one for each label; null: not known. */
export type Series = { readonly name: string; readonly values: readonly (number | null)[] }

/** Stands before a label where one or more before it are left out. */
export const gapMark = '… '

/**
 * Makes a chart that Slack takes. Of more than six series the last ones become `other`. Slack knows no gaps: a label at which
 * a value is not known is left out, and the next one is marked.
 * @param labels at most 20; what is beyond is left out
 * @returns null where there is nothing to draw
 */
export function chartOf({
  kind,
  title,
  labels,
  series,
  x,
  y,
}: {
  readonly kind: ChartBlock['chart']['type']
  readonly title: string
  readonly labels: readonly string[]
  readonly series: readonly Series[]
  /** Titles of the axes. */
  readonly x: string
  readonly y: string
}): ChartBlock | null {
  const few = series.length > mostSeries ? withOther(series, labels.length) : series
  const isKnown = labels.map((_, at) => few.every(({ values }) => Number.isFinite(values[at] ?? null)))
  const at = [...labels.keys()].filter((index) => isKnown[index]).slice(0, mostLabels)
  if (few.length === 0 || at.length === 0) return null
  const categories = distinct(
    at.map((index) => `${index > 0 && !isKnown[index - 1] ? gapMark : ''}${labels[index]}`),
  )
  const names = distinct(few.map(({ name }) => name))
  return {
    type: 'data_visualization',
    title: fitted(title, longestTitle),
    chart: {
      type: kind,
      series: few.map(({ values }, index) => ({
        name: names[index] ?? '',
        data: categories.map((label, n) => ({ label, value: rounded(values[at[n] ?? 0] ?? 0) })),
      })),
      axis_config: { categories, x_label: fitted(x, longestTitle), y_label: fitted(y, longestTitle) },
    },
  }
}

const rounded = (value: number): number => Number(value.toFixed(2))

const fitted = (words: string, max: number): string =>
  truncate(clean(words).replaceAll('\n', ' ').trim(), max) || '–'

function withOther(series: readonly Series[], length: number): readonly Series[] {
  const kept = series.slice(0, mostSeries - 1)
  const rest = series.slice(mostSeries - 1)
  const values = Array.from({ length }, (_, at) =>
    rest.reduce<number | null>((sum, one) => {
      const value = one.values[at] ?? null
      return sum === null || value === null ? null : sum + value
    }, 0),
  )
  return [...kept, { name: 'other', values }]
}

/** Makes words fit, and tells those from each other that are the same then: `long name…`, `long nam… (2)`. */
function distinct(words: readonly string[]): string[] {
  const used = new Set<string>()
  return words.map((one) => {
    let name = fitted(one, longestLabel)
    for (let n = 2; used.has(name); n++) {
      const suffix = ` (${n})`
      name = `${fitted(one, longestLabel - suffix.length)}${suffix}`
    }
    used.add(name)
    return name
  })
}

/** Says the same as rows of a table, the head first. */
export function chartRows({ chart: { series, axis_config } }: ChartBlock): string[][] {
  const { categories, x_label = '' } = axis_config
  return [
    [x_label, ...series.map(({ name }) => name)],
    ...categories.map((category) => [
      category,
      ...series.map(({ data }) => String(data.find(({ label }) => label === category)?.value ?? '')),
    ]),
  ]
}

/** Writes rows of a table in columns of one width, the first to the left, numbers to the right. */
export function inColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => lengthOf(row[column]))))
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const room = ' '.repeat((widths[column] ?? 0) - lengthOf(cell))
          return column === 0 ? `${cell}${room}` : `${room}${cell}`
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const lengthOf = (cell: string | undefined): number => [...(cell ?? '')].length
