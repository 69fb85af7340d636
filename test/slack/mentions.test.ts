import { describe, expect, it } from 'vitest'
import { readMention } from '../../src/slack/mentions.ts'

const event = { type: 'app_mention', user: 'U0RESP', team: 'T0', text: '<@U0BOT>', ts: '1.5', channel: 'C1' }
const read = (over: object, bot: string | undefined = 'U0BOT') =>
  readMention({ ...event, ...over }, 'T0', bot)

describe('a mention', () => {
  it.each([
    ['<@U0BOT>', ''],
    ['<@U0BOT|pg-marshal> sessions', 'sessions'],
    ['hey <@U0BOT>: blocking --app web', 'blocking --app web'],
    ['<@U0BOT> /pg session 4312', 'session 4312'],
    ['<@U0BOT> /pg', ''],
    ['<@U0BOT> Terminate 4312 a &lt;b&gt; &amp;amp; c', 'Terminate 4312 a <b> &amp; c'],
    [
      '<@U0BOT> sessions --app <http://shop.example|shop.example> --user <https://a.example>',
      'sessions --app shop.example --user https://a.example',
    ],
    ['<@U0BOT> sessions --user <mailto:a@b.example|a@b.example>', 'sessions --user a@b.example'],
    ['sessions', ''],
    ['<@U0BOT> what is wrong?', ''],
    ['sessions <@U0BOT>', ''],
    ['<@U0OTHER> sessions <@U0BOT> thanks', ''],
    ['<@U0OTHER> and <@U0BOT> idle', 'idle'],
  ])('%j asks for %j', (text, typed) => {
    expect(read({ text })?.typed).toBe(typed)
  })

  it('is found without knowing who we are', () => {
    expect(readMention({ ...event, text: 'hey <@U0BOT> sessions' }, 'T0', undefined)?.typed).toBe('sessions')
  })

  it('is answered in its thread, which may be new', () => {
    expect(read({})).toEqual({
      ...{ caller: { userId: 'U0RESP', teamId: 'T0' }, channel: 'C1', typed: '' },
      ...{ threadTs: '1.5', inThread: false },
    })
    expect(read({ thread_ts: '1.1' })).toMatchObject({ threadTs: '1.1', inThread: true })
  })

  it('is from whom Slack says, of their workspace', () => {
    expect(read({ user_team: 'T1' })?.caller.teamId).toBe('T1')
    expect(read({ team: 'T2' })?.caller.teamId).toBe('T2')
    expect(read({ team: undefined })?.caller.teamId).toBe('T0')
    expect(readMention({ ...event, team: undefined }, undefined, 'U0BOT')?.caller.teamId).toBe(null)
  })

  it('of a bot, of an edit, or of nobody is none', () => {
    for (const over of [{ bot_id: 'B1' }, { edited: { ts: '2' } }, { user: undefined }, { text: 7 }])
      expect(read(over)).toBeNull()
  })
})
