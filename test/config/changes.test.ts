import { describe, expect, it } from 'vitest'
import { changesNothing, changesOf, isElsewhere, withoutRestart } from '../../src/config/changes.ts'
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
    ['tags', { tags: { keys: ['route'] } }],
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
    expect(
      isElsewhere(one, { ...one, pgbouncer: { url: 'postgres://b/pgbouncer', passwordFile: null } }),
    ).toBe(true)
  })
})

describe('changesNothing', () => {
  it('is false for anything that is another', () => {
    expect(changesNothing(none)).toBe(true)
    for (const key of Object.keys(none)) expect(changesNothing({ ...none, [key]: ['x'] })).toBe(false)
  })
})
