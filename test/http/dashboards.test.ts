import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { figuresOf } from '../../src/domain/incidents/figures.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import * as of from '../support/builders.ts'

const noSteps = figuresOf({ incidents: [], proposals: [], rows: [] }).steps
const metrics = createMetrics({
  version: '0',
  clusters: () => ['orders'],
  remembered: {
    openIncidents: async () => [],
    backlog: async () => ({ count: 0, oldestAt: null, oldestEditAt: null }),
    figures: async () => ({
      ...figuresOf({ incidents: [], proposals: [], rows: [] }),
      steps: { ...noSteps, cardToApproved: { n: 3, p50: 40_000, p95: 90_000 } },
    }),
    history: () => ({ written: 3, lost: 1, extent: { bytes: 7, oldestAt: of.takenAt } }),
    webhooks: async () => [{ receiver: 'pagerduty https://events.pagerduty.com', count: 0, oldestAt: null }],
  },
  now: () => of.takenAt,
})
metrics.tellLeases({
  replicas: 3,
  leases: ['cluster:orders', 'desk'].map((name) => ({ name, takenAt: of.takenAt })),
})
metrics.observeSnapshot(of.picture([], undefined, { health: of.health() }), 0.01)
metrics.countSlackError('ratelimited')
const { body } = await metrics.expose()

/** Every series that a scrape yields, `_bucket` and the like too, with the labels that it has. */
const series = new Map<string, Set<string>>()
for (const [, name = '', labels = ''] of body.matchAll(/^(pg_marshal_\w+)(?:\{(.*)\})? /gm)) {
  const known = series.get(name) ?? new Set()
  for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label)
  series.set(name, known)
}

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')

type Alert = {
  alert: string
  expr: string
  labels: { severity: string }
  annotations: Record<string, string>
}
type Panel = {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string; legendFormat: string }[]
}

const alerts = (
  parse(read('deploy/helm/files/prometheus-alerts.yml')) as { groups: { rules: Alert[] }[] }
).groups.flatMap(({ rules }) => rules)
const dashboard = JSON.parse(read('docs/grafana-dashboard.json')) as {
  panels: Panel[]
  templating: { list: { name: string; definition?: string }[] }
}
const targets = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map((one) => ({ title, ...one })),
)

const namesIn = (expr: string) => [...expr.matchAll(/\bpg_marshal_\w+/g)].map(([name]) => name)
/** Each selector of a metric with the labels that it asks for. */
const selectorsIn = (expr: string) =>
  [...expr.matchAll(/\b(pg_marshal_\w+)\{([^}]*)\}/g)].map(([, name = '', labels = '']) => ({
    name,
    labels: [...labels.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  }))

describe.each([
  ['alert', alerts.map(({ alert, expr }) => [alert, expr] as const)],
  ['panel', targets.map(({ title, expr }) => [title, expr] as const)],
])('every %s', (_, all) => {
  it.each(all)('%s asks for what there is', (_, expr) => {
    const names = namesIn(expr)
    if (!expr.includes('(up{')) expect(names.length).toBeGreaterThan(0)
    expect(names.filter((name) => !series.has(name))).toEqual([])
    for (const { name, labels } of selectorsIn(expr))
      expect(labels.filter((label) => !series.get(name)?.has(label))).toEqual([])
    expect(expr.split('(').length).toBe(expr.split(')').length)
  })
})

it('the alerts have different names, a severity and words, which name labels that there are', () => {
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
  const labels = new Set([...series.values()].flatMap((known) => [...known]))
  for (const { labels: own, annotations } of alerts) {
    expect(['critical', 'warning']).toContain(own.severity)
    expect(Object.keys(annotations)).toEqual(['summary', 'description'])
    for (const text of Object.values(annotations))
      for (const [, label = ''] of text.matchAll(/\$labels\.(\w+)/g)) expect(labels).toContain(label)
  }
})

it('the dashboard shows every metric, in panels that do not overlap', () => {
  const shown = new Set(
    targets.flatMap(({ expr }) => namesIn(expr).map((name) => name.replace(/_bucket$/, ''))),
  )
  expect([...shown].sort()).toEqual(metrics.names().sort())
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
  const taken = new Set<string>()
  for (const { title, gridPos } of dashboard.panels)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(x, title).toBeLessThan(24)
        expect(taken.has(`${x} ${y}`), `${title} lies on another`).toBe(false)
        taken.add(`${x} ${y}`)
      }
})

it('its variables are known, and its legends use labels that the answer has', () => {
  const variables = new Set([...dashboard.templating.list.map(({ name }) => name), '__rate_interval'])
  for (const [, name = ''] of read('docs/grafana-dashboard.json').matchAll(/\$\{?(\w+)\}?/g))
    expect([...variables, '__all']).toContain(name)
  for (const { definition } of dashboard.templating.list)
    if (definition) expect(series.has(namesIn(definition)[0] ?? '')).toBe(true)
  for (const { expr, legendFormat, title } of targets) {
    const by = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/)
    const labels = by ?? [...(series.get(namesIn(expr)[0] ?? '') ?? [])]
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
      expect(labels, title).toContain(label)
  }
})
