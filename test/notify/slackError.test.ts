import { expect, it } from 'vitest'
import { isSlackAway, knownSlackCodes, SlackError, slackErrorKind } from '../../src/notify/slackError.ts'

it.each([
  ['ratelimited', 'limited', true],
  ['message_limit_exceeded', 'limited', true],
  ['service_unavailable', 'notTaken', true],
  ['fatal_error', 'unanswered', true],
  ['unreachable', 'unanswered', true],
  ['no_ts', 'unanswered', true],
  ['http_502', 'unanswered', true],
  ['http_404', 'refused', false],
  ['message_not_found', 'gone', false],
  ['missing_scope', 'token', false],
  ['is_archived', 'refused', false],
  ['a_code_of_tomorrow', 'refused', false],
  ['http_5034', 'refused', false],
])('%s is %s', (code, kind, retryable) => {
  expect(slackErrorKind(code)).toBe(kind)
  expect(new SlackError(code)).toMatchObject({ code, kind, retryable, retryAfterMs: 0 })
})

it('is away as a whole, or takes one channel or message not', () => {
  const away = ['missing_scope', 'service_unavailable', 'unreachable']
  const here = ['ratelimited', 'message_not_found', 'is_archived']
  expect([...away, ...here].filter((code) => isSlackAway(slackErrorKind(code)))).toEqual(away)
})

it('means one thing by each code', () => {
  expect(new Set(knownSlackCodes).size).toBe(knownSlackCodes.length)
})
