// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the file names the environment
import { describe, expect, it } from 'vitest'
import { ConfigError, type Env, parseConfig } from '../../src/config/config.ts'

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
const withCluster = (part: string) => problems(`${minimal}    ${part}\n`)

describe('problems', () => {
  it('come all at once, each with its path', () => {
    const found = problems(`
slack: { channel: "#incidents", mode: push, token: xoxb-1 }
access: { viewers: [everyone, "@dana"], requesters: [], approvers: everyone }
approvals: { people: { cancel: 0, terminate: two }, requesterMayApprove: sometimes, expireAfter: 900 }
clusters:
  - { name: Orders DB, url: "mysql://root:hunter2@db", protected: [{ user: "a*b" }, {}] }
  - { name: shop, channel: orders }
  - { name: shop, url: "\${SHOP_URL}", watch: { blockedFro: 1s } }
watch: { every: 1ms, connectionsAbove: 85%, vacuumHeldBackBy: 0, slotRetains: 10, wraparoundAbove: 0.5, preparedLongerThan: 15 }
store: { url: mysql://u:hunter2@db/x }
queryText: no
http: { port: 70000 }
`)
    const paths = found.map((problem) => problem.slice(0, problem.indexOf(': ')))
    expect(new Set(paths)).toEqual(
      new Set([
        'slack.channel',
        'slack.mode',
        'slack.token',
        'access.viewers[0]',
        'access.viewers[1]',
        'access.requesters',
        'access.approvers',
        'approvals.people.cancel',
        'approvals.people.terminate',
        'approvals.requesterMayApprove',
        'approvals.expireAfter',
        'clusters[0].name',
        'clusters[0].url',
        'clusters[0].protected[0].user',
        'clusters[0].protected[1]',
        'clusters[1].url',
        'clusters[1].channel',
        'clusters[2].name',
        'clusters[2].url',
        'clusters[2].watch.blockedFro',
        'watch.every',
        'watch.connectionsAbove',
        'watch.vacuumHeldBackBy',
        'watch.slotRetains',
        'watch.wraparoundAbove',
        'watch.preparedLongerThan',
        'store.url',
        'queryText',
        'http.port',
      ]),
    )
    expect(paths).toHaveLength(29)
    for (const problem of found) expect(problem).toMatch(/^[\w.[\]]+: .*[A-Za-z\d)…].*\.$/)
    expect(found.join()).not.toMatch(/hunter2|mysql|xoxb/)
  })

  it.each([
    ['everyone', 'access.approvers: Approvers are never everyone. '],
    ['[U1, everyone]', 'access.approvers: Approvers are never everyone. '],
    ['[]', 'access.approvers: An empty list lets nobody in. '],
    ['', 'access.approvers: Missing. '],
    ['U1', 'access.approvers: Name the approvers: a list'],
    ['["@dana"]', 'access.approvers[0]: A name can change, so it is not taken. Write a user id'],
    ['[C1]', 'access.approvers[0]: Write a user id'],
    ['[7]', 'access.approvers[0]: Write a user id'],
  ])('approvers: %s', (approvers, start) => {
    const found = problems(minimal.replace('[U0DANA]', approvers === '' ? '' : approvers))
    expect(found).toHaveLength(1)
    expect(found[0]?.slice(0, start.length)).toBe(start)
  })

  it('of people who could never come together', () => {
    expect(withPart('approvals: { people: { terminate: 2 } }')).toEqual([
      'approvals.people.terminate: More people must approve than are named in approvers (1). Name more, or ask for fewer.',
    ])
    expect(withCluster('approvals: { people: { cancel: 2 } }')[0]).toMatch(
      /^clusters\[0\]\.approvals\.people\.cancel: /,
    )
  })

  it.each([
    ['http://db/x', 'This is not the address of a PostgreSQL server.'],
    ['postgres://u:p#q@db/x', 'This address cannot be read. In the password write %23 for #'],
    ['postgres://u:100%@db/x', 'This address cannot be read.'],
    ['postgres://u:a/b@db/x', 'This address cannot be read.'],
    ['postgres://a:1,b:2/x', 'This address cannot be read.'],
    ['postgres://a,b/x', 'Only one host is supported'],
  ])('url: %s', (url, sentence) => {
    const found = problems(minimal.replace(/postgres:.*/, '${U}'), { U: url })
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`clusters[0].url: ${sentence}`)
    expect(found[0]).not.toContain(url)
  })

  it.each([
    ['mysql://u:p@h/d', 'or postgres://user@host/database'],
    ['postgres://u:p@h/d?sslmode=never', 'sslmode in the url is none that is known'],
    ['sqlite::memory:', 'needs a file'],
    ['sqlite://data.db', 'Write sqlite: and a path'],
    ['sqlite:', 'Write sqlite: and a path'],
    ['./data.db', 'Write sqlite: and a path'],
  ])('store.url: %s', (url, sentence) => {
    expect(withPart(`store: { url: "${url}" }`)[0]).toContain(sentence)
  })

  it.each([
    ['3', ': Write a list of rules like'],
    ['[3]', '[0]: Write keys with values here: match, blockedFor, queryLongerThan'],
    ['[{ blockedFor: 1s }]', '[0].match: Missing. Write for which sessions'],
    ['[{ match: {}, blockedFor: 1s }]', '[0].match: Write at least one of applicationName'],
    ['[{ match: { app: x }, blockedFor: 1s }]', '[0].match.app: Unknown key. Known here: applicationName'],
    ['[{ match: { user: "a*b" }, blockedFor: 1s }]', '[0].match.user: A * is understood only at the end'],
    ['[{ match: { user: a } }]', '[0]: Write at least one of blockedFor, queryLongerThan'],
    ['[{ match: { user: a }, every: 1s }]', '[0].every: Unknown key.'],
    ['[{ match: { user: a }, blockedFor: 3 }]', '[0].blockedFor: Write a duration with its unit'],
    ['[{ match: { user: a }, blockedFor: 400d }]', '[0].blockedFor: Write a duration up to 365d, or never.'],
    ['[{ match: { user: a }, blockedFor: 1s, hours: daily }]', '[0].hours: Write days and times of day'],
    ['[{ match: { user: a }, blockedFor: 1s, timeZone: UTC }]', '[0].timeZone: This means nothing without'],
    [
      '[{ match: { user: a }, blockedFor: 1s, hours: "08:00-09:00", timeZone: Mars }]',
      '[0].timeZone: Write a time zone of the IANA database',
    ],
  ])('watch.rules: %s', (rules, start) => {
    const [found] = withPart(`watch: { rules: ${rules} }`)
    expect(found?.slice(0, `watch.rules${start}`.length)).toBe(`watch.rules${start}`)
    const [own] = withCluster(`watch: { rules: ${rules} }`)
    expect(own).toBe(`clusters[0].${found}`)
  })

  it.each([
    ['{ user: a }', '{ user: a }', true],
    ['{ user: "a*" }', '{ user: "ab*", database: d }', true],
    ['{ user: "*" }', '{ database: d }', false],
    ['{ user: a }', '{ user: "a*" }', false],
    ['{ user: a, database: d }', '{ user: a }', false],
    ['{ applicationName: a }', '{ user: a }', false],
  ])('of a rule that is never reached: %s above %s', (first, second, isShadowed) => {
    const limit = 'blockedFor: 1s'
    const two = (a: string, b: string) =>
      withPart(`watch: { rules: [{ match: ${first}, ${a} }, { match: ${second}, ${b} }] }`)
    expect(two(limit, limit)).toEqual(
      isShadowed
        ? [
            'watch.rules[1]: This rule never holds: rule 1 above matches all of its sessions, and the first that matches holds. Put it above that one, or remove it.',
          ]
        : [],
    )
    // Outside of the hours of the first one the second holds; within the same hours it never does.
    const night = `${limit}, hours: "22:00-06:00"`
    expect(two(night, limit)).toEqual([])
    expect(two(night, night)).toHaveLength(isShadowed ? 1 : 0)
    expect(two(limit, night)).toHaveLength(isShadowed ? 1 : 0)
  })

  it('of several things in one rule come together', () => {
    const found = withPart('watch: { rules: [{ blockedFor: 1, hours: x, timeZone: y, foo: 1 }] }')
    expect(found.map((problem) => problem.slice('watch.rules[0].'.length).split(':')[0])).toEqual([
      'match',
      'blockedFor',
      'hours',
      'timeZone',
      'foo',
    ])
  })

  it('of the heartbeat, which is one for all clusters, and never repeated', () => {
    for (const url of ['ftp://u:hunter2@h/', 'hunter2', '7', '[]'])
      expect(withPart(`watch: { heartbeatUrl: ${url} }`)).toEqual([
        'watch.heartbeatUrl: Write an http or https address, best as ${NAME} from the environment.',
      ])
    expect(withPart('watch: { heartbeatUrl: "${PING}" }')[0]).toContain('PING is not set')
    expect(withCluster('watch: { heartbeatUrl: "https://h/" }')[0]).toMatch(
      /^clusters\[0\]\.watch\.heartbeatUrl: Unknown key/,
    )
  })

  it('of clusters', () => {
    expect(problems('slack: { channel: C1 }\naccess: { approvers: [U1] }\n')).toEqual([
      'clusters: Missing. Name at least one cluster with its name and url.',
    ])
    expect(problems('slack: { channel: C1 }\naccess: { approvers: [U1] }\nclusters: []\n')).toEqual([
      'clusters: Name at least one cluster with its name and url.',
    ])
    expect(withPart('  - { name: orders, url: "postgres://h/d" }')).toEqual([
      'clusters[1].name: clusters[0] has this name already.',
    ])
    expect(withCluster(`protected: [{ applicationName: ${'x'.repeat(64)} }]`)[0]).toContain(
      'cuts names at 63 bytes',
    )
  })

  it.each([
    ['pgbouncer: "mysql://a@b/pgbouncer"', 'pgbouncer: This is not the address'],
    [
      'pgbouncer: "postgres://a:hunter2@b/orders"',
      'pgbouncer: The admin console of PgBouncer is its database pgbouncer.',
    ],
    [
      'pgbouncer: "postgres://a@b:6432"',
      'pgbouncer: The admin console of PgBouncer is its database pgbouncer.',
    ],
    ['pgbouncer: "postgres://a@b/pgbouncer?sslmode=maybe"', 'pgbouncer: sslmode in the url is none'],
    [
      '{ pgbouncer: "postgres://a:hunter2@b/pgbouncer", pgbouncerPasswordFile: /x }',
      'pgbouncerPasswordFile: The url has a password too: keep one of them.',
    ],
    ['pgbouncerPasswordFile: /x', 'pgbouncerPasswordFile: There is no url that it is for'],
    [
      '{ pgbouncer: "postgres://a@b/pgbouncer", pgbouncerPasswordFile: "" }',
      'pgbouncerPasswordFile: Write the path',
    ],
  ])('of the console of PgBouncer: %s', (keys, problem) => {
    const [found, ...more] = withCluster(keys.replace(/^\{ (.*) \}$/, '$1').replace(', ', '\n    '))
    expect(more).toEqual([])
    expect(found).toContain(`clusters[0].${problem}`)
    expect(found).not.toContain('hunter2')
  })

  it('of unknown keys name the known ones, and no key that may be a secret', () => {
    expect(withPart('wach: {}')).toEqual([
      'wach: Unknown key. Known here: slack, http, access, approvals, clusters, clustersFrom, templates, watch, notify, store, history, queryText, tags, sweeps.',
    ])
    expect(withPart('http: { __proto__: 1 }')).toEqual([
      'http.__proto__: Unknown key. Known here: host, port, api.',
    ])
    expect(withPart('http: { xoxb-123: 1 }')).toEqual([
      'http: There is a key that is not a plain word. Unknown key. Known here: host, port, api.',
    ])
  })

  it.each([
    ['', 'The file is empty.'],
    ['# only this\n', 'The file is empty.'],
    ['a: b: hunter2', 'Line 1 is not valid YAML: there is a second colon; put the value in quotes.'],
    ['slack:\n\tchannel: hunter2', 'Line 2 is not valid YAML: a tab is used for indentation; use spaces.'],
    ['slack: 1\nslack: hunter2', 'Line 2 is not valid YAML: this key is there twice; keep one.'],
    ['a: [${A}, ${B}]', 'Line 1 is not valid YAML: inside […] and {…} put ${NAME} in quotes.'],
    ['a: {b: ${B}}', 'Line 1 is not valid YAML: inside […] and {…} put ${NAME} in quotes.'],
    ['a: "hunter2', 'Line 1 is not valid YAML: a quote, a comma or a bracket is missing.'],
    ['a: *hunter2', 'The file is not valid YAML: an alias'],
    ['a: !hunter2 b', 'Line 1 is not valid YAML: '],
    ['hunter2', 'Write keys with values here: slack, '],
    ['- hunter2', 'Write keys with values here: slack, '],
  ])('of a file that holds %j', (text, start) => {
    const found = problems(text)
    expect(found[0]?.slice(0, start.length)).toBe(start)
    expect(found.join()).not.toContain('hunter2')
  })

  it('of an alias that holds itself end', () => {
    expect(problems('slack: &a [*a]').join()).toContain('nested too deeply')
  })

  it('are told in the message, one a line', () => {
    expect(() => parseConfig('', {}, 'other.yaml')).toThrow(
      'The configuration (other.yaml) cannot be used:\n  - The file is empty. Copy pg-marshal.example.yaml and fill it in.',
    )
  })
})
