import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import packageJson from '../../package.json' with { type: 'json' }
import { parseConfig } from '../../src/config/config.ts'
import { fetched, hasDeployTools, helmPath } from '../support/deployTools.ts'

const chart = fileURLToPath(new URL('../../deploy/helm', import.meta.url))
const read = (name: string) => readFileSync(`${chart}/${name}`, 'utf8')

type Values = { readonly [key: string]: unknown }
type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: unknown
  readonly data?: Readonly<Record<string, string>>
}

const storeUrl = ['postgres://marshal_store:$', '{STORE_PASSWORD}@store.example.com/marshal'].join('')
const config = {
  slack: { channel: 'C0INCIDENTS' },
  access: { approvers: ['U0DANA'] },
  clusters: [{ name: 'orders', url: 'postgres://marshal@orders.example.com/orders' }],
  store: { url: storeUrl },
}
/** The least that an installation sets. */
const least: Values = {
  image: { repository: 'registry.example.com/pg-marshal' },
  config,
  secrets: { env: ['pg-marshal'] },
}
const monitored: Values = {
  ...least,
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
}

it('the chart is of the version of the program, and has the alerts in one place', () => {
  expect(parse(read('Chart.yaml'))).toMatchObject({
    version: packageJson.version,
    appVersion: packageJson.version,
  })
  expect(read('templates/prometheusrule.yaml')).toContain('.Files.Get "files/prometheus-alerts.yml"')
})

it('every value is explained by the schema, and no value is a secret', () => {
  const { properties } = JSON.parse(read('values.schema.json'))
  const values = parse(read('values.yaml'))
  expect(Object.keys(values).sort()).toEqual(
    Object.keys(properties)
      .filter((name) => name !== 'global')
      .sort(),
  )
  expect(values.secrets).toEqual({ env: [], files: [] })
  for (const name of readdirSync(`${chart}/templates`))
    expect(read(`templates/${name}`)).not.toMatch(/kind: Secret/)
})

