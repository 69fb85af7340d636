import type { Browser } from 'playwright-core'
import type { Change } from 'slack-workspace'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  hasBrowser,
  listenForProblems,
  openBrowser,
  seriousFaults,
} from '../../packages/slack-workspace/test/browser.ts'
import { converse } from '../../test/support/harness.ts'
import { waitFor } from '../../test/support/postgres.ts'
import { createAdmin } from '../admin.ts'
import type { Played } from '../gameday.ts'
import { createReplay, type Lesson, takeBackSettings } from '../replay.ts'
import { openPracticeRoom, type PracticeRoom } from '../room.ts'
import type { Director, Phase } from '../trouble/director.ts'

const statement = "ALTER ROLE shop IN DATABASE orders SET idle_in_transaction_session_timeout = '10s';"

/** A replay with a clock, a stage and a bot of our own, after a round of `chain`. */
async function rehearse(
  { lesson }: { lesson: Lesson | null | undefined } = { lesson: { statement, seconds: 10 } },
) {
  let now = 0
  let phase: Phase | null = null
  let played: Played | null = { id: 'chain', since: 0, pids: new Set() }
  let tell: (change: Change) => void = () => {}
  const done: string[] = []
  const director: Director = {
    start: async (id) => {
      done.push(`start ${id}`)
      phase = 'running'
    },
    stop: async (id) => {
      done.push(`stop ${id}`)
      phase = null
    },
    stopAll: async () => {
      done.push('stop all')
    },
    playing: () => (phase ? [{ id: 'chain', phase, sessions: 2, waiting: 1 }] : []),
    saw: () => {},
    pidsOf: () => [],
    damage: () => ({ losses: [], gentlest: [] }),
    onChange: () => {},
    abandon: () => {},
  }
  const run = vi.fn(async (sql: string) => void done.push(sql))
  const replay = createReplay({
    director,
    gameDay: { played: () => played },
    workspace: {
      onChange: (listener) => {
        tell = listener
        return () => {}
      },
    },
    lessonOf: async () => lesson,
    run,
    changed: () => {},
    now: () => now,
  })
  const look = async (seconds: number, seen: Phase | null = phase) => {
    now = seconds * 1000
    phase = seen
    replay.tick()
    await new Promise(setImmediate)
  }
  const ending = () => {
    const state = replay.state()
    return state.kind === 'offered' ? state.ending : state.kind
  }
  await look(0)
  return {
    ...{ replay, run, done, look, ending },
    moves: () => tell({ kind: 'interaction', user: 'U0RESP' }),
    forget: () => {
      played = null
    },
  }
}

describe('a replay', () => {
  it('sets what the bot says, plays the same, sees it end by itself, and takes the setting back', async () => {
    const { replay, done, look, ending } = await rehearse()
    expect(ending()).toBeNull()
    await replay.start()
    expect(ending()).toBe('playing')
    await expect(replay.start()).rejects.toThrow('nothing to play')
    await look(9)
    expect(ending()).toBe('playing')
    await look(10, 'over')
    expect(ending()).toEqual({ how: 'itself', seconds: 10 })
    expect(done).toEqual(['stop all', statement, 'start chain', 'stop chain', takeBackSettings])
    await replay.end()
    expect(done).toHaveLength(5)
  })

  it.each<[string, Phase, unknown]>([
    ['stays', 'running', { how: 'stayed', seconds: 26 }],
    ['never begins', 'starting', { how: 'absent', seconds: 26 }],
    ['is stopped by somebody', 'stopping', null],
  ])('says when it %s', async (_words, phase, wanted) => {
    const { replay, done, look, ending } = await rehearse()
    await replay.start()
    if (wanted) await look(25, phase)
    if (wanted) expect(ending()).toBe('playing')
    await look(26, phase)
    expect(ending()).toEqual(wanted)
    expect(done.at(-1)).toBe(takeBackSettings)
  })

  it('was not by itself where somebody pressed something', async () => {
    const { replay, look, ending, moves } = await rehearse()
    await replay.start()
    moves()
    await look(4, 'over')
    expect(ending()).toEqual({ how: 'helped', seconds: 4 })
    await replay.start()
    await look(15, 'over')
    expect(ending()).toEqual({ how: 'itself', seconds: 11 })
  })

  it('is over before the next round, with its setting', async () => {
    const { replay, done, run, look, ending, forget } = await rehearse()
    await replay.start()
    run.mockRejectedValueOnce(new Error('the server hangs'))
    await replay.end()
    expect(ending()).toBeNull()
    expect(done.filter((sql) => sql === takeBackSettings)).toHaveLength(1)
    forget()
    await look(1)
    expect(ending()).toBe('unknown')
    await expect(replay.start()).rejects.toThrow('nothing to play')
  })

  it('that is ended while its stage is set leaves no setting', async () => {
    const { replay, done } = await rehearse()
    await Promise.all([replay.start(), replay.end()])
    expect(done).toEqual(['stop chain', 'stop all'])
  })

  it('that could not be set is not played', async () => {
    const { replay, done, run, ending } = await rehearse()
    run.mockRejectedValueOnce(new Error('the server hangs'))
    await expect(replay.start()).rejects.toThrow('hangs')
    await replay.end()
    expect(ending()).toBeNull()
    expect(done).toEqual(['stop all', 'stop chain', takeBackSettings])
  })

  it.each([
    [null, 'none'],
    [undefined, 'unknown'],
    [{ statement: 'ALTER SYSTEM SET x = 1', seconds: null }, null],
  ])('%o of the bot is nothing to play', async (lesson, wanted) => {
    const { replay, ending, done } = await rehearse({ lesson })
    expect(ending()).toBe(wanted)
    await expect(replay.start()).rejects.toThrow('nothing to play')
    expect(done).toEqual([])
  })
})

