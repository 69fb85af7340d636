import { describe, expect, it, test } from 'vitest'
import { formatCount, formatSize, parseSize } from '../../../src/domain/text/size.ts'

test.each([
  ['10GB', 10 * 2 ** 30],
  ['500 mb', 500 * 2 ** 20],
  ['64kB', 65_536],
  ['2TB', 2 * 2 ** 40],
])('reads %s', (text, bytes) => {
  expect(parseSize(text)).toEqual({ bytes })
})

test.each(['10', 'GB', '1.5GB', '10 Gb it', '-1GB', '10GiB', '', '99999999999GB'])(
  'does not read %j',
  (text) => {
    const read = parseSize(text)
    expect(read).toHaveProperty('problem')
    if (text !== '') expect(JSON.stringify(read)).not.toContain(`"${text}"`)
  },
)

describe('a size', () => {
  it('has at most one digit after the point', () => {
    const sizes = [0, -5, 1024, 500 * 2 ** 20, 1.5 * 2 ** 30, 12.4 * 2 ** 30, 10 * 2 ** 30, 3 * 2 ** 40]
    expect(sizes.map(formatSize)).toEqual([
      ...['0 kB', '0 kB', '1 kB', '500 MB', '1.5 GB', '12 GB', '10 GB', '3 TB'],
    ])
  })

  it('counts transactions in words', () => {
    expect([0, 999, 12_345, 1_000_000, 214_700_000, 2_100_000_000].map(formatCount)).toEqual([
      ...['0', '999', '12,345', '1 million', '214.7 million', '2.1 billion'],
    ])
  })
})
