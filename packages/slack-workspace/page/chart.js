/** Charts, drawn: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block */
import { h } from './dom.js'

/**
 * @typedef {{label: string, value: number}} Point
 * @typedef {{name: string, data: Point[]}} Series
 * @typedef {{type: string, segments?: Point[], series?: Series[], axis_config?: {categories: string[], x_label?: string, y_label?: string}}} Chart
 */

const width = 620
const height = 240
const plot = { left: 44, right: width - 10, top: 24, bottom: height - 30 }
const round = (value) => Math.round(value * 100) / 100

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
function svg(tag, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes))
    node.setAttribute(name, String(typeof value === 'number' ? round(value) : value))
  node.append(...children)
  return node
}

/** Steps of 1, 2 or 5 times a power of ten. */
function ticksBetween(low, high) {
  const rough = (high - low || 1) / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5].find((of) => of * power >= rough) ?? 10)
  const ticks = []
  for (let at = Math.floor(low / step); at <= Math.ceil(high / step); at++) ticks.push(at * step)
  return ticks.length > 1 ? ticks : [...ticks, step]
}

/** @param {Chart} chart */
function drawPlot({
  type,
  series = [],
  axis_config: { categories = [], y_label = '' } = { categories: [] },
}) {
  const rows = series.map(({ data }) =>
    categories.map((category) => data.find(({ label }) => label === category)?.value ?? 0),
  )
  const ticks = ticksBetween(Math.min(0, ...rows.flat()), Math.max(0, ...rows.flat()))
  const [low = 0, high = 1] = [ticks[0], ticks.at(-1)]
  const y = (value) => plot.bottom - ((value - low) / (high - low)) * (plot.bottom - plot.top)
  const slot = (plot.right - plot.left) / categories.length
  const x = (index) => plot.left + slot * (index + 0.5)
  const path = (row) => row.map((value, at) => `${at ? 'L' : 'M'}${round(x(at))} ${round(y(value))}`).join('')
  const every = Math.ceil(Math.max(...categories.map(({ length }) => length)) / (slot / 7))
  const bar = (slot * 0.8) / rows.length
  const drawn = {
    line: (row) => [
      svg('path', { class: 'line', d: path(row) }),
      ...row.map((value, at) => svg('circle', { cx: x(at), cy: y(value), r: 2.5 })),
    ],
    area: (row) => [
      svg('path', {
        class: 'area',
        d: `${path(row)}L${round(x(row.length - 1))} ${round(y(0))}L${round(x(0))} ${round(y(0))}Z`,
      }),
    ],
    bar: (row, index) =>
      row.map((value, at) =>
        svg('rect', {
          x: x(at) - slot * 0.4 + bar * index,
          y: Math.min(y(value), y(0)),
          width: bar,
          height: Math.abs(y(value) - y(0)),
        }),
      ),
  }[type]
  return [
    ...ticks.flatMap((tick) => [
      svg('line', { class: 'grid', x1: plot.left, x2: plot.right, y1: y(tick), y2: y(tick) }),
      svg('text', { x: plot.left - 6, y: y(tick) + 4, 'text-anchor': 'end' }, String(round(tick))),
    ]),
    ...categories.flatMap((category, at) =>
      at % every ? [] : [svg('text', { x: x(at), y: plot.bottom + 18, 'text-anchor': 'middle' }, category)],
    ),
    ...rows.map((row, index) => svg('g', { class: `series s${index + 1}` }, ...(drawn?.(row, index) ?? []))),
    ...(y_label ? [svg('text', { x: 0, y: 10 }, y_label)] : []),
  ]
}

/** @param {Chart} chart */
function drawPie({ segments = [] }) {
  const sum = segments.reduce((total, { value }) => total + value, 0)
  const radius = height / 2 - 12
  const at = (share) => {
    const angle = 2 * Math.PI * share
    return `${round(width / 2 + radius * Math.sin(angle))} ${round(height / 2 - radius * Math.cos(angle))}`
  }
  let done = 0
  return segments.map(({ value }, index) => {
    const from = done / sum
    done += value
    const to = done / sum
    const whole = to - from > 0.9999
    return svg(
      'g',
      { class: `series s${index + 1}` },
      whole
        ? svg('circle', { cx: width / 2, cy: height / 2, r: radius })
        : svg('path', {
            class: 'slice',
            d: `M${width / 2} ${height / 2}L${at(from)}A${radius} ${radius} 0 ${to - from > 0.5 ? 1 : 0} 1 ${at(to)}Z`,
          }),
    )
  })
}

/** @param {{title: string, chart: Chart}} block */
export function chart({ title, chart }) {
  const { segments = [], series = [], axis_config: { x_label } = { categories: [] } } = chart
  const sum = segments.reduce((total, { value }) => total + value, 0)
  const legend = [
    ...series.map(({ name }) => name),
    ...segments.map(({ label, value }) => `${label} ${Math.round((value * 100) / sum)} %`),
  ]
  const words = series.map(
    ({ name, data }) => `${name}: ${data.map(({ label, value }) => `${label} ${value}`).join(', ')}`,
  )
  return h(
    'figure',
    { class: 'chart' },
    h('figcaption', null, title),
    svg(
      'svg',
      {
        viewBox: `0 0 ${width} ${height}`,
        role: 'img',
        'aria-label': `${chart.type} chart. ${(words.length > 0 ? words : legend).join('; ')}`,
      },
      ...(chart.type === 'pie' ? drawPie(chart) : drawPlot(chart)),
    ),
    x_label ? h('p', { class: 'faint axis' }, x_label) : null,
    h(
      'ul',
      { class: 'legend' },
      legend.map((name, index) => h('li', null, h('span', { class: `swatch s${index + 1}` }), name)),
    ),
  )
}
