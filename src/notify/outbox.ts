import { backoff } from '../backoff.ts'
import type { Log } from '../log.ts'
import { type Message, type Messages, type Pending, posting } from '../store/messages.ts'
import { createPlanner } from './planner.ts'
import { SlackError, slackErrorKind } from './slackError.ts'

/** Slack, as far as the outbox needs it. All throw SlackError. */
export type Poster = {
  /**
   * @param id goes along as metadata, so that `find` can recognise the message
   * @returns the ts of the new message
   */
  post(channel: string, threadTs: string | null, content: NewContent, id: string): Promise<string>
  /** The ts of a message that was posted with this id since then; null when there is none, or where we may not look. */
  find(channel: string, threadTs: string | null, id: string, since: number): Promise<string | null>
  update(channel: string, ts: string, content: Content): Promise<void>
}

export type Content = Pick<Message, 'text' | 'blocks'>

/** `broadcast` sends a reply also to the channel. */
export type NewContent = Pick<Message, 'text' | 'blocks' | 'broadcast'>

export type Outbox = {
  /** There is something new to deliver. */
  kick(): void
  start(): void
  /** Ends after the calls that are under way; what is left is delivered after the next start. */
  stop(): Promise<void>
  /** Returns the error that keeps messages from each channel now, by channel id. */
  failures(): ReadonlyMap<string, SlackError>
  /** Resolves when all that can go now has gone; what has to wait (for Slack, for its second) may be left. */
  idle(): Promise<void>
  /** Resolves when nothing is left. */
  empty(): Promise<void>
}

/** Milliseconds. What somebody waits for (an urgent edit) keeps neither of the last two. */
export type Gaps = {
  /** Between two posts in a channel. */
  readonly postMs: number
  /** Between two edits of one message. */
  readonly sameMs: number
  /** Between any two edits. */
  readonly editMs: number
}

/**
 * One `chat.postMessage` a second in a channel; `chat.update` is in tier 3, 50 a minute for all channels together:
 * https://docs.slack.dev/apis/web-api/rate-limits
 */
const slackGaps: Gaps = { postMs: 1000, sameMs: 3000, editMs: 1200 }
const pauses = { firstMs: 500, longestMs: 60_000 }
/** While the store cannot be written. */
const unwritablePauseMs = 1000
/** A call to Slack is given up after 5 s. A process that was stopped before it calls no more. */
const callWithinMs = 1000
/** Time after which a post that was begun has come to Slack, or never will. */
const postedWithinMs = callWithinMs + 6000
/** Slack asks for no longer patience. */
const mostHeldMs = 600_000

/**
 * Brings what should stand in Slack there: in order in each thread, the most urgent first, only the last of several
 * edits and those a few seconds apart, and again until it goes through. It holds no state of its own that a restart would lose.
 */
