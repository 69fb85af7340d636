import { describe, expect, it, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { commonTagKeys } from '../../src/domain/text/tags.ts'

const read = (tags?: unknown) =>
  parseConfig(
    JSON.stringify({
      slack: { channel: 'C0INCIDENTS' },
      access: { approvers: ['U0DANA'] },
      clusters: [{ name: 'orders', url: 'postgres://m@a/db' }],
      ...(tags !== undefined && { tags }),
    }),
    {},
  ).tags

describe('tags', () => {
  it('are the common ones, without links', () => {
    const usual = { keys: commonTagKeys, links: {} }
    expect(read()).toEqual(usual)
    expect(read({})).toEqual(usual)
    expect(commonTagKeys).toEqual([
      ...['application', 'controller', 'action', 'route', 'framework', 'db_driver', 'job', 'traceparent'],
    ])
  })

  it('are those that are named, in their order and once, and lead where the configuration says', () => {
    const link = { ddps: 'https://apm.example.com/{ddps}', traceparent: 'https://t.example.com/{trace_id}' }
    expect(read({ keys: ['ddps', 'traceparent', 'ddps'], link })).toEqual({
      keys: ['ddps', 'traceparent'],
      links: link,
    })
    expect(read({ keys: [] })).toEqual({ keys: [], links: {} })
    expect(read({ link: { action: 'https://c.example.com/{action}' } }).keys).toEqual(commonTagKeys)
  })

  test.each([
    [[], /tags: Write keys with values here: keys, link/],
    [{ key: [] }, /tags\.key: Unknown key/],
    [{ keys: 'route' }, /tags\.keys: Write a list of at most 20 keys/],
    [{ keys: Array.from({ length: 21 }, (_, index) => `k${index}`) }, /at most 20 keys/],
    [{ keys: [5] }, /tags\.keys\[0\]: Write a list/],
    [{ keys: ['__proto__'] }, /tags\.keys\[0\]: Write a key as it stands in comments/],
    [{ keys: ['a b'] }, /Write a key/],
    [{ keys: [`a${'b'.repeat(40)}`] }, /Write a key/],
    [{ link: 'https://x/{action}' }, /tags\.link: Write keys with addresses/],
    [{ link: { action: 5 } }, /tags\.link\.action: Write keys with addresses/],
    [{ link: { action: 'http://x/{action}' } }, /tags\.link\.action: Write an https address/],
    [{ link: { action: 'https://x/{user}' } }, /tags\.link\.action: In braces stands one of application/],
    [{ link: { user: 'https://x/{user}' } }, /This key is not shown\. Those that are: application, /],
    [{ keys: ['route'], link: { route: 'https://x/{trace_id}' } }, /In braces stands one of route\./],
  ])('%j is refused', (tags, sentence) => {
    expect(() => read(tags)).toThrow(sentence)
  })

  it('may have twenty keys of forty letters', () => {
    const keys = Array.from(
      { length: 20 },
      (_, index) => `k${'x'.repeat(37)}${String(index).padStart(2, '0')}`,
    )
    expect(read({ keys }).keys).toEqual(keys)
  })
})
