import { describe, expect, it } from 'vitest'
import { fateOf, retryAfterMs, signatureOf } from '../../src/notify/webhookCall.ts'

const now = Date.UTC(2026, 0, 1)
const fresh = { ageMs: 0, now }
const dayMs = 86_400_000
const replied = (status: number, retryAfter: string | null = null) => ({ status, retryAfter })

describe('fateOf', () => {
  it.each([200, 202, 204, 299])('takes %i for taken', (status) => {
    expect(fateOf(replied(status), { ageMs: 2 * dayMs, now })).toEqual({ kind: 'taken' })
  })
  it.each([400, 401, 403, 404, 410, 422, 499])('gives up after %i', (status) => {
    expect(fateOf(replied(status), fresh)).toEqual({ kind: 'givenUp', code: `HTTP ${status}` })
  })
  it.each([300, 301, 302, 307, 408, 429, 500, 502, 503, 504, 599])('tries again after %i', (status) => {
    expect(fateOf(replied(status), fresh)).toEqual({ kind: 'again', code: `HTTP ${status}`, askedMs: 0 })
  })
  it('tries again where nobody answers, for a day', () => {
    const reply = { code: 'ECONNREFUSED' }
    expect(fateOf(reply, { ageMs: dayMs - 1, now })).toEqual({
      kind: 'again',
      code: 'ECONNREFUSED',
      askedMs: 0,
    })
    expect(fateOf(reply, { ageMs: dayMs, now })).toEqual({ kind: 'givenUp', code: 'ECONNREFUSED' })
  })
  it('waits as long as it is asked to', () => {
    expect(fateOf(replied(429, '30'), fresh)).toMatchObject({ askedMs: 30_000 })
  })
})

it.each([
  [null, 0],
  ['', 0],
  ['0', 0],
  ['7', 7000],
  [' 7 ', 7000],
  ['-5', 0],
  ['1e9', 0],
  ['soon', 0],
  ['99999999999999999999999', 600_000],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
  ['Thu, 01 Jan 2099 00:00:30 GMT', 600_000],
  ['Thu, 01 Jan 1970 00:00:30 GMT', 0],
])('reads Retry-After %j as %i ms', (header, expected) => {
  expect(retryAfterMs(header, now)).toBe(expected)
})

it("signs as Slack does, by the example in Slack's documentation", () => {
  const body =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
  expect(signatureOf('8f742231b10e8888abcd99yyyzzz85a5', 1531420618, body)).toBe(
    'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  )
})
