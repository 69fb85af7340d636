import nock from 'nock'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLog, createSlackLogger } from '../../src/log.ts'
import { clientOptions, createSlack } from '../../src/slack/client.ts'
import { createAccessCheck } from '../../src/slack/identity.ts'

/** Answers of Slack that the emulator never gives: at the edge of the client, without a server. */

const api = 'https://slack.test'
const slack = createSlack({
  token: 'xoxb-secret-token',
  options: clientOptions({
    apiUrl: `${api}/api/`,
    logger: createSlackLogger(createLog({ level: 'silent' })),
    now: Date.now,
  }),
})
let time = 0
const access = createAccessCheck({ slack, ourTeamId: 'T1', now: () => time })
const checkAccess = access.check
const press = () => checkAccess({ userId: 'U0DANA', teamId: 'T1' }, ['U0DANA'], true)
const answer = (user: unknown) => nock(api).post('/api/users.info').reply(200, { ok: true, user })
const dana = { id: 'U0DANA', team_id: 'T1', name: 'dana' }

beforeEach(() => {
  time += 60_000
  nock.disableNetConnect()
})
afterEach(() => {
  expect(nock.pendingMocks()).toEqual([])
  nock.enableNetConnect()
})

describe('an approver', () => {
  it('is let in as the account that Slack answers for', async () => {
    answer(dana)
    expect(await press()).toBeNull()
  })

  it.each([
    ['another id', { ...dana, id: 'W0DANA' }],
    ['no id', { ...dana, id: undefined }],
    ['nobody', undefined],
  ])('is refused where it answers for %s: one person with two ids would count twice', async (_, user) => {
    answer(user)
    expect(await press()).toMatchObject({ code: 'lookUpFailed' })
  })

  it.each([
    ['another workspace', { ...dana, team_id: 'T2' }, 'notMember'],
    ['no workspace', { ...dana, team_id: undefined }, 'notMember'],
    ['a deactivated account', { ...dana, deleted: true }, 'notMember'],
    ['a bot', { ...dana, is_bot: true }, 'notMember'],
    ['a guest', { ...dana, is_restricted: true }, 'notMember'],
    ['a guest of one channel', { ...dana, is_ultra_restricted: true }, 'notMember'],
    ['a stranger', { ...dana, is_stranger: true }, 'notMember'],
  ])('is refused as %s', async (_, user, code) => {
    answer(user)
    expect(await press()).toMatchObject({ code })
  })

  it('is refused while Slack answers with an error, by its code, and looked up at the next press', async () => {
    nock(api).post('/api/users.info').reply(200, { ok: false, error: 'user_not_found' })
    expect(await press()).toMatchObject({
      code: 'lookUpFailed',
      reason: expect.stringContaining('(user_not_found)'),
    })
    answer(dana)
    expect(await press()).toBeNull()
  })

  it('is refused unlooked-up where the payload names another workspace', async () => {
    for (const teamId of ['T2', null])
      expect(await checkAccess({ userId: 'U0DANA', teamId }, 'everyone', true)).toMatchObject({
        code: 'notMember',
      })
  })
})

describe('look-ups', () => {
  const members = (group: string, users: readonly string[]) =>
    nock(api).post('/api/usergroups.users.list', new RegExp(group)).reply(200, { ok: true, users })
  const pressIn = (...groups: string[]) => checkAccess({ userId: 'U0DANA', teamId: 'T1' }, groups, true)

  it('are shared by presses of somebody who is refused, for five seconds', async () => {
    answer(dana)
    members('S1', [])
    for (const refused of await Promise.all([pressIn('S1'), pressIn('S1'), pressIn('S1')]))
      expect(refused).toMatchObject({ code: 'notAllowed' })
    time += 4_999
    expect(await pressIn('S1')).toMatchObject({ code: 'notAllowed' })
    time += 1
    answer(dana)
    members('S1', ['U0DANA'])
    expect(await pressIn('S1')).toBeNull()
  })

  it('let somebody in for one press only: who was removed a moment ago is refused', async () => {
    answer(dana)
    members('S1', ['U0DANA'])
    answer(dana)
    members('S1', [])
    expect(await Promise.all([pressIn('S1'), pressIn('S1')])).toEqual([
      null,
      expect.objectContaining({ code: 'notAllowed' }),
    ])
  })

  it('of a group that Slack does not know lock out nobody in another, let nobody in, and are named', async () => {
    const unknown = () =>
      nock(api).post('/api/usergroups.users.list', /S2/).reply(200, { ok: false, error: 'no_such_subteam' })
    answer(dana)
    unknown()
    members('S1', ['U0DANA'])
    expect(await pressIn('S2', 'S1')).toBeNull()
    expect([...access.unreadable()]).toEqual([['S2', 'no_such_subteam']])
    answer(dana)
    unknown()
    expect(await pressIn('S2')).toMatchObject({
      code: 'lookUpFailed',
      reason: expect.stringContaining('S2 (no_such_subteam)'),
    })
    answer(dana)
    members('S2', ['U0DANA'])
    expect(await pressIn('S2')).toBeNull()
    expect([...access.unreadable()]).toEqual([])
  })

  it('of members hold for five seconds for who only reads, never for who decides', async () => {
    const read = (userId: string) => {
      answer({ ...dana, id: userId })
      return checkAccess({ userId, teamId: 'T1' }, ['S1'], false)
    }
    members('S1', ['U0DANA', 'U0KIM'])
    expect(await read('U0DANA')).toBeNull()
    time += 4_999
    expect(await read('U0KIM')).toBeNull()
    answer(dana)
    members('S1', ['U0KIM'])
    expect(await pressIn('S1')).toMatchObject({ code: 'notAllowed' })
    time += 5_000
    members('S1', ['U0DANA'])
    expect(await read('U0KIM')).toMatchObject({ code: 'notAllowed' })
  })

  it('of a group that fail for the moment refuse, and do not call the group unreadable', async () => {
    answer(dana)
    nock(api).post('/api/usergroups.users.list').reply(200, { ok: false, error: 'internal_error' })
    expect(await pressIn('S1')).toMatchObject({
      code: 'lookUpFailed',
      reason: expect.stringContaining('(internal_error); try again'),
    })
    expect([...access.unreadable()]).toEqual([])
  })

  it('of a group that Slack does not know any more count for no reader either', async () => {
    answer(dana)
    members('S1', ['U0DANA'])
    expect(await pressIn('S1')).toBeNull()
    for (const fresh of [true, false]) {
      answer(dana)
      nock(api).post('/api/usergroups.users.list').reply(200, { ok: false, error: 'no_such_subteam' })
      expect(await checkAccess({ userId: 'U0DANA', teamId: 'T1' }, ['S1'], fresh)).toMatchObject({
        code: 'lookUpFailed',
      })
    }
  })
})
