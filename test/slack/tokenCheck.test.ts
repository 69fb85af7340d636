import { expect, it } from 'vitest'
import { SlackError } from '../../src/notify/slackError.ts'
import type { Slack } from '../../src/slack/client.ts'
import { createTokenCheck } from '../../src/slack/tokenCheck.ts'
import { logTo } from '../support/cluster.ts'

it('reports a token that Slack refuses, once, and that it is taken again; an outage says nothing about it', async () => {
  const answers: (SlackError | null)[] = []
  const call: Slack['call'] = async () => {
    const failure = answers.shift()
    if (failure) throw failure
    return undefined as never
  }
  const lines: string[] = []
  const check = createTokenCheck({ slack: { call }, log: logTo(lines) })
  const revoked = new SlackError('token_revoked')
  const down = new SlackError('http_503')
  answers.push(null, down, revoked, down, revoked, null)
  const seen: (string | null)[] = []
  while (answers.length > 0) {
    await check.look()
    seen.push(check.refused())
  }
  expect(seen).toEqual([null, null, 'token_revoked', 'token_revoked', 'token_revoked', null])
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    'Slack refuses the bot token: nothing can be posted; run doctor',
    'Slack takes the bot token again',
  ])
})

it('reports that Slack does not answer, from the second time on: nothing could be said though nobody has tried yet', async () => {
  const answers: (SlackError | null)[] = []
  const call: Slack['call'] = async () => {
    const failure = answers.shift()
    if (failure) throw failure
    return undefined as never
  }
  const check = createTokenCheck({ slack: { call }, log: logTo([]) })
  const away = new SlackError('unreachable')
  const busy = new SlackError('ratelimited', 1000)
  const revoked = new SlackError('token_revoked')
  answers.push(away, null, away, away, away, busy, away, revoked, away, away, null)
  const seen: (string | null)[] = []
  while (answers.length > 0) {
    await check.look()
    seen.push(check.silent())
  }
  const silent = 'unreachable'
  expect(seen).toEqual([null, null, null, silent, silent, null, null, null, null, silent, null])
})
