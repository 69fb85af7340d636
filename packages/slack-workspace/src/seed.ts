import type { Seed } from './types.ts'

/** The app's own words when an interaction was not acknowledged come from Slackbot. */
export const slackbot = 'USLACKBOT'

/** A small company with an incident channel, people of every kind, and somebody on call. */
export const exampleTeam: Seed = {
  team: { id: 'T0DEMO', name: 'Example team', domain: 'example-team' },
  app: { id: 'A0APP', name: 'Example app', botId: 'B0APP', botUserId: 'U0APP' },
  users: [
    { id: 'U0RESP', teamId: 'T0DEMO', name: 'riley', realName: 'Riley', title: 'responder' },
    { id: 'U0DANA', teamId: 'T0DEMO', name: 'dana', realName: 'Dana', title: 'approver, DBA' },
    { id: 'U0DEVI', teamId: 'T0DEMO', name: 'devi', realName: 'Devi', title: 'second approver, DBA' },
    { id: 'U0GUEST', teamId: 'T0DEMO', name: 'gale', realName: 'Gale', title: 'guest', isRestricted: true },
    {
      id: 'U0SINGLE',
      teamId: 'T0DEMO',
      name: 'sol',
      realName: 'Sol',
      title: 'guest of one channel',
      isRestricted: true,
      isUltraRestricted: true,
    },
    {
      id: 'U0STRANGER',
      teamId: 'T0OTHER',
      name: 'xan',
      realName: 'Xan',
      title: 'of another company',
      isStranger: true,
    },
    { id: 'U0GONE', teamId: 'T0DEMO', name: 'gus', realName: 'Gus', title: 'left last year', deleted: true },
    { id: 'U0OTHERBOT', teamId: 'T0DEMO', name: 'deploybot', realName: 'Deploy Bot', isBot: true },
  ],
  channels: [
    {
      id: 'C0INCIDENTS',
      name: 'incidents',
      topic: 'What is on fire, and who holds the hose',
      members: ['U0APP', 'U0RESP', 'U0DANA', 'U0DEVI', 'U0GUEST', 'U0SINGLE', 'U0STRANGER'],
    },
    {
      id: 'C0RANDOM',
      name: 'random',
      topic: 'The bot is not in here',
      members: ['U0RESP', 'U0DANA', 'U0DEVI', 'U0GUEST'],
    },
    { id: 'G0DBA', name: 'dba-team', kind: 'private', members: ['U0DANA', 'U0DEVI'] },
  ],
  userGroups: [{ id: 'S0DBAONCALL', handle: 'dba-oncall', name: 'DBA on call', users: ['U0DEVI'] }],
}
