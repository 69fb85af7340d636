import nock from 'nock'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLog, createSlackLogger } from '../../src/log.ts'
import { SlackError } from '../../src/notify/slackError.ts'
import { clientOptions, createSlack, retryAfterSeconds } from '../../src/slack/client.ts'

/** What Slack may answer and the emulator never does: at the edge of the client, without a server. */

const api = 'https://slack.test'
const told: string[] = []
const slack = createSlack({
  token: 'xoxb-secret-token',
  options: clientOptions({
    apiUrl: `${api}/api/`,
    logger: createSlackLogger(createLog({ level: 'silent' })),
    now: Date.now,
  }),
  onError: ({ code }) => told.push(code),
})
const post = () => slack.post('C1', null, { text: 'card', blocks: [] }, 'id')
const failureOf = async (call: Promise<unknown>): Promise<SlackError> => {
  const error = await call.catch((error: unknown) => error)
  if (!(error instanceof SlackError)) throw new Error('no SlackError', { cause: error })
  return error
}
const answer = (method: string) => nock(api).post(`/api/${method}`)

beforeEach(() => nock.disableNetConnect())
afterEach(() => {
  expect(nock.pendingMocks()).toEqual([])
  nock.cleanAll()
  nock.enableNetConnect()
  told.length = 0
})

describe('a call that Slack does not take', () => {
  it.each([
    ['not_in_channel', false],
    ['is_archived', false],
    ['token_revoked', false],
    ['invalid_blocks', false],
    ['a_code_of_tomorrow', false],
    ['ratelimited', true],
    ['message_limit_exceeded', true],
    ['internal_error', true],
    ['fatal_error', true],
    ['service_unavailable', true],
    ['request_timeout', true],
  ])('ok: false, %s', async (code, retryable) => {
    answer('chat.postMessage').reply(200, { ok: false, error: code })
    expect(await failureOf(post())).toMatchObject({ code, retryable, retryAfterMs: 0 })
    expect(told).toEqual([code])
  })

  it.each([
    [500, true],
    [502, true],
    [503, true],
    [404, false],
    [413, false],
  ])('HTTP %i, whatever its body says', async (status, retryable) => {
    answer('chat.postMessage').reply(status, '<html>Bad gateway</html>', { 'content-type': 'text/html' })
    expect(await failureOf(post())).toMatchObject({ code: `http_${status}`, retryable, retryAfterMs: 0 })
  })

  it.each(['null', '7', '[]', '', '<html>Log in to the hotel</html>', '{"error":"x"}'])(
    'HTTP 200 with what is no answer of Slack: %s',
    async (body) => {
      answer('chat.postMessage').reply(200, body)
      expect(await failureOf(post())).toMatchObject({ code: 'not_an_answer', retryable: true })
    },
  )

  it('HTTP 429 waits as long as Slack asks, and is not tried again by the client itself', async () => {
    answer('chat.update').reply(429, '', { 'retry-after': '42' })
    expect(await failureOf(slack.update('C1', '1.1', { text: '', blocks: [] }))).toMatchObject({
      code: 'ratelimited',
      retryable: true,
      retryAfterMs: 42_000,
    })
  })

  it.each([
    ['none', undefined, 0],
    ['an empty one', '', 0],
    ['one that is no number', 'soon', 0],
    ['a negative one', '-5', 0],
    ['none to wait', '0', 0],
    ['a fraction', '1.5', 2000],
    ['an hour', '3600', 300_000],
    ['a number without end', '9'.repeat(400), 300_000],
  ])('HTTP 429 whose Retry-After is not as usual: %s', async (_, header, retryAfterMs) => {
    answer('chat.postMessage').reply(429, 'slow down', header === undefined ? {} : { 'retry-after': header })
    expect(await failureOf(post())).toMatchObject({ code: 'ratelimited', retryable: true, retryAfterMs })
  })

  it.each([
    ['Thu, 01 Jan 1970 00:01:30 GMT', 30],
    ['Thu, 01 Jan 1970 12:00:00 GMT', 300],
    ['Thu, 01 Jan 1970 00:00:30 GMT', 0],
    ['1.2.3', 0],
    [null, 0],
  ])('a Retry-After may be a date: %s', (header, expected) => {
    expect(retryAfterSeconds(header, 60_000)).toBe(expected)
  })

  it.each(['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT'])(
    'a network that fails: %s',
    async (code) => {
      answer('chat.postMessage').replyWithError(Object.assign(new Error(code), { code }))
      expect(await failureOf(post())).toMatchObject({ code: 'unreachable', retryable: true })
    },
  )

  it('a success without the ts of the message is none', async () => {
    answer('chat.postMessage').reply(200, { ok: true })
    expect(await failureOf(post())).toMatchObject({ code: 'no_ts', retryable: true })
  })

  it('never tells the token', async () => {
    answer('auth.test').reply(200, { ok: false, error: 'invalid_auth' })
    const failure = await failureOf(slack.call((client) => client.auth.test()))
    expect(`${failure.message} ${failure.stack}`).not.toContain('secret')
  })
})

describe('a look for a message', () => {
  const find = () => slack.find('C1', null, 'id', 0)

  it.each(['missing_scope', 'not_in_channel', 'channel_not_found'])(
    'that may not be made finds nothing: %s',
    async (error) => {
      answer('conversations.history').reply(200, { ok: false, error })
      expect(await find()).toBeNull()
    },
  )

  it('that fails for now says so: what cannot be seen may be there', async () => {
    answer('conversations.history').reply(503, '')
    expect(await failureOf(find())).toMatchObject({ code: 'http_503', retryable: true })
  })
})

describe('whether a message stands', () => {
  const stands = () => slack.stands('C1', '1.1')

  it('is known when Slack has a link to it, or none', async () => {
    answer('chat.getPermalink').reply(200, { ok: true, channel: 'C1', permalink: 'https://slack.test/p1' })
    expect(await stands()).toBe(true)
    answer('chat.getPermalink').reply(200, { ok: false, error: 'message_not_found' })
    expect(await stands()).toBe(false)
  })

  it.each(['channel_not_found', 'internal_error'])('is not known: %s', async (error) => {
    answer('chat.getPermalink').reply(200, { ok: false, error })
    expect(await failureOf(stands())).toMatchObject({ code: error })
  })
})