export function createOutbox(deps: {
  readonly messages: Messages
  readonly poster: Poster
  readonly log: Log
  readonly now: () => number
  readonly gaps?: Gaps
  /** A channel takes no messages until somebody helps; called once, until it takes one again. */
  readonly onBroken?: (channel: string, failure: SlackError) => Promise<void>
}): Outbox {
  const { messages, poster, log, now, gaps = slackGaps, onBroken } = deps
  const channels = new Map<string, ChannelState>()
  /** By channel. That edits go through says nothing about a card that is held back. */
  const failing = { post: new Map<string, SlackError>(), edit: new Map<string, SlackError>() }
  /** Messages that `onBroken` was called for: a message that Slack refuses must not call it at each attempt. */
  const reported = new Set<string>()
  /** Messages that stand in Slack and could not be written to the store yet. */
  const unwritten = new Map<string, { readonly revision: number; readonly ts: string }>()
  const flights = new Set<Promise<void>>()
  /** For edits that nobody waits for, and for all of them while Slack asks for patience. */
  let editsNotBefore = 0
  let editsHeldUntil = 0
  /** The time at the last plan. */
  let latest = 0
  const planner = createPlanner({ plan, failed: 'the outbox could not be read', log })
  const { kick, wakeIn } = planner
  const waiting: Record<'idle' | 'empty', (() => void)[]> = { idle: [], empty: [] }

  return {
    kick,
    start: planner.start,
    async stop() {
      await planner.stop()
      await Promise.all(flights)
    },
    failures: () => new Map([...failing.edit, ...failing.post]),
    idle: () => wait('idle'),
    empty: () => wait('empty'),
  }

  function wait(until: 'idle' | 'empty'): Promise<void> {
    const done = new Promise<void>((resolve) => waiting[until].push(resolve))
    kick()
    return done
  }

  /** Starts the next call of every channel that is free, and sets the alarm for those that have to wait. */
  async function plan() {
    const pending = await messages.pending()
    forgetWhenSetBack()
    let wake = Number.POSITIVE_INFINITY
    let going = 0
    for (const [channel, queue] of Map.groupBy(pending, (message) => message.channel)) {
      const state = channels.get(channel) ?? { busy: false, claimed: 0, postNotBefore: 0, notBefore: 0 }
      channels.set(channel, state)
      if (state.busy) {
        going++
        continue
      }
      const time = now()
      const ready = firstInEachThread(queue)
      const dueAt = (message: Pending) =>
        Math.max(
          // As written down before a restart: longer than any pause, and the clock was set back since.
          message.notBefore - time > mostHeldMs ? 0 : message.notBefore,
          state.notBefore,
          message.ts ? editNotBefore(message) : state.postNotBefore,
        )
      const due = ready.filter((message) => dueAt(message) <= time)
      const [next] = due
      if (next) {
        going++
        state.busy = true
        const flight = deliver(next, state)
          .catch((error: unknown) => {
            log.error({ err: error, message: next.id }, 'a delivery could not be written down')
            state.notBefore = now() + unwritablePauseMs
          })
          .finally(() => {
            state.busy = false
            flights.delete(flight)
            kick()
          })
        flights.add(flight)
      } else {
        wake = Math.min(wake, ...ready.map((message) => dueAt(message) - time))
      }
    }
    if (going === 0) for (const resolve of waiting.idle.splice(0)) resolve()
    if (pending.length === 0) for (const resolve of waiting.empty.splice(0)) resolve()
    if (Number.isFinite(wake)) wakeIn(wake)
  }

  /** A clock that was set back must not hold anything for as long. */
  function forgetWhenSetBack() {
    const time = now()
    if (time < latest) {
      editsNotBefore = 0
      editsHeldUntil = 0
      for (const state of channels.values()) Object.assign(state, { postNotBefore: 0, notBefore: 0 })
    }
    latest = time
  }

  function editNotBefore({ urgent, sentAt }: Pending): number {
    if (urgent) return editsHeldUntil
    return Math.max(editsHeldUntil, editsNotBefore, sentAt > now() ? 0 : sentAt + gaps.sameMs)
  }

  async function deliver(message: Pending, state: ChannelState) {
    state.claimed = message.notBefore
    try {
      const content = await messages.content(message.id)
      if (!content) return
      // What stands there already is only written down, so that it does not come twice.
      const { revision, ts } = unwritten.get(message.id) ?? {
        revision: content.revision,
        ts: await bring(message, content, state),
      }
      if (ts === null) return
      unwritten.set(message.id, { revision, ts })
      const copy = await messages.delivered(message.id, revision, ts, now())
      unwritten.delete(message.id)
      if (copy) await emptyCopy(poster, message.channel, copy, log)
      failing[kindOf(message)].delete(message.channel)
      reported.delete(message.id)
    } catch (error) {
      if (error instanceof SearchError) return postpone(message, error.cause, state, null)
      if (error instanceof SlackError) return explain(message, error, state)
      throw error
    }
  }

  /** @returns the ts at which the message stands now; null where it was left to another replica, or for later */
  async function bring(message: Pending, content: Content, state: ChannelState): Promise<string | null> {
    const { id, channel, threadTs, notBefore } = message
    if (message.ts) {
      editsNotBefore = now() + gaps.editMs
      await poster.update(channel, message.ts, content)
      return message.ts
    }
    if (mayStand(message)) {
      const found = await search(message)
      if (found) {
        await poster.update(channel, found, content)
        return found
      }
    }
    const begun = now()
    state.postNotBefore = begun + gaps.postMs
    const until = begun + postedWithinMs
    if (!(await messages.posting(id, notBefore, until))) return null
    state.claimed = until
    if (now() - begun > callWithinMs) return null
    return poster.post(channel, threadTs, { ...content, broadcast: message.broadcast }, id)
  }

  async function search({ id, channel, threadTs, createdAt }: Pending): Promise<string | null> {
    try {
      return await poster.find(channel, threadTs, id, createdAt)
    } catch (error) {
      throw error instanceof SlackError ? new SearchError(error) : error
    }
  }

  async function explain(message: Pending, failure: SlackError, state: ChannelState) {
    const { id, channel, ts } = message
    if (failure.kind === 'gone' && ts) return messages.lost(id, ts)
    const passing = [failing.post, failing.edit].every((map) => map.get(channel)?.retryable ?? true)
    // A bad token is bad in every channel, so no other channel could be informed. Later it would not be true any more.
    const news = !failure.retryable && passing && !reported.has(id) && failure.kind !== 'token'
    // A limit says nothing about this message: all of its kind wait equally long, so the most urgent goes first again.
    // Limits are each method's own: too many edits are no reason to hold a new card back.
    if (failure.kind === 'limited') {
      const until = now() + pauseAfter(message, failure)
      if (ts) editsHeldUntil = until
      else state.postNotBefore = until
    }
    await postpone(message, failure, state, failure.code)
    if (!news) return
    reported.add(id)
    await onBroken?.(channel, failure)
  }

  /** @param error what came of the post or the edit; null: it was not tried, and what is known of the last one stays */
  async function postpone(
    message: Pending,
    failure: SlackError,
    { claimed }: ChannelState,
    error: string | null,
  ) {
    const { id, channel } = message
    failing[kindOf(message)].set(channel, failure)
    const pause = pauseAfter(message, failure)
    log.warn({ code: failure.code, channel, retryInMs: pause }, 'Slack did not take a message')
    await messages.failed(id, claimed, now() + pause, error)
  }
}

