import type { Caller } from '../actions/authorize.ts'
import type { HomeMemory, HomeReader } from '../answers/home.ts'
import type { Log } from '../log.ts'
import { SlackError } from '../notify/slackError.ts'
import { storeFailureOf } from '../store/failure.ts'
import { homeBlocks, homeView, noHomeBlocks } from '../views/home.ts'
import type { Block, View } from '../views/kit.ts'
import type { Slack } from './client.ts'
import type { Reply } from './replies.ts'
import type { Rights, RightsOf } from './rights.ts'

/** App Homes: one for each person, published anew while somebody may be looking at it. */
export type Homes = {
  /**
   * Somebody opened their Home, or pressed a button there: it is published as it is now, and followed for a while.
   * @param hash state of the view that they see, where Slack said it
   */
  opened(caller: Caller, hash: string | null): Promise<void>
  /** Something changed of what Homes show. */
  changed(): void
  /** Answers a press on a Home there, and another way where it cannot be published. */
  replyOn(caller: Caller, otherwise: Reply): Reply
  /** Answers what may have begun on a Home, in a modal that does not say: there as well, if it was used a moment ago. */
  replyAlsoOn(caller: Caller, reply: Reply): Reply
  /** Publishes the Homes that show something else than they should. To be called about every second. */
  round(): Promise<void>
}

/** Time for which a Home is followed after it was opened. */
const followMs = 15 * 60_000
const answerStaysMs = 2 * 60_000
/** Time for which somebody is taken to look on. */
const aMomentMs = 5 * 60_000
/** The same Home is not published again by itself within this time. */
const gapMs = 2000
/** A Home that is opened again so soon, and shows the same, is left alone. */
const asOfStaysMs = 60_000
/** Time after which it is looked up again what somebody may see; sooner where Slack could not say. */
const rightsStayMs = 60_000
const unknownStayMs = 10_000
/** Look-ups are made together, since they share the members of groups; and few, since the presses of approvers come first. */
const lookUpEveryMs = 10_000
const mostLookUps = 10
/** Calls at the same time. */
const mostAtOnce = 8
const mostHomes = 1000

/**
 * `views.publish` may be called 100 times a minute: https://docs.slack.dev/reference/methods/views.publish. So many at once and
 * so many a second make no more than that in any minute; the last few are for people who open their Home.
 */
const budget = { most: 40, perSecond: 1, keptForOpening: 10 } as const

/** Time for which a look-up is believed. */
const stays = ({ refusal }: Rights) => (refusal?.code === 'lookUpFailed' ? unknownStayMs : rightsStayMs)

const seesNothing = ({ rights }: Pick<Home, 'rights'>) => rights?.value.sees.size === 0

type Home = {
  readonly caller: Caller
  openedAt: number
  rights: { readonly at: number; readonly value: Rights } | null
  answer: { readonly until: number; readonly view: View } | null
  /** Content that stands there; null while that is not known. */
  shown: string | null
  shownAt: number
  hash: string | null
  /** The change that it shows. */
  version: number
  notBefore: number
  publishing: Promise<boolean> | null
}

