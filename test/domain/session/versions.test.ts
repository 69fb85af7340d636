import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import {
  has,
  newerWords,
  newestMajor,
  oldestMajor,
  sinceWords,
  versionWords,
} from '../../../src/domain/session/versions.ts'

describe('versions', () => {
  test.each([
    [140_000, null],
    [180_004, null],
    [190_000, null],
    [200_001, 'PostgreSQL 20.1 is newer than this version of pg-marshal knows; it is treated as 19.'],
  ])('%i: %s', (versionNum, words) => {
    expect(newerWords(versionNum)).toBe(words)
  })

  it('says what is there since when', () => {
    expect(sinceWords('reserved_connections')).toBe('16 and newer')
    expect(has(150_017, 'reserved_connections')).toBe(false)
    expect(has(160_000, 'reserved_connections')).toBe(true)
    expect(has(190_001, 'pg_signal_autovacuum_worker')).toBe(true)
    expect(versionWords(140_013)).toBe('14.13')
  })

  it('is the only place that compares versions, and knows those that are tested', () => {
    const src = new URL('../../../src/', import.meta.url)
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    )
    expect(files.length).toBeGreaterThan(100)
    const guilty = files.filter(
      (file) =>
        file !== 'domain/session/versions.ts' &&
        /\b1[3-9]0_?000\b|version_?num\s*[<>/]/i.test(readFileSync(new URL(file, src), 'utf8')),
    )
    expect(guilty).toEqual([])
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
    expect(readme).toContain(`PostgreSQL ${oldestMajor} to ${newestMajor}`)
  })
})
