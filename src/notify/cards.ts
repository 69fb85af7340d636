import { eachOf } from '../domain/approvals/bulk.ts'
import { bot, earlierApproval, type JournalEvent } from '../domain/approvals/journal.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import { severityOf, worstFirst } from '../domain/incidents/severity.ts'
import { isNews, silenceOf } from '../domain/incidents/silence.ts'
import { maskQuery } from '../domain/text/mask.ts'
import type { Message } from '../store/messages.ts'
import { type Fence, LeaseLost } from '../store/replicas.ts'
import type { Store, Tables } from '../store/store.ts'
import { cardView } from '../views/card/card.ts'
import type { CardCalls, CardState } from '../views/card/cardState.ts'
import { digestView } from '../views/card/digest.ts'
import { channelLine, refusedLine, threadLine } from '../views/card/lines.ts'
import type { View } from '../views/kit.ts'
import { createCalls } from './calls.ts'
import { type Card, type CardSettings, createReadCard } from './readCard.ts'
import type { WebhookQueue } from './webhookQueue.ts'

/** A transaction about one card (about none): what is remembered, and what happened. */
export type CardTx = Tables & {
  /** Writes one event: to the journal, into the thread of the card, and into the channel where it belongs there. */
  record(event: JournalEvent): Promise<void>
}

/** A transaction about several cards. */
export type CardsTx = Tables & {
  /** The part of it that is about one card (null: about none). */
  on(cardId: string | null): CardTx
}

export type Cards = {
  /**
   * Commits a change of what is remembered about one card (null: about none) and of what stands in Slack, all or nothing:
   * when the journal cannot be written, nothing else is. The card is drawn again from what is remembered then.
   */
  commit<T>(cardId: string | null, run: (tx: CardTx) => Promise<T>): Promise<T>
  /** Commits a change of several cards at once; `cardIds` are drawn again, also those that `run` adds. */
  commitAll<T>(cardIds: readonly string[], run: (tx: CardsTx) => Promise<T>): Promise<T>
  /** Draws the open incidents of a cluster again, and so posts those that were held back. */
  redraw(cluster: string): Promise<void>
  /** Makes the calls of a card that come with the time, and takes back what is not true any more. */
  call(cardId: string): Promise<void>
  /** Reads all that a card is drawn from; null where there is no such card. */
  state(cardId: string): Promise<CardState | null>
  /** Returns true when the last change could be written to the store. */
  isWritable(): boolean
  /** The same, for who may write only as long as a check in each transaction lets it. */
  fencedBy(fence: Fence): Cards
}

/**
 * Keeps the channels of the bot: one card for each incident or request, its thread, and a line for each action.
 * @param changed is called when there is something new to deliver
 */
