import { randomUUID } from 'node:crypto'
import type { ClusterConfig } from '../config/config.ts'
import { bot, type JournalEvent } from '../domain/approvals/journal.ts'
import { assignCards } from '../domain/incidents/assignCards.ts'
import { causeOf, concerns } from '../domain/incidents/cause.ts'
import { type Finding, findingKey, findings, subjectOf, withSession } from '../domain/incidents/finding.ts'
import {
  fold,
  hasOwnCard,
  type Incident,
  rememberedMs,
  reopenWithinMs,
  type Transition,
  waitersOf,
} from '../domain/incidents/incident.ts'
import { type Recommendation, recommendationsFor } from '../domain/incidents/recommend.ts'
import { findingName } from '../domain/incidents/severity.ts'
import { type Silence, silenceOf } from '../domain/incidents/silence.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import { formatDuration } from '../domain/text/duration.ts'
import type { Cards } from '../notify/cards.ts'
import { endSilences } from '../notify/endSilences.ts'
import { attempt, type Cluster } from '../postgres/cluster.ts'
import { withStatements } from '../postgres/withStatements.ts'
import type { Store, Tables } from '../store/store.ts'
import { createProposalSync, type Seen } from './proposals.ts'
import { followRetries } from './retries.ts'
import { createVisibility, type Loss } from './visibility.ts'

export type IncidentReport = {
  /** Follows the incidents of a cluster with what was seen now. */
  seen(picture: Picture): Promise<void>
  /** Nothing could be seen, and why. */
  blind(why: Loss): Promise<void>
  /** Something happened to the watching itself: told each time. */
  gap(what: string): Promise<void>
  /** Watching does not keep up, and why, or does again (null): told when it changes. */
  behind(reason: string | null): Promise<void>
  /** What only a slow look shows cannot be seen, and why, or can again (null): told when it changes. */
  healthUnavailable(reason: string | null): Promise<void>
}

/** The deadlines of a look add up to about this much. */
const slowLookMs = 10_000

/** How often is looked whether a privilege was granted or lost. */
const privilegesEveryMs = 60_000

