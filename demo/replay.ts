import type { Workspace } from 'slack-workspace'
import type { Config } from '../src/config/config.ts'
import { readStore } from '../src/store/reading.ts'
import type { GameDay, Played } from './gameday.ts'
import { incidentOf } from './report.ts'
import type { Director } from './trouble/director.ts'

/** Statement that would have prevented the trouble of a round, as the bot says it. */
export type Lesson = {
  readonly statement: string
  /** Seconds after which the setting ends the trouble; null where that is longer than one looks on. */
  readonly seconds: number | null
}

/**
 * End of the same trouble with the setting: by itself, with somebody at it, not at all; or it could not even begin.
 */
export type Ending = {
  readonly how: 'itself' | 'helped' | 'stayed' | 'absent'
  readonly seconds: number
}

export type ReplayState =
  /** Before a round, and until the bot has said what would have prevented it. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'none' }
  | { readonly kind: 'offered'; readonly lesson: Lesson; readonly ending: Ending | null }
  | { readonly kind: 'playing'; readonly lesson: Lesson }

/** The trouble of a round, played again with the setting that would have prevented it. */
export type Replay = {
  /** Applies the statement, as the bot never does, and plays. Rejects where there is nothing to play again. */
  start(): Promise<void>
  /** Ends what plays. Resolves when the setting is taken back. */
  end(): Promise<void>
  state(): ReplayState
  /** Takes note of a look at the server; called after the game day. */
  tick(): void
}

/** Takes back every setting that was made here, on the primary. */
export const takeBackSettings = 'ALTER ROLE shop IN DATABASE orders RESET ALL'

/** Only this the room runs, of all that the bot may advise. Less than a minute is written in seconds. */
const applicable = /^ALTER ROLE shop IN DATABASE orders SET \w+ = '(\d+)s';/

/** Seconds beyond the setting's own after which it has not helped. */
const patience = 15

export function createReplay(options: {
  readonly director: Director
  readonly gameDay: Pick<GameDay, 'played'>
  readonly workspace: Pick<Workspace, 'onChange'>
  /** Resolves with null where nothing is advised, and with undefined where that is not known yet. */
  readonly lessonOf: (played: Played) => Promise<Lesson | null | undefined>
  /** Runs a statement as the superuser of the server. */
  readonly run: (sql: string) => Promise<unknown>
  readonly changed: () => void
  readonly now?: () => number
}): Replay {
  const { director, gameDay, lessonOf, run, changed, now = Date.now } = options
  let round: Played | null = null
  let lesson: Lesson | null | undefined
  let isAsking = false
  /** `since`: null while the stage is set. */
  let playing: { since: number | null; moved: boolean } | null = null
  let ending: Ending | null = null
  let isSet = false
  let cleaning: Promise<unknown> = Promise.resolve()

  options.workspace.onChange(({ kind }) => {
    if (playing && kind === 'interaction') playing.moved = true
  })

  const learn = async () => {
    const latest = gameDay.played()
    if (latest !== round) {
      round = latest
      lesson = undefined
      ending = null
    }
    if (latest === null || lesson !== undefined || isAsking) return
    isAsking = true
    const found = await lessonOf(latest).catch(() => undefined)
    isAsking = false
    if (found === undefined || round !== latest) return
    lesson = found
    changed()
  }
  const takeBack = async () => {
    if (isSet) await run(takeBackSettings)
    isSet = false
  }
  const finish = (how: Ending | null) => {
    playing = null
    ending = how
    changed()
    // What fails here is tried again before anything else is played.
    cleaning = director
      .stop(round?.id ?? '')
      .then(takeBack)
      .catch(() => {})
  }

  return {
    start: async () => {
      const known = lesson
      if (!round || !known || known.seconds === null || playing)
        throw new Error('there is nothing to play again')
      const { id } = round
      const play = { since: null as number | null, moved: false }
      playing = play
      ending = null
      changed()
      try {
        await cleaning
        await director.stopAll()
        if (playing !== play) return
        isSet = true
        await run(known.statement)
        // It was ended meanwhile.
        if (playing !== play) return takeBack()
        play.since = now()
        // With the setting it may never be there as it was: how it ends is seen.
        director.start(id).catch(() => {})
      } catch (error) {
        finish(null)
        throw error
      }
    },
    end: async () => {
      if (playing) finish(null)
      await cleaning
      await takeBack()
    },
    state: () => {
      if (lesson === undefined) return { kind: 'unknown' }
      if (lesson === null) return { kind: 'none' }
      return playing ? { kind: 'playing', lesson } : { kind: 'offered', lesson, ending }
    },
    tick: () => {
      void learn()
      if (!playing || playing.since === null || !round) return
      const { id } = round
      const phase = director.playing().find((one) => one.id === id)?.phase
      const seconds = (now() - playing.since) / 1000
      if (phase === undefined || phase === 'stopping') finish(null)
      else if (phase === 'over') finish({ how: playing.moved ? 'helped' : 'itself', seconds })
      else if (seconds > (lesson?.seconds ?? 0) + patience)
        finish({ how: phase === 'starting' ? 'absent' : 'stayed', seconds })
    },
  }
}

/** Reads what the bot says on the card of a round, once that is over. */
export async function roundLesson(played: Played, { store }: Config): Promise<Lesson | null | undefined> {
  const all = await readStore(store, ({ incidents }) => incidents.latest(null, 50))
  const incident = incidentOf(played, all ?? [])
  if (incident === null) return null
  if (incident.resolvedAt === null) return undefined
  const { prevention: statement } = incident
  if (!statement) return null
  const seconds = applicable.exec(statement)?.[1]
  return { statement, seconds: seconds ? Number(seconds) : null }
}
