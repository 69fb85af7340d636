import { setTimeout as pause } from 'node:timers/promises'
import { type Backoff, backoff } from '../backoff.ts'
import { bot } from '../domain/approvals/journal.ts'
import { type Webhook, webhookName } from '../domain/incidents/webhook.ts'
import type { Log } from '../log.ts'
import type { Delivery, Webhooks } from '../store/webhooks.ts'
import { readDocument, type WebhookDocument } from '../views/webhooks/document.ts'
import { pagerEvent } from '../views/webhooks/pagerduty.ts'
import type { Cards } from './cards.ts'
import { createPlanner } from './planner.ts'
import {
  type DeliveryFate,
  fateOf,
  longestPauseMs,
  post,
  signatureOf,
  type WebhookReply,
} from './webhookCall.ts'

/** Receiver that takes nothing at the moment, and why. */
export type WebhookFailure = { readonly receiver: string; readonly code: string }

export type WebhookDelivery = {
  /** There is something new to deliver. */
  kick(): void
  start(): void
  /** Ends the attempts that are under way; what is left is delivered after the next start. */
  stop(): Promise<void>
  failures(): WebhookFailure[]
  /** Counts what waits for each receiver; `oldestAt` null: nothing. */
  waiting(): Promise<
    { readonly receiver: string; readonly count: number; readonly oldestAt: number | null }[]
  >
  /** Resolves when nothing is left. */
  empty(): Promise<void>
}

/** A delivery that is not sent again. */
export type GivenUp = {
  readonly id: string
  readonly receiver: string
  readonly document: WebhookDocument
  readonly code: string
}

const usualPatience = {
  /** Between two attempts, of one delivery and of all for a receiver. */
  pauses: { firstMs: 1000, longestMs: 60_000, jitter: true } as Backoff,
  /** For one attempt, from the connection to the headers of the reply. */
  attemptMs: 10_000,
  /** For the address of the card. */
  linkMs: 3000,
  /** For attempts that are under way when we stop. */
  stopMs: 2000,
  /** Nobody else sends what one process began to send so long ago. */
  leaseMs: 20_000,
}

/** Forgets a delivery that its receiver did not take, and says so on its card. */
export const giveUpIn =
  (cards: Pick<Cards, 'commit'>) =>
  ({ id, receiver, document: { card, event }, code }: GivenUp): Promise<void> =>
    cards.commit(card.id, async (tx) => {
      await tx.webhooks.remove(id)
      await tx.record({ kind: 'undelivered', actor: bot, receiver, what: event, reason: code })
    })

/**
 * Brings what receivers outside of Slack are to hear there: for each receiver one after the other, for each incident in
 * order, and again until it is taken or given up. A receiver that takes nothing holds up nobody else.
 */
