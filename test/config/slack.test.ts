import { describe, expect, it } from 'vitest'
import { ConfigError, type Env, requireSlack } from '../../src/config/config.ts'

describe('requireSlack', () => {
  const socket = { slack: { mode: 'socket' } } as const
  const http = { slack: { mode: 'http' } } as const
  const failure = (config: typeof socket | typeof http, env: Env): readonly string[] => {
    try {
      requireSlack(config, env)
    } catch (error) {
      if (error instanceof ConfigError) return error.problems
    }
    return []
  }

  it('takes what the mode needs', () => {
    const env = { SLACK_BOT_TOKEN: ' xoxb-1\n', SLACK_APP_TOKEN: 'xapp-1', SLACK_SIGNING_SECRET: 'abc' }
    expect(requireSlack(socket, env)).toEqual({ mode: 'socket', botToken: 'xoxb-1', appToken: 'xapp-1' })
    expect(requireSlack(http, { ...env, SLACK_API_URL: 'http://127.0.0.1:4000/api' })).toEqual({
      mode: 'http',
      botToken: 'xoxb-1',
      signingSecret: 'abc',
      apiUrl: 'http://127.0.0.1:4000/api/',
    })
  })

  it('lists all that is missing', () => {
    const names = (problems: readonly string[]) => problems.map((problem) => problem.split(':')[0])
    expect(names(failure(socket, {}))).toEqual(['SLACK_BOT_TOKEN', 'SLACK_APP_TOKEN'])
    expect(names(failure(http, { SLACK_BOT_TOKEN: 'xoxb-1' }))).toEqual(['SLACK_SIGNING_SECRET'])
  })

  it('sees a token in the wrong place, and shows none', () => {
    const found = failure(socket, {
      SLACK_BOT_TOKEN: 'xapp-s3cret',
      SLACK_APP_TOKEN: 'xoxb-s3cret',
      SLACK_API_URL: 'slack',
    })
    expect(found.join('\n')).not.toContain('s3cret')
    expect(found[0]).toMatch(/^SLACK_BOT_TOKEN: This is an app-level or a user token\. /)
    expect(found[2]).toMatch(/^SLACK_APP_TOKEN: This is a bot or a user token\. /)
    expect(found[1]).toMatch(/^SLACK_API_URL: Write an http or https address/)
    expect(failure(http, { SLACK_BOT_TOKEN: '"xoxb-1"', SLACK_SIGNING_SECRET: 'x' })).toEqual([
      'SLACK_BOT_TOKEN: The value starts with a quote. Set it without quotes.',
    ])
  })
})
