import type { Change, Message } from 'slack-workspace'
import { expect, it, vi } from 'vitest'
import { createGameDay } from '../gameday.ts'
import { team } from '../team.ts'
import type { Loss } from '../trouble/actor.ts'
import type { Director, Phase } from '../trouble/director.ts'
import { scenarios } from '../trouble/index.ts'
import type { Scenario } from '../trouble/scenario.ts'

const lost = (name: string, seconds: number, how: Loss['how'] = 'terminated'): Loss => ({
  name,
  how,
  seconds,
})

/** A game day with a clock, a stage and a workspace of our own. */
function rehearse(
  damage: { losses: readonly Loss[]; gentlest: readonly Loss[] },
  playable: readonly Scenario[] = scenarios,
) {
  let now = 0
  let phase: Phase = 'running'
  let tell: (change: Change) => void = () => {}
  let played = ''
  const director: Director = {
    start: async (id) => {
      played = id
      phase = 'running'
    },
    stop: vi.fn(async () => {}),
    stopAll: vi.fn(async () => {}),
    playing: () => [{ id: played, phase, sessions: 2, waiting: 1 }],
    saw: () => {},
    pidsOf: () => [4711],
    damage: () => damage,
    onChange: () => {},
    abandon: () => {},
  }
  const gameDay = createGameDay({
    scenarios: playable,
    director,
    workspace: {
      seed: team,
      onChange: (listener) => {
        tell = listener
        return () => {}
      },
    },
    changed: () => {},
    now: () => now,
    random: () => 0,
  })
  const says = (text: string) =>
    tell({ kind: 'message', channel: 'C0INCIDENTS', message: { user: 'U0APP', text } as Message })
  return {
    gameDay,
    director,
    says,
    mentions: () =>
      tell({
        kind: 'message',
        channel: 'C0INCIDENTS',
        message: {
          user: 'U0APP',
          text: '',
          blocks: [{ type: 'rich_text', elements: [{ type: 'usergroup', usergroup_id: 'S0DBAONCALL' }] }],
        } as unknown as Message,
      }),
    at: (seconds: number) => {
      now = seconds * 1000
    },
    moves: () => tell({ kind: 'interaction', user: 'U0RESP' }),
    over: () => {
      phase = 'over'
      gameDay.tick()
    },
    report: () => {
      const state = gameDay.state()
      return state.kind === 'idle' ? state.report : null
    },
  }
}

it('reports when it was seen, when it was over, and what was lost beyond the gentlest way', async () => {
  const room = rehearse({ losses: [lost('monthly-report', 40)], gentlest: [lost('migrate', 0)] })
  await room.gameDay.start()
  expect(room.director.stopAll).toHaveBeenCalled()
  expect(room.gameDay.state()).toMatchObject({ kind: 'playing', story: scenarios[0]?.story, seen: false })
  room.at(2)
  room.says('47110 is somebody else')
  room.at(4)
  room.says('4711 blocks 3')
  room.at(9)
  room.moves()
  room.at(12)
  expect(room.gameDay.played()).toBeNull()
  room.over()
  expect(room.gameDay.played()).toEqual({ id: scenarios[0]?.id, since: 0, pids: new Set([4711]) })
  expect(room.report()).toMatchObject({
    seenAfter: 4,
    firstMoveAfter: 9,
    endedAfter: 12,
    losses: [{ name: 'monthly-report', seconds: 40 }],
    wasGentlest: false,
  })
})

it('counts until somebody was called, in Slack or by the pager, whichever was first', async () => {
  const room = rehearse({ losses: [], gentlest: [] })
  await room.gameDay.start()
  room.at(3)
  room.says('a card that mentions nobody')
  expect(room.gameDay.state()).toMatchObject({ called: false })
  room.at(5)
  room.gameDay.called()
  room.at(7)
  room.mentions()
  expect(room.gameDay.state()).toMatchObject({ called: true })
  room.over()
  expect(room.report()).toMatchObject({ calledAfter: 5 })
  await room.gameDay.start()
  room.at(9)
  room.mentions()
  room.at(10)
  room.over()
  expect(room.report()).toMatchObject({ calledAfter: 2 })
  await room.gameDay.start()
  room.over()
  expect(room.report()).toMatchObject({ calledAfter: null })
})

it('knows the gentlest way, and does not play the same one twice in a row', async () => {
  const room = rehearse({ losses: [lost('checkout', 0.2)], gentlest: [lost('checkout', 0.2)] })
  await room.gameDay.start()
  room.over()
  expect(room.report()).toMatchObject({ title: scenarios[0]?.title, wasGentlest: true, seenAfter: null })
  await room.gameDay.start()
  expect(room.gameDay.state()).toMatchObject({ story: scenarios[1]?.story })
  await expect(room.gameDay.start()).rejects.toThrow('is being played')
})

it('a session that was terminated where a cancel would have done was not the gentlest way', async () => {
  const room = rehearse({
    losses: [lost('analytics', 9, 'terminated')],
    gentlest: [lost('analytics', 9, 'cancelled')],
  })
  await room.gameDay.start()
  room.over()
  expect(room.report()).toMatchObject({ wasGentlest: false })
})

it('trouble whose card names no session is seen by the words of its card', async () => {
  const full = scenarios.filter(({ id }) => id === 'full-server')
  const room = rehearse({ losses: [], gentlest: [] }, full)
  await room.gameDay.start()
  room.at(2)
  room.says('🟢 Resolved: orders accepted no connections')
  room.at(3)
  room.says('🔴 orders accepts no connections')
  room.over()
  expect(room.report()).toMatchObject({ seenAfter: 3 })
})

it('can be given up', async () => {
  const room = rehearse({ losses: [], gentlest: [] })
  await room.gameDay.start()
  await room.gameDay.giveUp()
  expect(room.report()).toMatchObject({ endedAfter: null, wasGentlest: false })
  expect(room.director.stop).toHaveBeenCalledWith(scenarios[0]?.id)
})