export function createWebhookDelivery(deps: {
  /** By their ids; they may become others at any time. */
  readonly webhooks: ReadonlyMap<string, Webhook>
  readonly table: Webhooks
  /** The address of a card; null while it has none. */
  readonly linkTo: (cardId: string) => Promise<string | null>
  /** The address of a channel, where that of a card is not known. */
  readonly channelLink: (channel: string) => string
  /** Forgets a delivery, and writes that down. */
  readonly giveUp: (what: GivenUp) => Promise<void>
  readonly tried: (receiver: string, verdict: DeliveryFate['kind']) => void
  readonly log: Log
  readonly now: () => number
  readonly patience?: Partial<typeof usualPatience>
}): WebhookDelivery {
  const { webhooks, table, linkTo, channelLink, giveUp, tried, log, now } = deps
  const patience = { ...usualPatience, ...deps.patience }
  const known = new Map<string, Receiver>()
  const flights = new Set<Promise<void>>()
  const stopping = new AbortController()
  let emptied: (() => void)[] = []
  const planner = createPlanner({ plan, failed: 'the webhooks that wait could not be read', log })
  const { kick, wakeIn } = planner
  let latest = 0

  return {
    kick,
    start: planner.start,
    async stop() {
      await planner.stop()
      await Promise.race([Promise.all(flights), pause(patience.stopMs, undefined, { ref: false })])
      stopping.abort()
      await Promise.all(flights)
    },
    failures: () =>
      [...receiversNow().values()].flatMap(({ webhook, failing }) =>
        failing === null ? [] : [{ receiver: webhookName(webhook), code: failing }],
      ),
    async waiting() {
      const backlog = new Map((await table.backlog()).map((one) => [one.receiver, one]))
      return [...receiversNow()].map(([id, { webhook }]) => {
        const { count = 0, oldestAt = null } = backlog.get(id) ?? {}
        return { receiver: webhookName(webhook), count, oldestAt }
      })
    },
    empty: () =>
      new Promise((resolve) => {
        emptied.push(resolve)
        kick()
      }),
  }

  /** The receivers that are configured now, with what is known of them. */
  function receiversNow(): ReadonlyMap<string, Receiver> {
    for (const id of known.keys()) if (!webhooks.has(id)) known.delete(id)
    for (const [id, webhook] of webhooks) {
      const receiver = known.get(id)
      if (receiver) receiver.webhook = webhook
      else known.set(id, receiverOf(webhook))
    }
    return known
  }

  /** Starts the next attempt of every receiver that is free, and sets the alarm for those that have to wait. */
  async function plan() {
    const receivers = receiversNow()
    const waiting = receivers.size === 0 ? [] : await table.heads()
    const heads = waiting.filter(({ receiver }) => receivers.has(receiver))
    const time = now()
    // A clock that was set back must not hold anything for as long.
    if (time < latest) for (const receiver of receivers.values()) receiver.notBefore = 0
    latest = time
    let wake = Number.POSITIVE_INFINITY
    for (const [id, queue] of Map.groupBy(heads, ({ receiver }) => receiver)) {
      const receiver = receivers.get(id)
      if (!receiver || receiver.isBusy) continue
      const dueAt = ({ notBefore }: Delivery) =>
        Math.max(notBefore - time > longestPauseMs ? 0 : notBefore, receiver.notBefore)
      // What waits longest for its turn: one that is never taken must not keep the others from theirs.
      const [next] = queue.sort((a, b) => dueAt(a) - dueAt(b) || a.notBefore - b.notBefore)
      if (next && dueAt(next) <= time) launch(next, receiver)
      else if (next) wake = Math.min(wake, dueAt(next) - time)
    }
    if (heads.length === 0) {
      for (const resolve of emptied) resolve()
      emptied = []
    }
    if (Number.isFinite(wake)) wakeIn(wake)
  }

  function launch(delivery: Delivery, receiver: Receiver) {
    receiver.isBusy = true
    const flight = deliver(delivery, receiver)
      .catch((error: unknown) => {
        log.error({ err: error }, 'the fate of a webhook could not be written down')
        receiver.notBefore = now() + 1000
      })
      .finally(() => {
        receiver.isBusy = false
        flights.delete(flight)
        kick()
      })
    flights.add(flight)
  }

  async function deliver(delivery: Delivery, receiver: Receiver) {
    const { id, attempts, createdAt } = delivery
    if (!(await table.begin(delivery, now() + patience.leaseMs))) return
    const text = await table.document(id)
    if (text === null) return
    const document = readDocument(text)
    if (!document) {
      log.error({ delivery: id }, 'a webhook that waits cannot be read, so it is left out')
      return table.remove(id)
    }
    const reply = await send(document, receiver.webhook)
    if ('code' in reply && stopping.signal.aborted) return table.failed(id, 0, 'stopped')
    const verdict = fateOf(reply, { ageMs: now() - createdAt, now: now() })
    const name = webhookName(receiver.webhook)
    tried(name, verdict.kind)
    if (verdict.kind !== 'taken' && receiver.failing !== verdict.code)
      log.warn({ receiver: name, code: verdict.code }, 'a receiver of webhooks did not take one')
    if (verdict.kind === 'taken' && receiver.failing !== null)
      log.info({ receiver: name }, 'a receiver of webhooks takes them again')
    receiver.failing = verdict.kind === 'taken' ? null : verdict.code
    if (verdict.kind === 'again') {
      const pauseMs = (failures: number) => Math.max(verdict.askedMs, backoff(failures, patience.pauses))
      // As a rule it is about the receiver rather than about this one, so the others wait as well; not as long.
      receiver.notBefore = now() + pauseMs(receiver.failures++)
      return table.failed(id, now() + pauseMs(attempts), verdict.code)
    }
    receiver.failures = 0
    receiver.notBefore = 0
    if (verdict.kind === 'taken') return table.remove(id)
    await giveUp({ id, receiver: name, document, code: verdict.code })
  }

  async function send(document: WebhookDocument, webhook: Webhook): Promise<WebhookReply> {
    const limits = { stopping: stopping.signal, timeoutMs: patience.attemptMs }
    if (webhook.kind === 'json') {
      const permalink = await linkOf(document)
      const body = JSON.stringify({ ...document, card: { ...document.card, permalink } })
      const timestamp = Math.floor(now() / 1000)
      const headers = {
        'x-pg-marshal-request-timestamp': String(timestamp),
        'x-pg-marshal-signature': signatureOf(webhook.secret, timestamp, body),
      }
      return post(webhook.url, { headers, body, ...limits })
    }
    const link = (await linkOf(document)) ?? channelLink(document.card.channel)
    const event = pagerEvent(document, { routingKey: webhook.routingKey, link })
    // What calls nobody is as good as taken.
    if (!event) return { status: 204, retryAfter: null }
    return post(webhook.url, { headers: {}, body: JSON.stringify(event), ...limits })
  }

  /** The address of the card; a Slack that does not answer keeps nobody from being called. */
  function linkOf({ card }: WebhookDocument): Promise<string | null> {
    return Promise.race([linkTo(card.id).catch(() => null), pause(patience.linkMs, null, { ref: false })])
  }
}

type Receiver = {
  webhook: Webhook
  isBusy: boolean
  notBefore: number
  /** Attempts in a row that failed. */
  failures: number
  /** Code of the last attempt, where it failed. */
  failing: string | null
}

const receiverOf = (webhook: Webhook): Receiver => ({
  webhook,
  isBusy: false,
  notBefore: 0,
  failures: 0,
  failing: null,
})
