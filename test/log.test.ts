import { describe, expect, it } from 'vitest'
import { createLog, createSlackLogger } from '../src/log.ts'

/** Everything that was written, one object a line. */
function recorder(level = 'debug') {
  const lines: string[] = []
  const log = createLog({ level, destination: { write: (line) => lines.push(line) } })
  return { log, text: () => lines.join(''), entries: () => lines.map((line) => JSON.parse(line)) }
}

describe('createLog', () => {
  it('writes JSON with the level as a word', () => {
    const { log, entries } = recorder('info')
    log.debug('no')
    log.info({ cluster: 'orders', pid: 42 }, 'looked')
    expect(entries()).toEqual([
      { level: 'info', time: expect.any(String), cluster: 'orders', pid: 42, msg: 'looked' },
    ])
  })

  it.each([
    ['a key', { token: 's3cret' }],
    ['a key deep inside', { a: [{ b: { botToken: 's3cret', SLACK_SIGNING_SECRET: 's3cret' } }] }],
    ['headers', { req: { headers: { authorization: 'Bearer s3cret' } } }],
    ['a statement', { session: { pid: 1, query: "SELECT 's3cret'" }, statement: 's3cret' }],
    ['an address', { at: 'postgres://u:s3cret@db/x' }],
    ['an address with a quote in its password', { at: 'postgres://u:s3cret"@db/x' }],
    ['a bot token in a sentence', { note: 'sent xoxb-s3cret-1 to' }],
    ['an app token', { note: 'xapp-1-s3cret' }],
    ['a rotated token', { note: 'xoxe.xoxp-1-s3cret' }],
    ['a conninfo', { note: 'host=db password=s3cret' }],
    ['a header in a sentence', { note: 'Authorization: Bearer s3cret-1234' }],
    ['a socket address', { url: 'wss://wss-primary.slack.com/link/?ticket=s3cret&app_id=1' }],
    [
      'a response address',
      { responseUrl: 'https://x/s3cret', note: 'https://hooks.slack.com/commands/T1/s3cret' },
    ],
    ['an error', { err: new Error('no connection to postgres://u:s3cret@db') }],
    [
      'an error of an HTTP client',
      { err: Object.assign(new Error('x'), { config: { data: 's3cret' }, data: 's3cret' }) },
    ],
    ['its cause', { err: new Error('x', { cause: new Error('xoxb-s3cret') }) }],
    ['what is nested too deeply', { a: { a: { a: { a: { a: { a: { a: { a: 's3cret' } } } } } } } }],
  ])('keeps secrets out: %s', (_, entry) => {
    const { log, text } = recorder()
    log.info(entry, 'x')
    expect(text()).toContain('"msg":"x"')
    expect(text()).not.toContain('s3cret')
    JSON.parse(text())
  })

  it('keeps secrets out of messages, children and bare errors', () => {
    const { log, text, entries } = recorder()
    log.warn('with %s', 'xoxb-s3cret')
    log.child({ token: 's3cret', at: 'postgres://u:s3cret@db', cluster: 'orders' }).warn('x')
    log.error(Object.assign(new Error('postgres://u:s3cret@db'), { code: '28P01', query: 's3cret' }))
    expect(text()).not.toContain('s3cret')
    expect(entries()[1]).toMatchObject({ cluster: 'orders' })
    expect(entries()[2]).toMatchObject({ err: { type: 'Error', code: '28P01', stack: expect.any(String) } })
  })

  it('leaves everything else as it is', () => {
    const { log, entries } = recorder()
    const entry = {
      at: 'https://slack.com/api/',
      note: 'a@b.c, 12:30, x-oxb',
      none: null,
      list: [1, true],
      query: null,
    }
    log.info(entry)
    expect(entries()[0]).toMatchObject(entry)
  })

  it('takes a long line in its stride', () => {
    const { log, text } = recorder()
    const start = performance.now()
    for (const piece of ['://a:', '://', 'xoxb-', 'password=', 'bearer ', '?ticket=', '\\"'])
      log.info({ note: piece.repeat(200_000 / piece.length) })
    expect(performance.now() - start).toBeLessThan(3_000)
    expect(text().length).toBeGreaterThan(0)
  })
})

describe('createSlackLogger', () => {
  it('keeps payloads out', () => {
    const { log, text, entries } = recorder()
    const slack = createSlackLogger(log)
    slack.setName('web-api')
    slack.debug('Received a message on the WebSocket: {"text":"s3cret"}')
    slack.debug(JSON.stringify({ text: 's3cret' }))
    slack.debug('Error details: s3cret, storedResponse: s3cret')
    slack.debug('ack() call begins (body: s3cret)')
    slack.debug("apiCall('chat.postMessage') start", { text: 's3cret' })
    slack.info('Authorization {"token":"s3cret"}')
    slack.warn('http request failed', 'to many', { body: 's3cret' })
    slack.error(
      Object.assign(new Error('An API error occurred: invalid_auth'), { data: { token: 's3cret' } }),
    )
    expect(text()).not.toContain('s3cret')
    expect(entries().map(({ level, sdk, msg }) => [level, sdk, msg])).toEqual([
      ['debug', 'web-api', 'Received a message on the WebSocket …'],
      ['debug', 'web-api', '…'],
      ['debug', 'web-api', 'Error details …'],
      ['debug', 'web-api', 'ack() call begins …'],
      ['debug', 'web-api', "apiCall('chat.postMessage') start"],
      ['info', 'web-api', 'Authorization …'],
      ['warn', 'web-api', 'http request failed to many'],
      ['error', 'web-api', 'An API error occurred: invalid_auth'],
    ])
  })

  it.each([
    ['trace', 'debug'],
    ['debug', 'debug'],
    ['info', 'info'],
    ['warn', 'warn'],
    ['error', 'error'],
    ['fatal', 'error'],
    ['silent', 'error'],
  ])('at %s says %s', (level, told) => {
    const slack = createSlackLogger(recorder(level).log)
    slack.setLevel('debug' as never)
    expect(slack.getLevel()).toBe(told)
  })
})