/**
 * Takes the buttons off the second copy of a message, so that they mislead nobody. It stands there because Slack's reply to
 * the first post was lost.
 */
export async function emptyCopy(poster: Pick<Poster, 'update'>, channel: string, ts: string, log: Log) {
  const text = 'This card came twice. The other one goes on.'
  await poster
    .update(channel, ts, { text, blocks: [] })
    .catch((error: unknown) => log.info({ err: error }, 'a second copy of a card could not be emptied'))
}

/** Decides whether the last attempt may have gone through although we got no reply. */
const mayStand = ({ lastError }: Pending): boolean =>
  lastError === posting || (lastError !== null && slackErrorKind(lastError) === 'unanswered')

const kindOf = ({ ts }: Pending) => (ts ? 'edit' : 'post')

/** Returns the pause that Slack asked for. Without one, the pause grows with each attempt. */
const pauseAfter = ({ attempts }: Pending, { retryAfterMs }: SlackError): number =>
  retryAfterMs || backoff(attempts, pauses)

/** Failure of the search for a message in Slack. It says nothing new about the post itself. */
class SearchError extends Error {
  override readonly cause: SlackError
  constructor(cause: SlackError) {
    super(cause.message)
    this.name = 'SearchError'
    this.cause = cause
  }
}

type ChannelState = {
  /** A call is under way. */
  busy: boolean
  /** `notBefore` of the message that is under way, as we left it: where it is another one, somebody else posts it now. */
  claimed: number
  /** For posts. */
  postNotBefore: number
  /** For any call. */
  notBefore: number
}

/** A thread is delivered in order: only the oldest undelivered message of each may go; a card's edits wait for nobody. */
function firstInEachThread(queue: readonly Pending[]): Pending[] {
  const threads = new Set<string>()
  return queue.filter((message) => {
    if (message.threadOf === null) return true
    if (threads.has(message.threadOf)) return false
    threads.add(message.threadOf)
    return true
  })
}
