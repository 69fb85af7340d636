import { randomUUID } from 'node:crypto'
import type { ClusterConfig } from '../config/config.ts'
import { preventionOf } from '../domain/advice/preventions.ts'
import { eachOf } from '../domain/approvals/bulk.ts'
import { bot, type JournalEvent } from '../domain/approvals/journal.ts'
import { type Finding, findingKey, findings, subjectOf, withSession } from '../domain/incidents/finding.ts'
import { follow, type Known, type Look, withinReach } from '../domain/incidents/follow.ts'
import {
  hasOwnCard,
  type Incident,
  rememberedMs,
  reopenWithinMs,
  type Transition,
  waitersOf,
} from '../domain/incidents/incident.ts'
import { recommendationsFor } from '../domain/incidents/recommend.ts'
import { habitOf, repeatWith } from '../domain/incidents/repeats.ts'
import { findingName } from '../domain/incidents/severity.ts'
import { hasEnded, type Silence } from '../domain/incidents/silence.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { sessionsByPid } from '../domain/session/session.ts'
import type { Server } from '../domain/session/snapshot.ts'
import type { Cards } from '../notify/cards.ts'
import { endSilences } from '../notify/endSilences.ts'
import { attempt, type Cluster, type ClusterError } from '../postgres/cluster.ts'
import { withStatements } from '../postgres/withStatements.ts'
import type { Store, Tables } from '../store/store.ts'
import { createDecidedSync } from './decided.ts'
import { createProposalSync, type Seen } from './proposals.ts'
import { followRetries } from './retries.ts'
import { createReachability, isUnreachable } from './unreachable.ts'

/** Milliseconds: what came back within a week is a habit. */
const habitMs = 7 * 86_400_000

export type IncidentReport = {
  /** Follows the incidents of a cluster with what was seen now. */
  seen(picture: Picture): Promise<void>
  /** Follows that nothing could be seen, and why. Incidents of before stay as they are. */
  unseen(why: ClusterError): Promise<void>
}