export function createCards(deps: {
  readonly store: Store
  readonly cardSettings: ReadonlyMap<string, CardSettings>
  /** The name of a person or a user group; null while it is not known. */
  readonly nameOf: (id: string) => string | null
  readonly now: () => number
  readonly changed: () => void
  /** Is called with each event once it is written down for good. */
  readonly recorded: (event: JournalEvent) => void
  /** Queue for receivers outside of Slack, written in the same transaction; if absent, there are none. */
  readonly webhooks?: WebhookQueue
}): Cards {
  const { store, cardSettings, nameOf, now, changed, recorded, webhooks } = deps
  const desk = createCalls({ nameOf, now })
  const readCard = createReadCard(deps)
  let writable = true

  return cardsWith(async () => {})

  function cardsWith(fence: Fence): Cards {
    return {
      isWritable: () => writable,
      fencedBy: cardsWith,
      state: async (cardId) => {
        const incident = await store.incidents.get(cardId)
        const card = await readCard(store, cardId, incident ? [incident] : [])
        return card && stateOf(card, await desk.shown(store, card))
      },
      commit: (cardId, run) => commitAll(cardId ? [cardId] : [], (tx) => run(tx.on(cardId)), { fence }),
      commitAll: (cardIds, run) => commitAll(cardIds, run, { fence }),
      async call(cardId) {
        const card = await readCard(store, cardId)
        if (!card?.settings || !(await store.messages.isKnown(cardId))) return
        if (await desk.isDue(store, card)) await commitAll([cardId], async () => {}, { fence, timed: true })
      },
      redraw: (cluster) =>
        commitAll(
          [],
          async (tx) => {
            const open = await tx.incidents.open(cluster)
            for (const cardId of new Set(open.map(({ cardId }) => cardId)))
              await draw(tx.on(cardId), cardId, { urgent: false, timed: false })
          },
          { fence },
        ),
    }
  }

  /** @param timed makes also the calls that come with the time */
  async function commitAll<T>(
    cardIds: readonly string[],
    run: (tx: CardsTx) => Promise<T>,
    { fence, timed = false }: { readonly fence: Fence; readonly timed?: boolean },
  ): Promise<T> {
    const happened: { readonly cardId: string | null; readonly event: JournalEvent }[] = []
    try {
      const result = await store.atomically(async (tables) => {
        await fence(tables)
        const on = (cardId: string | null): CardTx => ({
          ...tables,
          record(event) {
            happened.push({ cardId, event })
            return record(tables, cardId, event)
          },
        })
        const result = await run({ ...tables, on })
        for (const cardId of new Set(cardIds))
          await draw(on(cardId), cardId, {
            urgent: happened.some((one) => one.cardId === cardId && isUrgent(one.event)),
            timed,
          })
        return result
      })
      writable = true
      for (const { event } of happened) recorded(event)
      changed()
      return result
    } catch (error) {
      if (!(error instanceof LeaseLost)) writable = false
      throw error
    }
  }

  async function record(tables: Tables, cardId: string | null, event: JournalEvent) {
    const row = await tables.journal.append(now(), cardId, masked(event))
    const proposal =
      'proposalId' in event && event.proposalId ? await tables.proposals.get(event.proposalId) : null
    if (proposal) await webhooks?.happened(tables, event, aboutOne(event, proposal))
    const line = channelLine(row, proposal)
    const cluster = line && clusterOf(event, proposal)
    // What was done is reported even when its cluster is not configured any more: beside its card.
    const channel = cluster && (await channelOf(tables, cluster, cardId))
    if (line && channel)
      await put(
        tables,
        { id: `line:${row.seq}`, channel, threadOf: null, priority: priorities.line, once: true },
        line,
      )
    if (!cardId) return
    const counts = isRefusedPress(event)
    const only = counts ? 'refused' : event.kind === 'undelivered' ? 'undelivered' : null
    const thread = counts ? refusedLine(await refusedOn(tables, cardId)) : threadLine(event, proposal)
    const where = thread && (await threadChannel(tables, cardId, isNews(event)))
    if (where)
      await put(
        tables,
        {
          id: only ? `${only}:${cardId}` : `note:${row.seq}`,
          channel: where,
          threadOf: cardId,
          priority: priorities.note,
          once: only === null,
        },
        thread,
      )
  }

  async function refusedOn({ journal }: Tables, cardId: string) {
    const rows = await journal.ofCards([cardId], mostCounted)
    return rows.flatMap(({ event }) => (isRefusedPress(event) ? [event] : []))
  }

  function put(tables: Tables, about: Omit<Message, 'text' | 'blocks'>, view: View): Promise<void> {
    return tables.messages.put({ ...about, ...view }, now())
  }

  /** @param urgent somebody waits for what is new on it, so it does not wait for its turn */
  async function draw(
    tables: CardTx,
    cardId: string,
    how: { readonly urgent: boolean; readonly timed: boolean },
  ) {
    const card = await readCard(tables, cardId)
    if (!card) return
    const incident = await drawInSlack(tables, card, how)
    // Last: what gets worse is not acknowledged any more, and receivers hear that with it.
    for (const one of card.incidents)
      await webhooks?.follow(tables, (one === card.incident && incident) || one, card.silences)
  }

  /** Draws it, and returns its incident as it is then. */
  async function drawInSlack(
    tables: CardTx,
    card: Card,
    { urgent, timed }: { readonly urgent: boolean; readonly timed: boolean },
  ) {
    const { cardId, cluster, incidents, incident, silences } = card
    const channel = await channelOf(tables, cluster, cardId)
    if (!channel) return incident
    const open = incidents.filter((one) => one.cardId === cardId && one.resolvedAt === null).sort(worstFirst)
    // Silence holds new cards back; those that stand are kept true.
    const isHeld = incident !== null && open.every((one) => silenceOf(one, silences) !== null)
    if (isHeld && !(await tables.messages.isKnown(cardId))) return incident
    const settled = isDigest(card) ? null : await desk.settle(tables, card, timed)
    const view = settled
      ? cardView(stateOf({ ...card, incident: settled.incident }, settled.calls))
      : digestView(cluster, cardId, incidents)
    const worst = open[0] ?? incident
    const priority = worst ? priorities[severityOf(worst.finding)] : priorities.critical
    await put(tables, { id: cardId, channel, threadOf: null, priority, once: false, urgent }, view)
    return settled ? settled.incident : incident
  }

  function stateOf(
    { cluster, settings, incident, proposals, silences }: Card,
    calls: CardCalls | null,
  ): CardState {
    // What is not configured any more offers nothing that would take people.
    const { people, secondFactor, breakGlass } = settings?.approvals ?? {
      people: { cancel: 1, terminate: 1 },
      secondFactor: { cancel: false, terminate: false },
      breakGlass: [],
    }
    return {
      ...{ cluster, incident, proposals, people, secondFactor, calls },
      approvers: settings?.access.approvers.flatMap((id) => nameOf(id) ?? []) ?? [],
      breakGlass: breakGlass.length > 0,
      ...(settings?.host === 'local' && {
        lastResort: {
          byApplication: settings.protected.filter(({ applicationName }) => applicationName !== undefined),
        },
      }),
      silence: incident && silenceOf(incident, silences),
    }
  }

  /**
   * Finds the channel and thread of a card. Null for a digest, which has no thread, and for news that a silence keeps
   * back.
   */
  async function threadChannel(tables: Tables, cardId: string, isNews: boolean): Promise<string | null> {
    const card = await readCard(tables, cardId)
    if (!card || isDigest(card)) return null
    const { cluster, incident, silences } = card
    if (incident && isNews && silenceOf(incident, silences)) return null
    return channelOf(tables, cluster, cardId)
  }

  /**
   * Finds the channel of a card: that of its cluster. When the cluster is not configured any more: where the card
   * stands.
   */
  async function channelOf(
    { messages }: Tables,
    cluster: string,
    cardId: string | null,
  ): Promise<string | null> {
    const settings = cardSettings.get(cluster)
    if (settings || cardId === null) return settings?.channel ?? null
    return (await messages.standing([cardId]))[0]?.channel ?? null
  }
}

