import type { Log } from '../log.ts'
import { storeFailureOf } from '../store/failure.ts'
import type { Content } from './outbox.ts'

/** Reports to Slack that the store fails. It does not use the store, because an alert must not depend on the disk. */
export type StoreAlarm = {
  /** Returns why the store cannot be used; null while it can. */
  failure(): string | null
  /**
   * Takes note of an error.
   * @returns whether it is the store's
   */
  noted(error: unknown): boolean
  /** Asks the store whether it works, and reports in each channel when that has changed. */
  check(): Promise<void>
  /** Reports what is seen on a cluster now, escaped already, while the store cannot be used: once a minute at most. */
  report(channel: string, seen: string): Promise<void>
}

/** Milliseconds between two posts in a channel. */
const quietMs = 60_000
/** Time after which an unchanged report is repeated. */
const remindMs = 600_000

/**
 * Posts straight to Slack, without the outbox, for that one needs the store.
 * @param steady milliseconds of a clock that nobody sets
 * @param recovered is called when the store can be used again
 */
export function createStoreAlarm(deps: {
  readonly probe: () => Promise<void>
  readonly channels: ReadonlySet<string>
  /** Returns false where another replica says that the store fails: once is enough. */
  readonly speaks?: () => boolean
  readonly post: (channel: string, content: Content) => Promise<unknown>
  readonly recovered: () => void
  readonly log: Log
  readonly steady: () => number
}): StoreAlarm {
  const { probe, channels, speaks = () => true, post, recovered, log, steady } = deps
  let failure: string | null = null
  /** Last report to each channel, of the store and of what is seen, with its time. */
  const lastReports = new Map<string, { readonly at: number; readonly seen: string }>()
  /** Channels with a report that the store fails, and none yet that it works. */
  const waiting = new Set<string>()

  return {
    failure: () => failure,
    noted,
    async check() {
      try {
        // One connection to it may have been lost while we slept: the next one is another.
        await probe().catch(probe)
      } catch (error) {
        if (!noted(error)) throw error
        if (speaks()) await Promise.all([...channels].map((channel) => report(channel, '')))
        return
      }
      if (failure !== null) {
        failure = null
        log.info('the store can be used again')
        recovered()
      }
      for (const channel of waiting)
        if (await say(channel, 'My store can be used again: approvals and the journal go on.'))
          waiting.delete(channel)
    },
    report,
  }

  function noted(error: unknown): boolean {
    const reason = storeFailureOf(error)
    if (reason === null) return false
    if (reason !== failure) log.error({ err: error }, 'the store cannot be used')
    failure = reason
    return true
  }

  async function report(channel: string, seen: string) {
    // Each report of what is seen says that the store fails, so a channel that has one needs no line for the store alone.
    if (seen === '' && waiting.has(channel)) return
    const key = seen === '' ? `store of ${channel}` : channel
    const last = lastReports.get(key)
    const isNews = !waiting.has(channel) || seen !== last?.seen
    const ago = last ? steady() - last.at : Number.POSITIVE_INFINITY
    if (failure === null || ago < (isNews ? quietMs : remindMs)) return
    const why = `My store cannot be used: ${failure}. Nothing can be approved or logged now, and no card is kept up to date.`
    // Before the answer comes, so that the next look does not post the same.
    lastReports.set(key, { at: steady(), seen })
    if (await say(channel, seen === '' ? why : `${seen}\n${why}`)) waiting.add(channel)
    else if (last) lastReports.set(key, last)
    else lastReports.delete(key)
  }

  async function say(channel: string, text: string): Promise<boolean> {
    try {
      await post(channel, { text, blocks: [] })
      return true
    } catch (error) {
      log.warn({ err: error, channel }, 'Slack did not take what the store cannot keep')
      return false
    }
  }
}
