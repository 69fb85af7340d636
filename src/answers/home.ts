import type { WatchedCluster } from '../commands/cluster.ts'
import { decide } from '../domain/approvals/approval.ts'
import type { OpenProposal, Proposal } from '../domain/approvals/proposal.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { severityRank, worstFirst, worstSeverity } from '../domain/incidents/severity.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import type { Tables } from '../store/store.ts'
import type { CardState } from '../views/card/cardState.ts'
import { headlineOf } from '../views/card/headline.ts'
import type { HomeState } from '../views/home.ts'

/** All that an App Home could show, of every cluster: it is read once for everybody who has one open. */
export type HomeMemory = {
  /** Open ones, worst first. */
  readonly incidents: readonly Incident[]
  readonly waiting: readonly OpenProposal[]
  readonly silences: readonly Silence[]
  /** Carried out or denied in the last hours, newest first. */
  readonly decided: readonly Proposal[]
}

export type HomeReader = {
  remembered(): Promise<HomeMemory>
  /** Picks what one person may see of it, and what waits for them. */
  homeOf(all: HomeMemory, reader: HomeOwner): Promise<HomeState>
}

/** Person whose Home it is, with the clusters that they may see, and those whose actions they may approve. */
export type HomeOwner = {
  readonly userId: string
  readonly sees: ReadonlySet<string>
  readonly approves: ReadonlySet<string>
}

/** Slack takes 100 blocks: https://docs.slack.dev/surfaces/app-home. A thumb wants fewer. */
const most = { pending: 8, incidents: 12, silences: 10, decided: 8 } as const
const latelyMs = 12 * 3_600_000

export function createHomeReader(deps: {
  readonly store: Pick<Tables, 'incidents' | 'proposals' | 'silences'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly cardState: (cardId: string) => Promise<CardState | null>
  readonly linkTo: (cardId: string) => Promise<string | null>
  /** Returns why a cluster, or what its sessions do, is not seen at the moment; null when it is. */
  readonly unseen: (cluster: string) => string | null
  readonly now: () => number
}): HomeReader {
  const { store, clusters, cardState, linkTo, unseen, now } = deps

  return {
    async remembered() {
      const [incidents, waiting, silences, decided] = await Promise.all([
        store.incidents.openOutside([]),
        store.proposals.inState('open'),
        store.silences.all(),
        store.proposals.decidedSince(now() - latelyMs),
      ])
      return {
        incidents: incidents.sort(worstFirst),
        waiting: waiting.sort((a, b) => a.expiresAt - b.expiresAt),
        silences: silences.sort((a, b) => a.until - b.until),
        decided: decided
          .filter(({ state }) => state === 'done' || state === 'denied')
          .sort((a, b) => timeOf(b) - timeOf(a)),
      }
    },

    async homeOf(all, owner) {
      const isSeen = (cluster: string) => owner.sees.has(cluster)
      const incidents = all.incidents.filter(({ cluster }) => isSeen(cluster))
      const waiting = all.waiting.filter(({ key }) => isSeen(key.cluster))
      const incidentOf = new Map(incidents.map((incident) => [incident.id, incident]))
      // A request by hand waits for somebody, as a critical incident does.
      const rank = ({ cardId }: OpenProposal) => {
        const incident = incidentOf.get(cardId)
        return incident ? severityRank(incident) : 0
      }
      const mine = waiting.filter((proposal) => mayApprove(owner, proposal)).sort((a, b) => rank(a) - rank(b))
      const silences = all.silences.filter(({ cluster, until }) => isSeen(cluster) && until > now())
      const decided = all.decided.filter(({ key }) => isSeen(key.cluster))
      const linkOf = (cardId: string) => linkTo(incidentOf.get(cardId)?.cardId ?? cardId)
      return {
        clusters: [...owner.sees].map((name) => {
          const own = incidents.filter(({ cluster }) => cluster === name)
          return { name, unseen: unseen(name), incidents: own.length, worst: worstSeverity(own) }
        }),
        incidents: await Promise.all(
          incidents.slice(0, most.incidents).map(async (incident) => ({
            headline: headlineIn(incident),
            link: await linkTo(incident.cardId),
          })),
        ),
        openIncidents: incidents.length,
        pending: (
          await Promise.all(
            mine.slice(0, most.pending).map(async (proposal) => {
              const card = await cardState(proposal.cardId)
              return card ? [{ proposal, card, link: await linkOf(proposal.cardId) }] : []
            }),
          )
        ).flat(),
        waitingForMe: mine.length,
        waitingForOthers: waiting.length - mine.length,
        silences: silences.slice(0, most.silences).map((silence) => ({
          silence,
          headline: subjectOf(silence, incidentOf),
        })),
        moreSilences: Math.max(0, silences.length - most.silences),
        decided: await Promise.all(
          decided.slice(0, most.decided).map(async (proposal) => ({
            proposal,
            headline: headlineOf({ cluster: proposal.key.cluster, incident: null, proposals: [proposal] }),
            link: await linkOf(proposal.cardId),
          })),
        ),
      }
    },
  }

  /** Decides whether a press of its button by this person would count. */
  function mayApprove({ userId, approves }: HomeOwner, proposal: OpenProposal): boolean {
    const watched = clusters.get(proposal.key.cluster)
    if (!watched || !approves.has(proposal.key.cluster)) return false
    // Where a code is asked for, the press opens the modal that takes it.
    const press = { userId, decision: 'approve', action: proposal.action, reason: '', hasCode: true } as const
    const step = decide(proposal, press, watched.config.approvals, now())
    return step !== 'counted' && !('code' in step) && step.next.state !== 'expired'
  }
}

/** A request that is open changes nothing of it. */
const headlineIn = (incident: Incident): string =>
  headlineOf({ cluster: incident.cluster, incident, proposals: [] })

/** The headline of the incident that somebody snoozed; null where the silence is about more, or it is over. */
function subjectOf({ scope }: Silence, open: ReadonlyMap<string, Incident>): string | null {
  const incident = scope.kind === 'incident' ? open.get(scope.incidentId) : undefined
  return incident ? headlineIn(incident) : null
}

const timeOf = ({ claimedAt, createdAt }: Proposal): number => claimedAt ?? createdAt
