import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { linksFor, templateProblem } from '../../../src/domain/text/tagLinks.ts'

const traceparent = '00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'
const keys = ['controller', 'action', 'traceparent']

describe('templateProblem', () => {
  it.each([
    'https://trace.example.com/{trace_id}',
    'https://trace.example.com:8443/t/{trace_id}?span={span_id}#top',
    'https://code.example.com/search?q={controller}%23{action}',
    'https://x/{traceparent}',
    'https://example.com?q={action}',
  ])('takes %s', (template) => {
    expect(templateProblem(template, keys)).toBeNull()
  })

  const address = expect.stringMatching(/^Write an https address whose host has no braces/)
  it.each([
    ['http://trace.example.com/{trace_id}', address],
    ['javascript:alert({action})', address],
    ['x https://trace.example.com/{trace_id}', address],
    ['https://{action}/x', address],
    ['https://{action}.example.com/x', address],
    ['https://trace.example.com{action}', address],
    ['https://user@trace.example.com/{action}', address],
    ['https://trace.example.com:{action}/', address],
    ['https://trace.example.com:99999/{action}', address],
    ['https://trace.example.com', address],
    ['https://trace.example.com/{action}|<@U1>', address],
    ['https://trace.example.com/{action}>', address],
    ['https://trace.example.com/{action} x', address],
    ['https://trace.example.com/{action}\n', address],
    ['https://trace.example.com\\{action}', address],
    ['https://trace.example.com/`{action}', address],
    ['', address],
    ['https://trace.example.com/', expect.stringMatching(/^Put the name of a tag in braces/)],
    [
      'https://trace.example.com/{job}',
      'In braces stands one of controller, action, traceparent, trace_id, span_id.',
    ],
    ['https://trace.example.com/{action}/{x}', expect.stringMatching(/^In braces/)],
    ['https://trace.example.com/{action}{', expect.stringMatching(/^In braces/)],
    ['https://trace.example.com/{{action}}', expect.stringMatching(/^In braces/)],
    ['https://trace.example.com/{}', expect.stringMatching(/^In braces/)],
  ])('refuses %s', (template, problem) => {
    expect(templateProblem(template, keys)).toEqual(problem)
  })

  it('knows the parts of a traceparent only where that is shown', () => {
    expect(templateProblem('https://x/{trace_id}', ['action'])).toBe('In braces stands one of action.')
  })
})

describe('linksFor', () => {
  const link = (template: string, tags: Record<string, string>) =>
    linksFor(tags, { action: template })?.action ?? null

  it('fills in values, URL-encoded, and the parts of a trace', () => {
    expect(
      linksFor(
        { controller: 'Orders::Api', action: 'créer/x?y&z#<@U1>|"', traceparent },
        {
          traceparent: 'https://t.example.com/{trace_id}/{span_id}',
          controller: 'https://c.example.com/?q={controller}%23{action}',
          job: 'https://c.example.com/{job}',
        },
      ),
    ).toEqual({
      traceparent: 'https://t.example.com/5bd66ef5095369c7b0d1f8f4bd33716a/c532cb4098ac3dd2',
      controller: 'https://c.example.com/?q=Orders%3A%3AApi%23cr%C3%A9er%2Fx%3Fy%26z%23%3C%40U1%3E%7C%22',
    })
  })

  it.each([
    ['of another tag alone', 'https://x/{controller}', { controller: 'a' }],
    ['without one of its values', 'https://x/{action}/{controller}', { action: 'a' }],
    ['with a value that was cut', 'https://x/{action}', { action: 'abc…' }],
    ['with a step in a path', 'https://x/a/{action}/b', { action: '..' }],
    ['with a step in a path', 'https://x/a/{action}/b', { action: '.' }],
    ['with an empty value', 'https://x/a/{action}/b', { action: '' }],
    ['without a trace', 'https://x/{action}/{trace_id}', { action: 'a' }],
    ['with a trace that is none', 'https://x/{action}/{span_id}', { action: 'a', traceparent: '00-../x' }],
    ['that is too long', 'https://x/{action}', { action: 'a'.repeat(1_991) }],
  ])('makes no address %s', (_, template, tags) => {
    expect(link(template, tags)).toBeNull()
  })

  it('makes none where there is no template, and null for none at all', () => {
    expect(linksFor({ action: 'a' }, {})).toBeNull()
    expect(link('https://x/{action}', { action: 'a'.repeat(1_990) })).toHaveLength(2_000)
  })

  it('keeps any value within its place: the same host, path and markup', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (action) => {
        const url = link('https://code.example.com/a/{action}/b?c={action}#d', { action })
        if (url === null) return
        expect(url).not.toMatch(/[\s<>|"`]/)
        const { host, protocol, pathname, searchParams, hash } = new URL(url)
        expect({ host, protocol, hash }).toEqual({ host: 'code.example.com', protocol: 'https:', hash: '#d' })
        expect(pathname.split('/')).toEqual(['', 'a', expect.any(String), 'b'])
        expect(decodeURIComponent(pathname.split('/')[2] ?? '')).toBe(action)
        expect([...searchParams]).toEqual([['c', action]])
      }),
      { numRuns: 2_000 },
    )
  })
})
