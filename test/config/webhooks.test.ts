// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the file names the environment
import { expect, it } from 'vitest'
import { ConfigError, parseConfig } from '../../src/config/config.ts'

const general = (notify: string, cluster = '') =>
  `{ slack: { channel: C0INCIDENTS }, access: { approvers: [U0DANA] }, clusters: [{ name: orders, url: "postgres://m@db/postgres" ${cluster} }], notify: ${notify} }`
const webhooksOf = (text: string, env = {}) => parseConfig(text, env).clusters[0]?.notify.webhooks
const problems = (notify: string) => {
  try {
    parseConfig(general(notify), {})
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

it('reads receivers, with their defaults and secrets from the environment', () => {
  const text = general(
    '{ webhooks: [{ kind: pagerduty, routingKey: "${KEY}" }, { kind: pagerduty, url: "https://p.example.com/x", routingKey: K, from: warning }, { kind: json, url: "https://h.example.com/a", secret: S }] }',
  )
  expect(webhooksOf(text, { KEY: 'R0UTING' })).toEqual([
    {
      kind: 'pagerduty',
      url: 'https://events.pagerduty.com/v2/enqueue',
      routingKey: 'R0UTING',
      from: 'critical',
    },
    { kind: 'pagerduty', url: 'https://p.example.com/x', routingKey: 'K', from: 'warning' },
    { kind: 'json', url: 'https://h.example.com/a', secret: 'S', from: 'warning' },
  ])
})

it('lets a cluster have others, or none', () => {
  const all = '{ webhooks: [{ kind: pagerduty, routingKey: K }] }'
  expect(webhooksOf(general(all))).toHaveLength(1)
  expect(webhooksOf(general(all, ', notify: {}'))).toHaveLength(1)
  expect(webhooksOf(general(all, ', notify: { webhooks: [] }'))).toEqual([])
})

it.each([
  ['{ webhooks: hooks }', 'notify.webhooks: Write a list of receivers'],
  ['{ webhooks: [geheim] }', 'notify.webhooks[0].kind: Write kind: pagerduty or kind: json.'],
  ['{ webhooks: [{ kind: geheim }] }', 'notify.webhooks[0].kind: Write kind: pagerduty or kind: json.'],
  ['{ webhooks: [{ kind: pagerduty }] }', 'notify.webhooks[0].routingKey: Missing.'],
  ['{ webhooks: [{ kind: json, url: "https://h/" }] }', 'notify.webhooks[0].secret: Missing.'],
  ['{ webhooks: [{ kind: json, secret: S }] }', 'notify.webhooks[0].url: Missing.'],
  [
    '{ webhooks: [{ kind: json, secret: S, url: "ftp://geheim/" }] }',
    'notify.webhooks[0].url: Write an http',
  ],
  [
    '{ webhooks: [{ kind: json, secret: S, url: "https://u:geheim@h/" }] }',
    'notify.webhooks[0].url: Write an http',
  ],
  [
    '{ webhooks: [{ kind: json, secret: S, url: "https://geheim@h/" }] }',
    'notify.webhooks[0].url: Write an http',
  ],
  [
    '{ webhooks: [{ kind: json, secret: "", url: "https://h/" }] }',
    'notify.webhooks[0].secret: Write the secret',
  ],
  [
    '{ webhooks: [{ kind: json, secret: S, url: "https://h/", from: notice }] }',
    'notify.webhooks[0].from: Write critical or warning.',
  ],
  [
    '{ webhooks: [{ kind: json, secret: S, url: "https://h/", routingKey: K }] }',
    'notify.webhooks[0].routingKey: Unknown key. Known here: kind, url, secret, from.',
  ],
])('%s is a problem: %s', (notify, problem) => {
  expect(problems(notify)).toEqual([expect.stringContaining(problem)])
  expect(problems(notify).join()).not.toContain('geheim')
})
