// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the file names the environment
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Config, ConfigError, type Env, loadConfig, parseConfig } from '../../src/config/config.ts'
import { commonTagKeys } from '../../src/domain/text/tags.ts'

const minimal = `
slack: { channel: C0INCIDENTS }
access: { approvers: [U0DANA] }
clusters:
  - name: orders
    url: postgres://pg_marshal@db/postgres
`

/** What a person would read. */
function problems(text: string, env: Env = {}): readonly string[] {
  try {
    parseConfig(text, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

/** The minimal file with one more part. */
const withPart = (part: string) => problems(`${minimal}${part}\n`)

describe('a valid file', () => {
  it('gets the defaults of the contract', () => {
    expect(parseConfig(minimal, {})).toEqual({
      slack: { mode: 'socket', channel: 'C0INCIDENTS' },
      http: { host: '127.0.0.1', port: 3000, tokens: [] },
      clusters: [
        {
          name: 'orders',
          url: 'postgres://pg_marshal@db/postgres',
          passwordFile: null,
          pgbouncer: null,
          host: null,
          channel: 'C0INCIDENTS',
          access: { viewers: 'everyone', requesters: 'everyone', approvers: ['U0DANA'] },
          approvals: {
            people: { cancel: 1, terminate: 1 },
            requesterMayApprove: false,
            secondFactor: { cancel: false, terminate: false },
            breakGlass: [],
            expireAfterMs: 900_000,
          },
          watch: {
            everyMs: 5_000,
            cardsPerMinute: 6,
            blockedForSeconds: 30,
            queryLongerThanSeconds: 3_600,
            idleInTransactionLongerThanSeconds: 300,
            idleLongerThanSeconds: 1_800,
            connectionsAbovePercent: 85,
            poolWaitsForSeconds: 30,
            preparedLongerThanSeconds: 900,
            vacuumHeldBackBy: 10_000_000,
            wraparoundAbovePercent: 50,
            slotRetainsBytes: 10 * 2 ** 30,
            rules: [],
          },
          protected: [],
          notify: {
            mention: [],
            from: 'critical',
            remindAfterMs: Number.POSITIVE_INFINITY,
            escalate: [],
            webhooks: [],
          },
        },
      ],
      store: { kind: 'sqlite', path: './data/pg-marshal.db' },
      queryText: 'masked',
      tags: { keys: commonTagKeys, links: {} },
      sweeps: [],
      history: { keepMs: 7 * 86_400_000, mostBytes: 2 * 2 ** 30 },
      heartbeatUrl: null,
      logLevel: 'info',
      secret: null,
    } satisfies Config)
  })

  it('is the example, which says nothing but the defaults', () => {
    const text = readFileSync(new URL('../../pg-marshal.example.yaml', import.meta.url), 'utf8')
    const example = parseConfig(text, { ORDERS_DATABASE_URL: 'postgres://pg_marshal@db/postgres' })
    const plain = parseConfig(minimal, {})
    const [orders] = example.clusters
    expect(orders?.access.approvers).toEqual(['U0DANA', 'S0DBAONCALL'])
    expect(orders?.protected).toEqual([{ applicationName: 'pg_dump' }, { user: 'replicator' }])
    expect({ ...example, clusters: [] }).toEqual({ ...plain, clusters: [] })
    expect(orders?.watch).toEqual(plain.clusters[0]?.watch)
    expect(orders?.approvals).toEqual(plain.clusters[0]?.approvals)
  })

  it('holds for the example with its commented parts as well', () => {
    const text = readFileSync(new URL('../../pg-marshal.example.yaml', import.meta.url), 'utf8')
    const all = text.replaceAll(/^#( +)(?=(?:- )?\w+:(?: |$))/gm, ' $1')
    const config = parseConfig(all, {
      ORDERS_DATABASE_URL: 'postgresql:///postgres',
      HEARTBEAT_URL: 'https://hc.example/ping/uuid',
    })
    const [orders] = config.clusters
    expect(config.heartbeatUrl).toBe('https://hc.example/ping/uuid')
    expect(orders?.watch.rules).toHaveLength(2)
    expect(orders?.channel).toBe('C0ORDERS')
    expect(orders?.watch.blockedForSeconds).toBe(10)
    expect(orders?.protected.at(-1)).toEqual({ database: 'billing', applicationName: 'batch-*' })
  })

  it('lets a cluster override key by key', () => {
    const config = parseConfig(
      `
slack: { channel: C1, mode: http }
http: { host: 0.0.0.0, port: 0 }
access: { viewers: [U1, U1], approvers: [U1, S1] }
approvals: { people: { cancel: 2 }, expireAfter: 1m }
watch: { blockedFor: 10s, connectionsAbove: 70 }
clusters:
  - { name: a, url: 'postgres://a/x' }
  - name: b-2
    url: postgresql://b/x?sslmode=require
    channel: G2
    access: { requesters: [W2], approvers: [U2, U3, U4] }
    approvals: { people: { terminate: 3 }, requesterMayApprove: true }
    watch: { every: 1s, blockedFor: 250ms }
store: { url: 'sqlite:///var/lib/m.db' }
queryText: hidden
`,
      { LOG_LEVEL: 'DEBUG' },
    )
    const [a, b] = config.clusters
    expect(a).toMatchObject({
      channel: 'C1',
      access: { viewers: ['U1'], requesters: 'everyone', approvers: ['U1', 'S1'] },
      approvals: {
        people: { cancel: 2, terminate: 1 },
        requesterMayApprove: false,
        secondFactor: { cancel: false, terminate: false },
        breakGlass: [],
        expireAfterMs: 60_000,
      },
      watch: { everyMs: 5_000, blockedForSeconds: 10, connectionsAbovePercent: 70 },
    })
    expect(b).toMatchObject({
      channel: 'G2',
      access: { viewers: ['U1'], requesters: ['W2'], approvers: ['U2', 'U3', 'U4'] },
      approvals: {
        people: { cancel: 2, terminate: 3 },
        requesterMayApprove: true,
        secondFactor: { cancel: false, terminate: false },
        expireAfterMs: 60_000,
      },
      watch: { everyMs: 1_000, blockedForSeconds: 0.25, connectionsAbovePercent: 70 },
    })
    expect(config).toMatchObject({
      slack: { mode: 'http' },
      http: { host: '0.0.0.0', port: 0 },
      store: { path: '/var/lib/m.db' },
      queryText: 'hidden',
      logLevel: 'debug',
    })
  })

  it('asks the rules of a cluster before those for all', () => {
    const config = parseConfig(
      `
slack: { channel: C1 }
access: { approvers: [U1] }
watch:
  idleLongerThan: never
  vacuumHeldBackBy: 20_000_000
  slotRetains: 500MB
  rules:
    - { match: { applicationName: pg_dump }, queryLongerThan: 6h, vacuumHeldBackBy: never }
clusters:
  - { name: a, url: 'postgres://a/x' }
  - name: b
    url: postgres://b/x
    watch:
      rules:
        - { match: { user: 'batch*', database: orders }, blockedFor: 2m, hours: "Sat,Sun 22:00-06:00", timeZone: Asia/Tokyo }
`,
      {},
    )
    const dump = {
      match: { applicationName: 'pg_dump' },
      thresholds: {
        queryLongerThanSeconds: 21_600,
        vacuumHeldBackBy: Number.POSITIVE_INFINITY,
      },
      hours: null,
      from: 'general',
    }
    const [a, b] = config.clusters
    expect(a?.watch).toMatchObject({
      idleLongerThanSeconds: Number.POSITIVE_INFINITY,
      vacuumHeldBackBy: 20_000_000,
      slotRetainsBytes: 500 * 2 ** 20,
    })
    expect(a?.watch.rules).toEqual([dump])
    expect(b?.watch.rules).toEqual([
      {
        match: { user: 'batch*', database: 'orders' },
        thresholds: { blockedForSeconds: 120 },
        hours: { days: [5, 6], from: 1320, until: 360, timeZone: 'Asia/Tokyo' },
        from: 'cluster',
      },
      dump,
    ])
  })

  it('takes approvers from every cluster where there are none above', () => {
    const text = `
slack: { channel: C1 }
clusters:
  - { name: a, url: 'postgres://a/x', access: { approvers: [U1] } }
`
    expect(problems(text)).toEqual([])
    expect(problems(`${text}  - { name: b, url: 'postgres://b/x' }\n`)).toEqual([
      'access.approvers: Missing. Name who may approve: a list of user and user-group ids like [U0DANA, S0DBAONCALL].',
    ])
  })

  it('reads a part without content as left out', () => {
    expect(withPart('watch:\nhttp: {}\n')).toEqual([])
  })
})

describe('the environment', () => {
  const text = minimal.replace('postgres://pg_marshal@db/postgres', '${URL_A}')

  it('fills values, not YAML', () => {
    const url = 'postgres://u:%23x@db/x?options=a: [b'
    expect(parseConfig(text, { URL_A: url }).clusters[0]?.url).toBe(url)
    const parts = minimal.replace('//pg_marshal@db', '//u:${PASSWORD}@${HOST}')
    expect(parseConfig(parts, { PASSWORD: 'p$$x', HOST: 'h' }).clusters[0]?.url).toBe(
      'postgres://u:p$$x@h/postgres',
    )
    expect(
      parseConfig(
        minimal.replace('//pg_marshal', () => '//u:$${A}'),
        {},
      ).clusters[0]?.url,
    ).toContain('${A}')
  })

  it('gives numbers and words as well', () => {
    const config = parseConfig(`${minimal}http: { port: "\${PORT}" }\nqueryText: \${TEXT}\n`, {
      PORT: '80',
      TEXT: 'full',
    })
    expect(config).toMatchObject({ http: { port: 80 }, queryText: 'full' })
  })

  it('is asked for what is missing, by name, and nothing else is said of that place', () => {
    expect(problems(text)).toEqual([
      'clusters[0].url: The environment variable URL_A is not set. Set it before you start pg-marshal.',
    ])
    expect(problems(text, { URL_A: '' })).toEqual([
      'clusters[0].url: The environment variable URL_A is empty. Set it before you start pg-marshal.',
    ])
    expect(problems(minimal.replace('[U0DANA]', '["${WHO}"]'))).toEqual([
      'access.approvers[0]: The environment variable WHO is not set. Set it before you start pg-marshal.',
    ])
  })

  it('has no defaults', () => {
    const [problem] = problems(minimal.replace('postgres://pg_marshal@db/postgres', '${URL_A:-x}'), {
      URL_A: 'y',
    })
    expect(problem).toMatch(/^clusters\[0\]\.url: Write \$\{NAME\} with letters, digits and underscores/)
  })

  it('names the log level', () => {
    expect(problems(minimal, { LOG_LEVEL: 'loud' })).toEqual([
      'LOG_LEVEL: Write one of trace, debug, info, warn, error, fatal, silent.',
    ])
  })
})

describe('loadConfig', () => {
  const failing = (code: string) => () => {
    throw Object.assign(new Error('x'), { code })
  }

  it('reads the file that the environment names', () => {
    const read: string[] = []
    const readFile = (path: string) => {
      read.push(path)
      return minimal
    }
    loadConfig({ env: {}, readFile })
    loadConfig({ env: { PG_MARSHAL_CONFIG: '/etc/m.yaml' }, readFile })
    expect(read).toEqual(['pg-marshal.yaml', '/etc/m.yaml'])
  })

  it('says what to do when there is none', () => {
    expect(() => loadConfig({ env: {}, readFile: failing('ENOENT') })).toThrow(
      'There is no file pg-marshal.yaml. Copy pg-marshal.example.yaml to it, or name another in PG_MARSHAL_CONFIG.',
    )
    expect(() => loadConfig({ env: {}, readFile: failing('EACCES') })).toThrow('cannot be read (EACCES)')
    expect(() => loadConfig({ env: { PG_MARSHAL_CONFIG: '/nowhere/x.yaml' } })).toThrow(ConfigError)
  })
})

describe('notify', () => {
  const general = `
notify:
  mention: [S0DBAONCALL, U0DANA, U0DANA]
  from: warning
  remindAfter: 5m
  escalate: [{ after: 20m, mention: [U0BOSS] }, { after: 10m, mention: [U0LEAD] }]
`
  const notifyOf = (text: string) => parseConfig(text, {}).clusters[0]?.notify

  it('names each once, and has its steps in the order of time', () => {
    expect(notifyOf(minimal + general)).toEqual({
      mention: ['S0DBAONCALL', 'U0DANA'],
      from: 'warning',
      remindAfterMs: 300_000,
      escalate: [
        { afterMs: 600_000, mention: ['U0LEAD'] },
        { afterMs: 1_200_000, mention: ['U0BOSS'] },
      ],
      webhooks: [],
    })
  })

  it.each([
    ['mention: []', { mention: [] }],
    ['from: critical', { from: 'critical' }],
    ['remindAfter: 1m', { remindAfterMs: 60_000 }],
    ['escalate: []', { escalate: [] }],
  ])('is overridden by a cluster key by key: %s', (own, expected) => {
    const text = `${minimal}    notify: { ${own} }\n${general}`
    expect(notifyOf(text)).toEqual({ ...notifyOf(minimal + general), ...expected })
  })

  it.each([
    ['mention: everyone', 'notify.mention'],
    ['mention: [dana]', 'notify.mention[0]'],
    ['from: notice', 'notify.from: Write critical or warning.'],
    ['remindAfter: 5', 'notify.remindAfter'],
    ['escalate: [{ mention: [U0LEAD] }]', 'notify.escalate[0].after'],
    ['escalate: [{ after: 5m }]', 'notify.escalate[0].mention: Missing.'],
    ['wake: [U0LEAD]', 'notify.wake: Unknown key.'],
  ])('takes no %s', (part, expected) => {
    expect(withPart(`notify: { ${part} }`)).toEqual([expect.stringContaining(expected)])
  })
})