export function createHomes(deps: {
  readonly slack: Slack
  readonly reader: HomeReader
  readonly rightsOf: RightsOf
  /** Says which clusters are not seen, in one text: another one is a change. */
  readonly unseenNow: () => string
  readonly now: () => number
  /** Milliseconds of a clock that nobody sets. */
  readonly steady: () => number
  readonly log: Log
}): Homes {
  const { slack, reader, rightsOf, unseenNow, now, steady, log } = deps
  const homes = new Map<string, Home>()
  let version = 1
  let remembered: { readonly version: number; readonly value: Promise<HomeMemory> } | null = null
  let unseen = ''
  let lookedUpAt = Number.NEGATIVE_INFINITY
  let calls: { left: number; at: number } = { left: budget.most, at: steady() }
  let heldUntil = Number.NEGATIVE_INFINITY

  return {
    async opened(caller, hash) {
      const home = homeOf(caller)
      home.openedAt = steady()
      home.hash ??= hash
      if (home.rights === null || steady() - home.rights.at > gapMs) home.rights = null
      if (steady() - home.shownAt > asOfStaysMs) home.shown = null
      await publish(home, 0)
    },
    changed() {
      version++
    },
    replyOn(caller, otherwise) {
      const privately = async (said: View | string) => {
        if (!(await answer(homeOf(caller), said))) await otherwise.privately(said)
      }
      return { privately, openly: privately }
    },
    replyAlsoOn(caller, reply) {
      const privately = async (said: View | string) => {
        const home = homes.get(caller.userId)
        const isSeen =
          home !== undefined && steady() - home.openedAt < aMomentMs && (await answer(home, said))
        await reply.privately(said).catch((error: unknown) => {
          // They need not be in the channel of the cluster.
          if (!isSeen) throw error
          log.info({ err: error }, 'an answer stands on a Home alone')
        })
      }
      return { privately, openly: privately }
    },
    async round() {
      const at = steady()
      for (const [userId, { openedAt }] of homes) if (at - openedAt > followMs) homes.delete(userId)
      if (homes.size === 0) return
      const text = unseenNow()
      if (text !== unseen) version++
      unseen = text
      await lookUpAgain()
      const stale = [...homes.values()]
        .filter((home) => isStale(home) && at - home.shownAt >= gapMs && at >= home.notBefore)
        .sort((a, b) => a.shownAt - b.shownAt)
      for (let next = 0; next < stale.length; next += mostAtOnce)
        await Promise.all(
          stale.slice(next, next + mostAtOnce).map((home) => publish(home, budget.keptForOpening)),
        )
    },
  }

  /** Shows an answer on a Home; false where it does not stand there, as for somebody who may see nothing. */
  async function answer(home: Home, said: View | string): Promise<boolean> {
    const view = typeof said === 'string' ? { text: said, blocks: [] } : said
    home.answer = { view, until: steady() + answerStaysMs }
    // It may be that they may not see it any more.
    home.rights = null
    return (await publish(home, 0)) && !seesNothing(home)
  }

  function homeOf(caller: Caller): Home {
    const before = homes.get(caller.userId)
    if (before) return before
    const [oldest] = homes.size >= mostHomes ? homes.keys() : []
    if (oldest !== undefined) homes.delete(oldest)
    const home: Home = {
      caller,
      openedAt: steady(),
      rights: null,
      answer: null,
      shown: null,
      shownAt: Number.NEGATIVE_INFINITY,
      hash: null,
      version: 0,
      notBefore: 0,
      publishing: null,
    }
    homes.set(caller.userId, home)
    return home
  }

  function isStale({ version: shows, rights, answer, shown }: Home): boolean {
    if (shows !== version || rights === null || shown === null) return true
    return answer !== null && answer.until <= steady()
  }

  /** Forgets what some people may see, so that it is looked up before their Home is published again. */
  async function lookUpAgain() {
    if (steady() - lookedUpAt < lookUpEveryMs) return
    lookedUpAt = steady()
    const due = [...homes.values()]
      .filter(({ rights }) => rights !== null && steady() - rights.at >= stays(rights.value))
      .sort((a, b) => (a.rights?.at ?? 0) - (b.rights?.at ?? 0))
    for (const home of due.slice(0, mostLookUps)) home.rights = null
  }

  /**
   * Publishes a Home unless it stands there already. One at a time for each person, so that an older one never comes last.
   * @param kept calls that are left for others
   * @returns true when it stands there now
   */
  async function publish(home: Home, kept: number): Promise<boolean> {
    while (home.publishing) await home.publishing
    home.publishing = publishOnce(home, kept)
      .catch((error: unknown) => {
        log.error({ err: error }, 'a Home could not be drawn')
        return false
      })
      .finally(() => {
        home.publishing = null
      })
    return home.publishing
  }

  async function publishOnce(home: Home, kept: number, isSecond = false): Promise<boolean> {
    const shows = version
    const blocks = await draw(home)
    const content = JSON.stringify(blocks)
    if (content === home.shown) {
      home.version = shows
      return true
    }
    if (!mayCall(kept)) return false
    try {
      const { view } = await slack.call((client) =>
        client.views.publish({
          user_id: home.caller.userId,
          view: homeView(blocks, now()),
          ...(home.hash && { hash: home.hash }),
        }),
      )
      Object.assign(home, { hash: view?.hash ?? null, shown: content, shownAt: steady(), version: shows })
      return true
    } catch (error) {
      if (!(error instanceof SlackError)) throw error
      // Something newer stands there. What is read now is newer still.
      home.hash = null
      home.shown = null
      if (error.code === 'hash_conflict' && !isSecond) return publishOnce(home, kept, true)
      log.warn({ err: error }, 'a Home could not be published')
      heldUntil = Math.max(heldUntil, steady() + error.retryAfterMs)
      home.notBefore = steady() + unknownStayMs
      if (!error.retryable) homes.delete(home.caller.userId)
      return false
    }
  }

  async function draw(home: Home): Promise<Block[]> {
    home.rights ??= { at: steady(), value: await rightsOf(home.caller) }
    if (home.answer && home.answer.until <= steady()) home.answer = null
    const { sees, approves, refusal } = home.rights.value
    if (sees.size === 0) return noHomeBlocks(refusal?.reason ?? 'no cluster is configured')
    try {
      const state = await reader.homeOf(await recall(), { userId: home.caller.userId, sees, approves })
      return homeBlocks(state, home.answer?.view ?? null)
    } catch (error) {
      const why = storeFailureOf(error)
      if (why === null) throw error
      return noHomeBlocks(`my store cannot be used: ${why}`)
    }
  }

  /** Reads once for each change, whoever looks. */
  function recall(): Promise<HomeMemory> {
    if (remembered?.version === version) return remembered.value
    const value = reader.remembered()
    remembered = { version, value }
    value.catch(() => {
      if (remembered?.value === value) remembered = null
    })
    return value
  }

  function mayCall(kept: number): boolean {
    const at = steady()
    if (at < heldUntil) return false
    calls = { left: Math.min(budget.most, calls.left + ((at - calls.at) / 1000) * budget.perSecond), at }
    if (calls.left < 1 + kept) return false
    calls.left--
    return true
  }
}