const isDigest = ({ cardId, incidents }: Card): boolean =>
  incidents.some(({ digestId }) => digestId === cardId)

/** A request by hand waits for somebody, as a critical incident does; the thread repeats what is known already. */
const priorities = { critical: 4, warning: 3, line: 2, notice: 1, note: 0 } as const

/** More rows of one card are not looked through for refused presses. */
const mostCounted = 500

/** Presses are counted in one note of a thread. That an earlier approval does not count any more has a note of its own. */
const isRefusedPress = (event: JournalEvent): event is JournalEvent & { kind: 'refused' } =>
  event.kind === 'refused' && event.entry !== earlierApproval

/** Separates what people did, with its outcome, from changes of the picture. Those may follow a little later. */
const isUrgent = (event: JournalEvent): boolean =>
  event.actor !== bot || ['expired', 'intended', 'outcome', 'bulkDone'].includes(event.kind)

/** Whatever `queryText` shows in Slack, the journal keeps no constants. */
const masked = (event: JournalEvent): JournalEvent =>
  'statement' in event && event.statement !== null
    ? { ...event, statement: maskQuery(event.statement) }
    : event

/** Finds whom an event is about: what was done to one of a list is about that one. */
function aboutOne(event: JournalEvent, proposal: Proposal): Proposal {
  if (event.kind !== 'outcome') return proposal
  const { pid, backendStart } = event.session
  return eachOf(proposal).find(({ key }) => key.pid === pid && key.backendStart === backendStart) ?? proposal
}

const clusterOf = (event: JournalEvent, proposal: Proposal | null): string | undefined =>
  'cluster' in event ? event.cluster : proposal?.key.cluster