/** Turns what the watcher sees in one cluster into incidents, their cards and the proposals on them. */
export function createIncidentReport(deps: {
  readonly cluster: Cluster
  readonly config: ClusterConfig
  readonly store: Store
  readonly cards: Cards
  readonly now: () => number
}): IncidentReport {
  const { cluster, config, store, cards, now } = deps
  let reported = ''
  let askPrivilegesAt = 0
  /** The silences at the last look; null before the first. */
  let silent: string | null = null
  /** When the cluster was last seen; null before the first look since the start. */
  let lookedAt: number | null = null
  const proposalSync = createProposalSync(deps)
  const visibility = createVisibility({ cluster: config.name, journal: store.journal, cards, now })
  const say = (event: JournalEvent) => cards.commit(null, (tx) => tx.record(event))

  return {
    async seen(picture) {
      const { snapshot } = picture
      await reportMissingPrivileges(snapshot.server.seesOthers)
      const silences = await currentSilences()
      if (!snapshot.server.seesOthers) return visibility.lost(withoutGrant)
      await visibility.back()
      const known = await store.incidents.recent(config.name, snapshot.takenAt - rememberedMs(config.watch))
      const open = known.filter(({ resolvedAt }) => resolvedAt === null)
      const { found, recommendationOf } = await look(picture, open)
      const claimed = await store.proposals.inState('claimed')
      const isUnderWay = (incident: Incident) =>
        claimed.some((proposal) => proposal.cardId === incident.cardId || concerns(proposal, incident))
      // What ended an incident is known only when an action that is under way has its outcome: the next look tells.
      const folded = fold(known, found, snapshot, recommendationOf, randomUUID).filter(
        ({ kind, incident }) => kind !== 'resolved' || !isUnderWay(incident),
      )
      const { cardsPerMinute } = config.watch
      const isSilent = (incident: Incident) => silenceOf(incident, silences) !== null
      const limits = { cardsPerMinute, isSilent }
      const transitions = assignCards(folded, known, limits, snapshot.takenAt, randomUUID)
      const followed = transitions.map(({ incident }) => incident)
      const byKey = new Map(found.map((finding) => [findingKey(finding), finding]))
      const seenOf = ({ key }: Incident): Seen => {
        const finding = byKey.get(key)
        return finding ? { recommendation: recommendationOf(finding) } : null
      }
      if (transitions.length > 0)
        await cards.commitAll(
          // Digests last: what has a card of its own is not news there any more.
          [
            ...followed.filter(hasOwnCard).map(({ cardId }) => cardId),
            ...followed.flatMap(({ digestId }) => digestId ?? []),
          ],
          async (tx) => {
            for (const transition of transitions) {
              const incident = await asItIsNow(tx, await withCause(tx, transition, snapshot))
              const onCard = tx.on(incident.cardId)
              await tx.incidents.put(incident)
              if (transition.reason) await onCard.record(eventOf(transition))
              await proposalSync.syncOnCard(onCard, incident, seenOf(incident), picture)
            }
          },
        )
      // What a silence held back is posted when it has ended, and cards that it covered no longer say so.
      const quiet = silences.map(({ id }) => id).join()
      if (quiet !== silent) await cards.redraw(config.name)
      silent = quiet
      const changed = new Set(followed.map(({ id }) => id))
      for (const incident of await store.incidents.recent(config.name, snapshot.takenAt - reopenWithinMs))
        if (!changed.has(incident.id)) await proposalSync.syncIfNeeded(incident, seenOf(incident), picture)
      await proposalSync.withdrawStale(snapshot)
      lookedAt = snapshot.takenAt
    },

    gap: (what) => say({ kind: 'blind', actor: bot, cluster: config.name, since: null, reason: what }),

    behind: turning('watching is behind', 'Watching keeps up.'),

    healthUnavailable: turning(
      'deadlocks, prepared transactions, vacuum, wraparound and slots are not seen',
      'Deadlocks, prepared transactions, vacuum, wraparound and slots are seen too.',
    ),

    blind: visibility.lost,
  }

  /** Tells each turn of something that goes wrong for a while. */
  function turning(wrong: string, right: string): (reason: string | null) => Promise<void> {
    let isWrong = false
    return async (reason) => {
      if ((reason !== null) === isWrong) return
      const about = { actor: bot, cluster: config.name, since: null }
      await say(
        reason
          ? { kind: 'blind', ...about, reason: `${wrong}: ${reason}` }
          : { kind: 'seesAgain', ...about, reason: right },
      )
      isWrong = reason !== null
    }
  }

  /** A resolved incident says what ended it: an approved action of ours, on whichever card, or not. */
  async function withCause(
    { proposals }: Tables,
    { kind, incident }: Transition,
    { sessions, takenAt }: Snapshot,
  ): Promise<Incident> {
    if (kind !== 'resolved') return incident
    const done = await proposals.doneSince(incident.openedAt - config.approvals.expireAfterMs)
    const told = [incident.resolution, causeOf(incident, done, sessions, takenAt), ...unwatched(takenAt)]
    return { ...incident, resolution: told.join(' ') }
  }

  /** That nobody can say when it ended, where the last look lies further back than one that is merely slow. */
  function unwatched(takenAt: number): string[] {
    const unseenMs = lookedAt === null ? null : takenAt - lookedAt
    if (unseenMs !== null && unseenMs <= config.watch.everyMs + slowLookMs) return []
    const why =
      unseenMs === null ? 'The bot was just started' : `Nobody looked for ${formatDuration(unseenMs / 1000)}`
    return [`${why}, so it may have ended earlier.`]
  }

  /** What people have said of it since this look began is kept. */
  async function asItIsNow({ incidents }: Tables, incident: Incident): Promise<Incident> {
    const written = await incidents.get(incident.id)
    return { ...incident, acknowledgedBy: written?.acknowledgedBy ?? null }
  }

  /** Ends the silences whose time is up, and tells the others. */
  async function currentSilences(): Promise<Silence[]> {
    const all = Map.groupBy(await store.silences.ofCluster(config.name), ({ until }) => until <= now())
    await endSilences({ cards, store }, all.get(true) ?? [], bot, now())
    return all.get(false) ?? []
  }

  /** Says once what the role lacks, and again when that has changed. */
  async function reportMissingPrivileges(sees: boolean) {
    // What was lost is told at once, what is only suspected once a minute.
    if (sees && now() < askPrivilegesAt) return
    askPrivilegesAt = now() + privilegesEveryMs
    // The look itself went well; what is wrong with the other connection shows in the snapshots.
    const all = await attempt(
      () => cluster.missingPrivileges(),
      () => [],
    )
    const missing = all.filter(({ needed }) => needed)
    const fixes = missing.map(({ fix }) => fix).join()
    if (fixes === reported) return
    reported = fixes
    for (const { what, fix } of missing)
      await say({ kind: 'lacking', actor: bot, cluster: config.name, what, remedy: fix })
  }

  /** What is wrong, and what to do about each: with the statements of those of whom the cards tell. */
  async function look(
    picture: Picture,
    open: readonly Incident[],
  ): Promise<{ found: Finding[]; recommendationOf: (finding: Finding) => Recommendation | null }> {
    const { snapshot } = picture
    const retriesOf = await followRetries(deps, snapshot)
    const before = new Map(open.map((incident) => [incident.key, incident]))
    const found = findings(snapshot, picture.forest, config.watch, new Set(before.keys()), waitersOf(open))
    if (found.length === 0) return { found, recommendationOf: () => null }
    const standingFor = (finding: Finding) => before.get(findingKey(finding))?.recommendation?.target ?? null
    const known = { protectedSessions: config.protected, standingFor }
    const rough = recommendationsFor(picture, known)
    const named = new Set(
      found.flatMap((finding) => [subjectOf(finding)?.pid ?? 0, ...(rough(finding)?.named ?? [])]),
    )
    const sessions = await withStatements(cluster, snapshot.sessions, named)
    const byPid = new Map(sessions.map((session) => [session.pid, session]))
    const recommendationFor = recommendationsFor(picture, { ...known, sessions, retriesOf })
    const toldFindings = found.map((finding) => withSession(finding, byPid))
    const recommendations = new Map(toldFindings.map((finding) => [finding, recommendationFor(finding)]))
    return { found: toldFindings, recommendationOf: (finding) => recommendations.get(finding) ?? null }
  }
}

/** The cluster answers, but its sessions' doings are not shown to us. */
export const withoutGrant: Loss = {
  reason: 'the bot lacks pg_monitor, so it cannot see what other sessions do.',
  retryable: false,
  isInterruption: false,
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
  what: hasOwnCard(incident) ? (reason ?? '') : `${findingName(incident.finding)}: ${reason ?? ''}`,
})
