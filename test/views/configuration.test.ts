import { describe, expect, it } from 'vitest'
import { configurationView } from '../../src/views/configuration.ts'

const none = { added: [], changed: [], removed: [], settings: [], restart: [] }
const read = (
  changes: Partial<Record<keyof typeof none, readonly string[]>>,
  replica: string | null = null,
) => configurationView({ kind: 'configured', actor: 'pg-marshal', replica, ...none, ...changes }).text
const wrong = (problems: readonly string[], replica: string | null = null) =>
  configurationView({ kind: 'misconfigured', actor: 'pg-marshal', replica, problems }).text

describe('configurationView', () => {
  it('counts and names, and says what needs a restart', () => {
    expect(read({ added: ['a', 'b'], changed: ['c'], removed: ['d'] })).toBe(
      'Configuration read: 2 clusters added (a, b), 1 changed (c), 1 removed (d).',
    )
    expect(read({ removed: ['d'], restart: ['http.port', 'store.url'] })).toBe(
      'Configuration read: 1 cluster removed (d). Needs a restart: http.port, store.url.',
    )
    expect(read({ settings: ['slack.channel'] })).toBe('Configuration read: slack.channel changed.')
    expect(read({ restart: ['http.port'] }, 'bot-1')).toBe(
      'Configuration read on bot-1. Needs a restart: http.port.',
    )
  })

  it('names ten clusters at most', () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => `c${n}`)
    expect(read({ changed: many(10) })).toMatch(/ c8, c9\)\.$/)
    expect(read({ changed: many(500) })).toMatch(/: 500 clusters changed \(c0, .* c9 and 490 more\)\.$/)
  })

  it('counts all problems, and shows the first few', () => {
    expect(wrong(['x: <wrong>.'])).toBe(
      'Configuration not read: 1 problem. What held before still holds.\n• x: &lt;wrong&gt;.',
    )
    const five = ['1', '2', '3', '4', '5']
    expect(wrong(five)).not.toContain('more')
    expect(wrong([...five, '6', '7'], 'bot-1')).toMatch(
      /^Configuration not read on bot-1: 7 problems\.[^6]*\n… and 2 more, all of them in my log\.$/,
    )
    expect(wrong(['y'.repeat(300)])).not.toContain('…')
    expect(wrong(['y'.repeat(5000)]).length).toBeLessThan(400)
  })
})