/** Turns what the watcher sees in one cluster into incidents, their cards and the proposals on them. */
export function createIncidentReport(deps: {
  readonly cluster: Cluster
  readonly config: ClusterConfig
  /** The clusters whose cards stand in the same channel, this one among them. */
  readonly neighbours: () => readonly string[]
  readonly store: Store
  readonly cards: Cards
  readonly now: () => number
}): IncidentReport {
  const { cluster, config, neighbours, store, cards, now } = deps
  /** The silences at the last look; null before the first. */
  let silent: string | null = null
  let lookedAt: number | null = null
  const proposalSync = createProposalSync(deps)
  const syncDecided = createDecidedSync(deps)
  const { cardsPerMinute } = config.watch
  const reachability = createReachability({
    cluster: config.name,
    neighbours,
    cardsPerMinute,
    store,
    cards,
    now,
  })

  return {
    async seen(picture) {
      const { snapshot } = picture
      await reachability.back(snapshot)
      const silences = await currentSilences()
      if (!snapshot.server.seesOthers) return
      const recent = await store.incidents.recent(config.name, snapshot.takenAt - rememberedMs(config.watch))
      // Whether the server answers is followed apart: no snapshot shows that it does not.
      const incidents = recent.filter((one) => !isUnreachable(one))
      const open = incidents.filter(({ resolvedAt }) => resolvedAt === null)
      const look = await lookAt(picture, open)
      const known: Known = { incidents, silences, lookedAt, ...(await actionsSince(open)) }
      const followed = follow(look, known, config.watch, randomUUID)
      const before = followed.some(({ kind }) => kind === 'opened') ? await habits(snapshot.takenAt) : []
      const transitions = await Promise.all(
        followed.map((one) => withPrevention(withHabit(one, before), snapshot.server)),
      )
      const seenOf = seenIn(look)
      if (transitions.length > 0) await write(transitions, seenOf, picture)
      await showSilences(silences)
      const changed = new Set(transitions.map(({ incident }) => incident.id))
      for (const incident of await store.incidents.recent(config.name, snapshot.takenAt - reopenWithinMs))
        if (!changed.has(incident.id)) await proposalSync.syncIfNeeded(incident, seenOf(incident), picture)
      await proposalSync.withdrawStale(snapshot)
      await syncDecided(picture)
      lookedAt = snapshot.takenAt
    },

    async unseen(why) {
      const silences = await currentSilences()
      await reachability.lost(why)
      await showSilences(silences)
    },
  }

  /** Ends the silences whose time is up or whose incident is over, and keeps the others. */
  async function currentSilences(): Promise<Silence[]> {
    const ended: Silence[] = []
    const going: Silence[] = []
    for (const silence of await store.silences.ofCluster(config.name)) {
      const { scope } = silence
      const incident = scope.kind === 'incident' ? await store.incidents.get(scope.incidentId) : null
      const list = hasEnded(silence, incident, rememberedMs(config.watch), now()) ? ended : going
      list.push(silence)
    }
    await endSilences({ cards, store }, ended, bot, now())
    return going
  }

  /** Finds what is wrong and what to do about it. It reads the statements of the sessions that the cards show. */
  async function lookAt(picture: Picture, open: readonly Incident[]): Promise<Look> {
    const { snapshot } = picture
    const retriesOf = await followRetries(deps, snapshot)
    const before = new Map(open.map((incident) => [incident.key, incident]))
    const keys = new Set(before.keys())
    const all = findings(snapshot, picture.forest, config.watch, { open: keys, waited: waitersOf(open) })
    const found = withinReach(all, keys)
    // As mostly: then there is nothing to recommend, and nobody to name.
    if (found.length === 0) return { snapshot, found, recommendationOf: () => null }
    const standingFor = (finding: Finding) => before.get(findingKey(finding))?.recommendation?.target ?? null
    const input = { protectedSessions: config.protected, standingFor }
    const rough = recommendationsFor(picture, input)
    const named = new Set(
      found.flatMap((finding) => [subjectOf(finding)?.pid ?? 0, ...(rough(finding)?.named ?? [])]),
    )
    const sessions = await withStatements(cluster, snapshot.sessions, named)
    const byPid = sessionsByPid(sessions)
    const recommend = recommendationsFor(picture, { ...input, sessions, retriesOf })
    const described = found.map((finding) => withSession(finding, byPid))
    const recommendations = new Map(described.map((finding) => [finding, recommend(finding)]))
    return { snapshot, found: described, recommendationOf: (finding) => recommendations.get(finding) ?? null }
  }

  /** Our actions since these incidents opened. What ends while this is read is still among those that are under way. */
  async function actionsSince(open: readonly Incident[]): Promise<Pick<Known, 'claimed' | 'done'>> {
    if (open.length === 0) return { claimed: [], done: [] }
    const claimed = await store.proposals.inState('claimed')
    const since = Math.min(...open.map(({ openedAt }) => openedAt)) - config.approvals.expireAfterMs
    const done = await store.proposals.doneSince(since)
    // Each of a list ended for itself.
    return { claimed: claimed.flatMap(eachOf), done: done.flatMap(eachOf) }
  }

  async function write(
    transitions: readonly Transition[],
    seenOf: (incident: Incident) => Seen,
    picture: Picture,
  ) {
    const followed = transitions.map(({ incident }) => incident)
    // Digests last: what has a card of its own is not news there any more.
    const cardIds = [
      ...followed.filter(hasOwnCard).map(({ cardId }) => cardId),
      ...followed.flatMap(({ digestId }) => digestId ?? []),
    ]
    await cards.commitAll(cardIds, async (tx) => {
      for (const transition of transitions) {
        const incident = await asItIsNow(tx, transition.incident)
        const onCard = tx.on(incident.cardId)
        await tx.incidents.put(incident)
        if (transition.reason) await onCard.record(eventOf(transition))
        await proposalSync.syncOnCard({ tx, drawn: cardIds }, incident, seenOf(incident), picture)
      }
    })
  }

  /** Reads the incidents of the last week; none where one of them cannot be read: no card waits for its memory. */
  function habits(at: number): Promise<Incident[]> {
    return store.incidents.recent(config.name, at - habitMs).catch(() => [])
  }

  /** Adds what would have prevented it to an incident that is over. It asks the server what is set there. */
  async function withPrevention(transition: Transition, target: Server): Promise<Transition> {
    const { kind, incident } = transition
    if (kind !== 'resolved') return transition
    const { slotRetainsBytes } = config.watch
    const prevention = await attempt(
      async () => preventionOf(incident, { settings: await cluster.settings(), target, slotRetainsBytes }),
      () => null,
    )
    return prevention === null ? transition : { ...transition, incident: { ...incident, prevention } }
  }

  /** Posts what a silence held back when it has ended; and cards that it covered no longer say so. */
  async function showSilences(silences: readonly Silence[]) {
    const quiet = silences.map(({ id }) => id).join()
    if (quiet !== silent) await cards.redraw(config.name)
    silent = quiet
  }
}

/** Adds to a new incident that it is one of many. */
function withHabit(transition: Transition, before: readonly Incident[]): Transition {
  const { kind, incident } = transition
  const repeat = kind === 'opened' ? repeatWith(incident, before, 'UTC') : null
  return repeat ? { ...transition, incident: { ...incident, habit: habitOf(repeat) } } : transition
}

/** Keeps what people have said about the incident since this look began. */
async function asItIsNow({ incidents }: Tables, incident: Incident): Promise<Incident> {
  const written = await incidents.get(incident.id)
  return { ...incident, acknowledgedBy: written?.acknowledgedBy ?? null }
}

/** The trouble of an incident as this look shows it; null where it does not. */
function seenIn({ found, recommendationOf }: Look): (incident: Incident) => Seen {
  const byKey = new Map(found.map((finding) => [findingKey(finding), finding]))
  return ({ key }) => {
    const finding = byKey.get(key)
    return finding ? { recommendation: recommendationOf(finding) } : null
  }
}

const eventKinds = {
  opened: 'incidentOpened',
  changed: 'incidentChanged',
  reopened: 'incidentReopened',
  resolved: 'incidentResolved',
} as const

/** A digest has many: there it says which one it is about. */
const eventOf = ({ kind, reason, incident }: Transition): JournalEvent => ({
  kind: eventKinds[kind],
  actor: bot,
  ...(hasOwnCard(incident)
    ? { what: reason ?? '' }
    : { what: `${findingName(incident.finding)}: ${reason ?? ''}`, incidentId: incident.id }),
})
