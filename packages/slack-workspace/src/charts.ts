/** Charts: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block */
import * as rule from './rules.ts'
import { isObject, type Rule } from './rules.ts'

const type = { type: (() => {}) satisfies Rule }
const label = rule.text(20)
const axisTitle = rule.text(50)

const point = rule.object({ label, value: rule.number() })
const segment = rule.object({ label, value: rule.number(0) })
const series = rule.object({ name: label, data: rule.list(point, 20) })
const axis = rule.object(
  { categories: rule.all(rule.list(label, 20), rule.distinct) },
  { x_label: axisTitle, y_label: axisTitle },
)

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const fieldOf = (name: string) => (value: unknown) => (isObject(value) ? value[name] : undefined)

const namesAreUnique: Rule = (value, pointer, report) => {
  if (isObject(value)) rule.distinct(list(value.series).map(fieldOf('name')), `${pointer}/series`, report)
}

/** Each series has a value for each category, once, and no other. */
const seriesCoverCategories: Rule = (value, pointer, report) => {
  if (!isObject(value) || !isObject(value.axis_config)) return
  const categories = list(value.axis_config.categories).toSorted()
  for (const [index, one] of list(value.series).entries()) {
    const labels = list(fieldOf('data')(one)).map(fieldOf('label')).toSorted()
    if (labels.length !== categories.length || labels.some((label, at) => label !== categories[at]))
      report('labels must match axis_config.categories', `${pointer}/series/${index}/data`)
  }
}

const plot = rule.all(
  rule.object({ ...type, series: rule.list(series, 6), axis_config: axis }),
  namesAreUnique,
  seriesCoverCategories,
)

export const chartRule: Rule = rule.byType({
  pie: rule.object({ ...type, segments: rule.list(segment, 6) }),
  bar: plot,
  area: plot,
  line: plot,
})

/** Not documented; others saw it: vercel/chat#696. */
export const mostCharts = 2
