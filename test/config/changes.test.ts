import { describe, expect, it } from 'vitest'
import {
  changesOf,
  changesSentence,
  isElsewhere,
  problemsSentence,
  withoutRestart,
} from '../../src/config/changes.ts'
import { parseConfig } from '../../src/config/config.ts'

const base = {
  slack: { channel: 'C0INCIDENTS' },
  access: { approvers: ['U0DANA'] },
  clusters: ['a', 'b', 'c'].map((name) => ({ name, url: `postgres://m@${name}/db` })),
}
type Over = Record<string, unknown>
const config = (over: Over = {}) => parseConfig(JSON.stringify({ ...base, ...over }), {})
const [a, b, c] = base.clusters
const none = { added: [], changed: [], removed: [], settings: [], restart: [] }
const changes = (after: Over, before: Over = {}) => changesOf(config(before), config(after))

describe('changesOf', () => {
  it('finds nothing where the order alone is another', () => {
    expect(changes({})).toEqual(none)
    expect(changes({ clusters: [c, a, b] })).toEqual(none)
  })

  it('finds clusters that came, went and are others', () => {
    const after = [{ ...c, protected: [{ user: 'x' }] }, b, { name: 'd', url: 'postgres://m@d/db' }]
    expect(changes({ clusters: after })).toEqual({ ...none, added: ['d'], changed: ['c'], removed: ['a'] })
  })

  it.each([
    { url: 'postgres://m@z/db' },
    { passwordFile: '/run/x' },
    { channel: 'C0B' },
    { watch: { rules: [{ match: { user: 'x' }, idleLongerThan: 'never' }] } },
    { notify: { webhooks: [{ kind: 'json', url: 'http://x.example/', secret: 's' }] } },
    { access: { viewers: ['U0DANA'] } },
  ])('finds that %j is another', (own) => {
    expect(changes({ clusters: [a, b, { ...c, ...own }] })).toEqual({ ...none, changed: ['c'] })
  })

  it('takes what holds for all as a change of all', () => {
    expect(changes({ watch: { blockedFor: '9s' } })).toEqual({ ...none, changed: ['a', 'b', 'c'] })
  })

  it.each([
    ['slack.mode', { slack: { channel: 'C0INCIDENTS', mode: 'http' } }],
    ['http.host', { http: { host: '0.0.0.0' } }],
    ['http.port', { http: { port: 1 } }],
    ['store.url', { store: { url: 'sqlite:./x.db' } }],
    ['queryText', { queryText: 'full' }],
    ['watch.heartbeatUrl', { watch: { heartbeatUrl: 'http://x.example/' } }],
  ])('says that %s needs a restart, and keeps the old one until then', (key, over) => {
    expect(changes(over)).toEqual({ ...none, restart: [key] })
    expect(withoutRestart(config(), config(over))).toEqual(config())
  })

  it('takes the general channel at once', () => {
    const over = {
      slack: { channel: 'C0OTHER' },
      clusters: base.clusters.map((one) => ({ ...one, channel: 'C0A' })),
    }
    const own = { clusters: over.clusters }
    expect(changes(over, own)).toEqual({ ...none, settings: ['slack.channel'] })
    expect(withoutRestart(config(own), config(over)).slack.channel).toBe('C0OTHER')
  })
})

describe('isElsewhere', () => {
  const one = config().clusters[0]
  it('is true for another address or another file of the password alone', () => {
    if (!one) throw new Error('no cluster')
    expect(isElsewhere(one, { ...one, channel: 'C1', protected: [{ user: 'x' }] })).toBe(false)
    expect(isElsewhere(one, { ...one, url: 'postgres://m@z/db' })).toBe(true)
    expect(isElsewhere(one, { ...one, passwordFile: '/x' })).toBe(true)
  })
})

describe('changesSentence', () => {
  it('counts and names, and says what needs a restart', () => {
    expect(changesSentence(none)).toBe(null)
    expect(changesSentence({ ...none, added: ['a', 'b'], changed: ['c'], removed: ['d'] })).toBe(
      'Configuration read: 2 clusters added (a, b), 1 changed (c), 1 removed (d).',
    )
    expect(changesSentence({ ...none, removed: ['d'], restart: ['http.port', 'store.url'] })).toBe(
      'Configuration read: 1 cluster removed (d). Needs a restart: http.port, store.url.',
    )
    expect(changesSentence({ ...none, settings: ['slack.channel'] })).toBe(
      'Configuration read: slack.channel changed.',
    )
    expect(changesSentence({ ...none, restart: ['http.port'] })).toBe(
      'Configuration read. Needs a restart: http.port.',
    )
  })

  it('names ten clusters at most', () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => `c${n}`)
    expect(changesSentence({ ...none, changed: many(10) })).toContain('c8, c9).')
    expect(changesSentence({ ...none, changed: many(500) })).toMatch(
      /^.*: 500 clusters .* c9 and 490 more\)\.$/,
    )
  })
})

describe('problemsSentence', () => {
  it('counts all and shows the first few', () => {
    expect(problemsSentence(['x: wrong.'])).toBe(
      'Configuration not read, the old one stays: 1 problem.\n• x: wrong.',
    )
    const five = ['1', '2', '3', '4', '5']
    expect(problemsSentence(five)).not.toContain('more')
    expect(problemsSentence([...five, '6', '7'])).toMatch(/^[^6]*\n… and 2 more, all of them in my log\.$/)
    expect(problemsSentence([...five, '6', '7'])).toContain('7 problems')
  })
})
