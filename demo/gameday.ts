import type { Workspace } from 'slack-workspace'
import type { Loss } from './trouble/actor.ts'
import type { Director } from './trouble/director.ts'
import type { Scenario } from './trouble/scenario.ts'

export type Report = {
  readonly title: string
  readonly cause: string
  /** Seconds from the moment the trouble was there; null where it never came. */
  readonly seenAfter: number | null
  /** A mention in Slack, or the pager. */
  readonly calledAfter: number | null
  readonly firstMoveAfter: number | null
  readonly endedAfter: number | null
  /** Work that was lost, and that the gentlest way would have lost. */
  readonly losses: readonly Loss[]
  readonly gentlest: readonly Loss[]
  readonly gentlestWords: string
  readonly wasGentlest: boolean
}

export type GameDayState =
  | { readonly kind: 'idle'; readonly report: Report | null }
  | { readonly kind: 'preparing' }
  | {
      readonly kind: 'playing'
      readonly story: string
      readonly since: number
      readonly seen: boolean
      readonly called: boolean
    }

/** Round that was played last: which trouble, since when, milliseconds, and with which sessions. */
export type Played = { readonly id: string; readonly since: number; readonly pids: ReadonlySet<number> }

export type GameDay = {
  /** Stops all other trouble and plays one whose name stays hidden. Rejects when one plays already. */
  start(): Promise<void>
  giveUp(): Promise<void>
  state(): GameDayState
  /** The round that is over; null before the first one, and while one is played. */
  played(): Played | null
  /** Takes note that somebody is called outside of Slack. */
  called(): void
  /** Takes note of a look at the server; called after the director has seen it. */
  tick(): void
}

type Round = {
  readonly scenario: Scenario
  readonly since: number
  seenAt: number | null
  calledAt: number | null
  movedAt: number | null
  readonly pids: Set<number>
}

/** Extra work, beyond the gentlest way, that still counts as the gentlest way. Seconds. */
const tolerance = 1

export function createGameDay(options: {
  readonly scenarios: readonly Scenario[]
  readonly director: Director
  readonly workspace: Pick<Workspace, 'onChange' | 'seed'>
  readonly changed: () => void
  readonly now?: () => number
  readonly random?: () => number
}): GameDay {
  const { director, workspace, changed, now = Date.now, random = Math.random } = options
  const playable = options.scenarios.filter(({ gentlest }) => gentlest !== null)
  let round: Round | null = null
  let preparing = false
  let report: Report | null = null
  let played: Played | null = null
  let lastId = ''

  workspace.onChange((change) => {
    if (round === null) return
    if (change.kind === 'interaction') round.movedAt ??= now()
    if (change.kind !== 'message' || change.message.user !== workspace.seed.app.botUserId) return
    const words = JSON.stringify(change.message)
    if (/"type":"(?:user|usergroup)"/.test(words)) round.calledAt ??= now()
    const { id, card } = round.scenario
    const isNamed = director.pidsOf(id).some((pid) => new RegExp(`\\b${pid}\\b`).test(words))
    if (isNamed || card?.test(change.message.text)) round.seenAt ??= now()
  })

  const finish = (ended: boolean) => {
    const over = round
    if (over === null) return
    round = null
    const { scenario, since, seenAt, calledAt, movedAt, pids } = over
    played = { id: scenario.id, since, pids }
    const after = (at: number | null) => (at === null ? null : Math.max(0, (at - since) / 1000))
    const { losses, gentlest } = director.damage(scenario.id)
    const sum = (all: readonly Loss[]) => all.reduce((seconds, loss) => seconds + loss.seconds, 0)
    report = {
      title: scenario.title,
      cause: scenario.cause,
      seenAfter: after(seenAt),
      calledAfter: after(calledAt),
      firstMoveAfter: after(movedAt),
      endedAfter: ended ? after(now()) : null,
      losses,
      gentlest,
      gentlestWords: scenario.gentlest?.words ?? '',
      wasGentlest:
        ended &&
        losses.length <= gentlest.length &&
        // Where a cancel would have done, nobody had to lose the session.
        (losses.every(({ how }) => how === 'cancelled') ||
          gentlest.some(({ how }) => how === 'terminated')) &&
        sum(losses) <= sum(gentlest) + tolerance,
    }
    changed()
  }

  return {
    start: async () => {
      if (round || preparing) throw new Error('a game day is being played')
      preparing = true
      report = null
      played = null
      changed()
      try {
        await director.stopAll()
        const choices = playable.filter(({ id }) => id !== lastId)
        const scenario = choices[Math.floor(random() * choices.length)]
        if (!scenario) throw new Error('there is no trouble to play')
        lastId = scenario.id
        await director.start(scenario.id)
        round = { scenario, since: now(), seenAt: null, calledAt: null, movedAt: null, pids: new Set() }
      } finally {
        preparing = false
        changed()
      }
    },
    giveUp: async () => {
      const id = round?.scenario.id
      finish(false)
      if (id) await director.stop(id)
    },
    state: () => {
      if (preparing) return { kind: 'preparing' }
      if (!round) return { kind: 'idle', report }
      const { scenario, since, seenAt, calledAt } = round
      return {
        kind: 'playing',
        story: scenario.story,
        since,
        seen: seenAt !== null,
        called: calledAt !== null,
      }
    },
    played: () => played,
    called: () => {
      if (round) round.calledAt ??= now()
    },
    tick: () => {
      const id = round?.scenario.id
      for (const pid of id ? director.pidsOf(id) : []) round?.pids.add(pid)
      if (!id || director.playing().find((one) => one.id === id)?.phase !== 'over') return
      // What is left of it goes on as after a real incident, until somebody stops it or plays again.
      finish(true)
    },
  }
}
