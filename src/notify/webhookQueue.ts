import { randomUUID } from 'node:crypto'
import type { JournalEvent } from '../domain/approvals/journal.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { type Silence, silenceOf } from '../domain/incidents/silence.ts'
import { incidentNews, type Webhook, webhookId } from '../domain/incidents/webhook.ts'
import type { Tables } from '../store/store.ts'
import {
  incidentNotice,
  type NoticeFacts,
  proposalNotice,
  type WebhookDocument,
} from '../views/webhooks/document.ts'

/**
 * Puts what receivers outside of Slack are to hear into the store, in the transaction in which it happens: a crash loses
 * nothing of it, and makes nothing twice.
 */
export type WebhookQueue = {
  /**
   * Compares an incident with what the receivers have heard of it.
   * @param silences those of its cluster that last
   */
  follow(tables: Tables, incident: Incident, silences: readonly Silence[]): Promise<void>
  /** Passes on what happened to a proposal. */
  happened(tables: Tables, event: JournalEvent, proposal: Proposal): Promise<void>
}

export function createWebhookQueue(deps: {
  /** By cluster. */
  readonly settings: ReadonlyMap<
    string,
    { readonly channel: string; readonly notify: { readonly webhooks: readonly Webhook[] } }
  >
  /** Receivers of all clusters, by their ids. */
  readonly receivers: ReadonlyMap<string, Webhook>
  readonly maskText: NoticeFacts['maskText']
  readonly now: () => number
}): WebhookQueue {
  const { settings, receivers: everywhere, maskText, now } = deps
  const receiversOf = (cluster: string) =>
    (settings.get(cluster)?.notify.webhooks ?? []).map((webhook) => ({ id: webhookId(webhook), webhook }))

  async function put(
    { webhooks }: Tables,
    receiver: string,
    document: WebhookDocument,
    subject: string,
  ): Promise<void> {
    await webhooks.enqueue({ id: document.id, receiver, subject, document: JSON.stringify(document) }, now())
  }

  const aboutOf = (
    cluster: string,
    incident: Incident | null,
    silences: readonly Silence[],
  ): Omit<NoticeFacts, 'id'> => ({
    now: now(),
    channel: settings.get(cluster)?.channel ?? '',
    silenced: incident !== null && silenceOf(incident, silences) !== null,
    maskText,
  })

  return {
    async follow(tables, incident, silences) {
      if (everywhere.size === 0) return
      const known = await tables.webhooks.told([incident.id])
      const receivers = new Map(receiversOf(incident.cluster).map(({ id, webhook }) => [id, webhook]))
      // Who heard that it began hears that it is over, whatever is configured now.
      for (const { receiver } of known) {
        const webhook = everywhere.get(receiver)
        if (webhook) receivers.set(receiver, webhook)
      }
      if (receivers.size === 0) return
      const about = aboutOf(incident.cluster, incident, silences)
      for (const [receiver, { kind, from }] of receivers) {
        const before = known.find((one) => one.receiver === receiver) ?? null
        const isQuiet = about.silenced && kind === 'pagerduty'
        const { news, told } = incidentNews(before, incident, { from, isQuiet })
        if (told?.severity !== before?.severity || told?.acknowledgedBy !== before?.acknowledgedBy)
          await tables.webhooks.tell(receiver, incident.id, told)
        for (const event of news) {
          // Nobody is to be called for what is over.
          if (event === 'resolved' && kind === 'pagerduty') await tables.webhooks.drop(receiver, incident.id)
          const document = incidentNotice(event, incident, { ...about, id: randomUUID() })
          await put(tables, receiver, document, incident.id)
        }
      }
    },

    async happened(tables, event, proposal) {
      const { cardId, key } = proposal
      const receivers = receiversOf(key.cluster).filter(({ webhook }) => webhook.kind === 'json')
      if (receivers.length === 0) return
      const incident = await tables.incidents.get(cardId)
      const silences = (await tables.silences.ofCluster(key.cluster)).filter(({ until }) => until > now())
      const about = aboutOf(key.cluster, incident, silences)
      for (const { id } of receivers) {
        const document = proposalNotice(event, proposal, incident, { ...about, id: randomUUID() })
        if (document) await put(tables, id, document, cardId)
      }
    },
  }
}
