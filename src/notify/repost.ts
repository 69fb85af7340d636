import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { Outbox } from './outbox.ts'
import { SlackError } from './slackError.ts'

/**
 * Has the cards posted again that somebody deleted while they are open. The next edit would show that a card is gone, but
 * one of a trouble that only lasts may have none for hours. What Slack cannot say now, the next round asks again.
 * @param clusters names
 */
export async function restoreDeleted(deps: {
  readonly store: Pick<Store, 'incidents' | 'proposals' | 'messages'>
  /** Returns true when the message still stands where it was posted; throws SlackError. */
  readonly stands: (channel: string, ts: string) => Promise<boolean>
  readonly outbox: Pick<Outbox, 'kick'>
  readonly clusters: readonly string[]
  readonly log: Log
}): Promise<void> {
  const { store, stands, outbox, clusters, log } = deps
  const incidents = await Promise.all(clusters.map((name) => store.incidents.open(name)))
  const open = [...incidents.flat(), ...(await store.proposals.inState('open'))]
  const cards = new Set(open.map(({ cardId }) => cardId))
  try {
    for (const { id, channel, ts } of await store.messages.standing([...cards])) {
      if (await stands(channel, ts)) continue
      log.info({ channel, card: id }, 'an open card was deleted; it is posted again')
      await store.messages.lost(id, ts)
      outbox.kick()
    }
  } catch (error) {
    if (!(error instanceof SlackError)) throw error
    log.debug({ code: error.code }, 'Slack does not say whether the cards stand')
  }
}