// `npm run deploy:tools` brings Helm and the schemas; .ci/run does it.
describe.skipIf(!hasDeployTools)('the chart, in Helm', () => {
  const helm = (command: string[], values: Values) => {
    const { status, stdout, stderr } = spawnSync(helmPath, [...command, '--values', '-'], {
      input: stringify(values),
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }
  const template = (values: Values) => helm(['template', 'pg-marshal', chart], values)
  const render = (values: Values): Manifest[] => {
    const { status, stdout, stderr } = template(values)
    expect(stderr).toBe('')
    expect(status).toBe(0)
    return parseAllDocuments(stdout).map((document) => document.toJS())
  }
  const one = (kind: string, values: Values = least) => {
    const found = render(values).find((manifest) => manifest.kind === kind)
    if (!found) throw new Error(`no ${kind} is rendered`)
    return found
  }

  it.each([
    ['the least', least],
    ['everything', { ...monitored, replicas: 4, secrets: { env: ['a', 'b'], files: ['c'] } }],
  ])('passes its linter with %s', (_, values) => {
    expect(helm(['lint', '--strict', chart], values)).toMatchObject({ status: 0 })
  })

  it.each([
    ['the least', least],
    [
      'everything',
      {
        ...monitored,
        config: { ...config, slack: { mode: 'http', channel: 'C0INCIDENTS' } },
        image: { repository: 'r', tag: '1', pullSecrets: ['pull'] },
        secrets: { env: ['a', 'b'], files: ['c', 'd'] },
        networkPolicy: {
          databases: [{ ports: [5432, 6432], to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }, { ports: [5433] }],
        },
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ key: 'a', operator: 'Exists' }],
        podLabels: { team: 'dba' },
        podAnnotations: { a: 'b' },
      },
    ],
    [
      'nothing beside the replicas',
      { ...least, podDisruptionBudget: { enabled: false }, networkPolicy: { enabled: false } },
    ],
  ])(
    'makes what Kubernetes and the Prometheus Operator take, without a key that they do not know, with %s',
    async (_, values) => {
      const manifests = render(values)
      for (const manifest of manifests) {
        const Model = await modelOf(manifest)
        const unread = new Set<string>()
        Model.prototype.validate.call(watched(manifest, '', unread))
        expect([...unread], manifest.kind).toEqual([])
      }
      expect(manifests.map(({ kind }) => kind).sort()).toEqual(kindsWith(values))
    },
  )

  it('lets a replica do as little as possible', () => {
    const { spec } = one('Deployment')
    expect(spec).toMatchObject({
      replicas: 3,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 30,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              image: `registry.example.com/pg-marshal:${packageJson.version}`,
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              livenessProbe: { httpGet: { path: '/healthz', port: 'http' } },
              startupProbe: { httpGet: { path: '/healthz', port: 'http' } },
              readinessProbe: { httpGet: { path: '/readyz', port: 'http' } },
              envFrom: [{ secretRef: { name: 'pg-marshal' } }],
            },
          ],
        },
      },
    })
  })

  it('gives the configuration as it is, and starts the replicas again when it changes', () => {
    const stored = parse(one('ConfigMap').data?.['pg-marshal.yaml'] ?? '')
    expect(stored).toEqual({
      ...config,
      slack: { mode: 'socket', channel: 'C0INCIDENTS' },
      http: { host: '0.0.0.0', port: 3000 },
    })
    const env = { STORE_PASSWORD: 'hidden' }
    expect(parseConfig(stringify(stored), env).store).toMatchObject({ kind: 'postgres' })
    const other = { ...least, config: { ...config, queryText: 'hidden' } }
    expect(one('Deployment', other)).not.toEqual(one('Deployment'))
    expect(one('Deployment', other)).toEqual(one('Deployment', other))
  })

  it('lets in who scrapes and out to DNS, Slack and the databases alone', () => {
    const values = {
      ...least,
      networkPolicy: { databases: [{ ports: [5433], to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] },
    }
    expect(one('NetworkPolicy', values).spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 'http' }] }],
      egress: [
        {
          ports: [
            { port: 53, protocol: 'UDP' },
            { port: 53, protocol: 'TCP' },
          ],
        },
        { ports: [{ port: 443 }] },
        { ports: [{ port: 5433 }], to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] },
      ],
    })
  })

  it('brings our alerts, word for word, and a job of the name that they ask for', () => {
    expect(one('PrometheusRule', monitored).spec).toEqual(parse(read('files/prometheus-alerts.yml')))
    expect(one('ServiceMonitor', monitored)).toMatchObject({
      metadata: { labels: { release: 'prometheus' } },
      spec: {
        jobLabel: 'app.kubernetes.io/name',
        selector: { matchLabels: { 'app.kubernetes.io/name': 'pg-marshal' } },
      },
    })
    expect(one('Service', monitored)).toMatchObject({
      metadata: { labels: { 'app.kubernetes.io/name': 'pg-marshal' } },
    })
  })

  it.each([
    [
      'a store of one process alone',
      { config: { ...config, store: { url: 'sqlite:./data/pg-marshal.db' } } },
      /store\/url/,
    ],
    ['no store', { config: { ...config, store: {} } }, /store\/url/],
    ['more sockets than Slack allows', { replicas: 5 }, /replicas/],
    ['no Secret', { secrets: { env: [] } }, /secrets\/env/],
    ['the value of a secret', { secrets: { env: ['pg-marshal'], botToken: 'xoxb-1' } }, /secrets/],
    ['no image', { image: { repository: '' } }, /image\/repository/],
    ['a port that nobody reaches', { config: { ...config, http: { host: '127.0.0.1' } } }, /http\/host/],
    ['a peer that is everybody', { networkPolicy: { ingressFrom: [] } }, /ingressFrom/],
    ['an unknown key', { replicaCount: 3 }, /replicaCount/],
  ])('refuses %s', (_, change, named) => {
    const { status, stderr } = template({ ...least, ...change })
    expect(status).not.toBe(0)
    expect(stderr).toMatch(named)
  })

  it('allows any number of replicas in http mode, where there is no socket', () => {
    const values = { ...least, replicas: 12, config: { ...config, slack: { ...config.slack, mode: 'http' } } }
    expect(one('Deployment', values).spec).toMatchObject({ replicas: 12 })
    expect(template({ ...least, replicas: 4 })).toMatchObject({ status: 0 })
  })
})

type Model = { readonly prototype: { validate(this: unknown): void } }

async function modelOf({ apiVersion, kind }: Manifest): Promise<Model> {
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  const module =
    group === 'monitoring.coreos.com'
      ? `@kubernetes-models/prometheus-operator/${group}/${version}/${kind}.js`
      : `kubernetes-models/${group === '' ? version : `${group}/${version}`}/${kind}.js`
  return (await fetched(module))[kind] as Model
}

/** What was never asked for stays in `unread`: the validators pass over keys that they do not know. */
function watched(value: unknown, path: string, unread: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one, index) => watched(one, `${path}/${index}`, unread))
  const copy = {}
  for (const [key, inner] of Object.entries(value)) {
    const here = `${path}/${key}`
    unread.add(here)
    const seen = watched(inner, here, unread)
    Object.defineProperty(copy, key, {
      enumerable: true,
      get: () => {
        unread.delete(here)
        return seen
      },
    })
  }
  return copy
}

function kindsWith(values: Values): string[] {
  const on = (name: string, byDefault: boolean) =>
    (values[name] as { readonly enabled?: boolean } | undefined)?.enabled ?? byDefault
  return [
    'ConfigMap',
    'Deployment',
    'Service',
    ...(on('podDisruptionBudget', true) ? ['PodDisruptionBudget'] : []),
    ...(on('networkPolicy', true) ? ['NetworkPolicy'] : []),
    ...(on('serviceMonitor', false) ? ['ServiceMonitor'] : []),
    ...(on('prometheusRule', false) ? ['PrometheusRule'] : []),
  ].sort()
}