describe.skipIf(!hasBrowser)('after a game day', () => {
  let room: PracticeRoom | undefined
  let browser: Browser | undefined
  const closers: (() => void)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0)) close()
    await browser?.close()
    await room?.stop()
  })

  it('what the bot advises is applied by the room, and the same trouble does not last', async () => {
    ;[room, browser] = await Promise.all([openPracticeRoom({ random: () => 0 }), openBrowser()])
    const { workspace, view, director, postgres } = room
    const { card, press, type, line } = converse(workspace)
    const page = await browser.newPage({ locale: 'en-GB', viewport: { width: 1440, height: 1000 } })
    page.setDefaultTimeout(60_000)
    const problems: string[] = []
    listenForProblems(page, problems)
    await page.goto(room.url)
    const button = (name: string) => page.getByRole('button', { name, exact: true })
    await button('Play').press('Enter')

    // The bot's last look has to find it idle for longer than the least that it advises, 10 s, and it looks every 5 s.
    const checkout = () => view().nodes.find(({ name }) => name === 'checkout')
    await waitFor(() => checkout() !== undefined, 'checkout')
    await waitFor(() => (checkout()?.seconds ?? 0) >= 20, 'checkout is idle for longer than the setting')
    await press('U0DANA', await card('approve_terminate', String(checkout()?.pid)), 'approve_terminate')
    const lesson = page.locator('.lesson')
    // How long it lasted decides the limit: on a busy machine it is a longer one.
    const shown = lesson.getByText(
      /ALTER ROLE shop IN DATABASE orders SET idle_in_transaction_session_timeout = '\d+s';/,
    )
    const [advised = '', limit = ''] =
      /ALTER ROLE .* SET idle_in_transaction_session_timeout = '(\d+s)'/.exec(
        (await shown.first().textContent()) ?? '',
      ) ?? []
    await type('U0RESP', 'advise')
    expect(JSON.stringify(await line(/^What would have prevented/))).toContain(advised)
    const admin = createAdmin(postgres.url)
    closers.push(admin.close)
    const settings = () =>
      admin.query("SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'shop'::regrole")
    expect(await settings()).toEqual([])

    await button('Apply it and play the same again').press('Enter')
    await lesson.getByText(/plays again\. Hands off/).waitFor()
    expect(await page.locator('.report').count()).toBe(0)
    await waitFor(() => director.playing().some(({ waiting }) => waiting > 0), 'they wait')
    expect(await settings()).toEqual([{ setconfig: [`idle_in_transaction_session_timeout=${limit}`] }])
    await lesson.getByText(/^\s*With it the same trouble was over by itself after \d+ s/).waitFor()
    await waitFor(async () => (await settings()).length === 0, 'the setting is taken back')
    expect(await seriousFaults(page)).toEqual([])
    await button('Apply it once more').waitFor()
    expect(problems).toEqual([])
  }, 150_000)
})
