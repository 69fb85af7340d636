import { randomUUID } from 'node:crypto'
import type { WatchedCluster } from '../commands/cluster.ts'
import { type About, kindWords, type SilenceCommand } from '../commands/silenceCommand.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import type { Cards } from '../notify/cards.ts'
import { endSilences } from '../notify/endSilences.ts'
import type { Store } from '../store/store.ts'
import { silencesView } from '../views/answers/silences.ts'
import type { View } from '../views/kit.ts'
import { silenceWords } from '../views/words.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'

/** Time for which the button on a card silences its incident. */
const snoozeMs = 30 * 60_000

/** Reply to the caller: a refusal or a sentence in private, or a view for all. */
export type SilenceReply =
  | { readonly refusal: Refusal }
  | { readonly privately: string }
  | { readonly openly: View }

export type Silencing = {
  /** `/pg snooze`, `/pg unsnooze` and `/pg quiet`. */
  run(caller: Caller, watched: WatchedCluster, command: SilenceCommand): Promise<SilenceReply>
  /** "Snooze" on a card. */
  snooze(caller: Caller, incidentId: string): Promise<Refusal | string>
  /** "Acknowledge" on a card. */
  acknowledge(caller: Caller, incidentId: string): Promise<Refusal | null>
}

/** Holds new cards back for a while, for those who may read the cards; everything is still watched and written down. */
export function createSilencing(deps: {
  readonly cards: Cards
  readonly store: Store
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  readonly now: () => number
}): Silencing {
  const { cards, store, clusters, now } = deps
  const { authorize, refuse } = deps.authorization

  async function silence(
    { userId }: Caller,
    {
      cluster,
      scope,
      reason,
      forMs,
    }: Pick<Silence, 'cluster' | 'scope' | 'reason'> & { readonly forMs: number },
  ) {
    const until = now() + forMs
    await cards.commit(scope.kind === 'incident' ? scope.incidentId : null, async ({ silences, record }) => {
      const before = (await silences.ofCluster(cluster)).filter((other) => sameScope(other.scope, scope))
      for (const { id } of before) await silences.end(id)
      // It goes on from where the last one began, so that what happens meanwhile is reported at its end.
      const since = Math.min(now(), ...before.map((other) => other.since))
      await silences.add({ id: randomUUID(), cluster, scope, since, until, by: userId, reason })
      await record({
        kind: 'silenced',
        actor: userId,
        cluster,
        what: silenceWords(scope),
        until,
        reason,
      })
    })
  }

  /** @returns how many silences were ended */
  async function lift(
    caller: Caller,
    cluster: string,
    test: (scope: Silence['scope']) => boolean,
  ): Promise<number> {
    const found = (await store.silences.ofCluster(cluster)).filter(({ scope }) => test(scope))
    return endSilences({ cards, store }, found, caller.userId, now())
  }

  async function scopeOf(cluster: string, about: About): Promise<Silence['scope'] | null> {
    if ('findingKind' in about) return { kind: 'finding', findingKind: about.findingKind }
    const open = await store.incidents.open(cluster)
    const incident = open.find(({ id }) => id.startsWith(about.card))
    return incident ? { kind: 'incident', incidentId: incident.id, key: incident.key } : null
  }

  const isDigest = async (cluster: string, about: About): Promise<boolean> =>
    'card' in about &&
    (await store.incidents.open(cluster)).some(({ cardId }) => cardId.startsWith(about.card))

  return {
    async run(caller, { config }, command) {
      const refusal = await authorize({ caller, where: `/pg ${command.kind}` }, config.access.viewers, false)
      if (refusal) return { refusal }
      const { name } = config
      const here = clusters.size > 1 ? ` --cluster ${name}` : ''
      const left = async () =>
        (await store.silences.ofCluster(name)).some(({ until }) => until > now())
          ? ` Something else is silent still: \`/pg quiet${here}\` shows it.`
          : ' New cards come again.'
      if (command.kind === 'quiet') {
        if (command.forMs === null)
          return {
            openly: silencesView(
              name,
              (await store.silences.ofCluster(name)).filter(({ until }) => until > now()),
            ),
          }
        if (command.forMs === 0)
          return (await lift(caller, name, ({ kind }) => kind === 'cluster')) > 0
            ? { privately: `Quiet period on ${name} ended.${await left()}` }
            : { privately: `${name} was not quiet.` }
        const { forMs, reason } = command
        await silence(caller, { cluster: name, scope: { kind: 'cluster' }, forMs, reason })
        return { privately: `${name} is quiet; \`/pg quiet off${here}\` ends it early.` }
      }
      const scope = await scopeOf(name, command.about)
      // What is over may be silent still: its trouble would come back unheard.
      if (command.kind === 'unsnooze' && (await lift(caller, name, isAbout(command.about, scope))) > 0)
        return { privately: `The snooze has ended.${await left()}` }
      if (!scope && (await isDigest(name, command.about)))
        return {
          privately: `That is a digest of many incidents. Snooze what they have in common: \`/pg snooze idle 30m${here}\`.`,
        }
      if (!scope)
        return {
          privately: `No open incident on ${name} has an id that begins so; the id stands at the foot of its card.`,
        }
      if (command.kind === 'unsnooze')
        return { privately: `It was not snoozed; \`/pg quiet${here}\` shows what is silent.` }
      await silence(caller, { cluster: name, scope, forMs: command.forMs, reason: command.reason })
      return {
        privately: `Snoozed: ${silenceWords(scope)} on ${name}; \`/pg unsnooze ${typed(command.about)}${here}\` ends it early.`,
      }
    },

    async snooze(caller, incidentId) {
      const entry = { caller, where: 'button pg_snooze' }
      const incident = await store.incidents.get(incidentId)
      const watched = clusters.get(incident?.cluster ?? '')
      if (!incident || !watched) return refuse(entry, unknownButton)
      const refusal = await authorize(entry, watched.config.access.viewers, false)
      if (refusal) return refusal
      if (incident.resolvedAt !== null) return 'It is over already.'
      const { cluster, key } = incident
      const scope = { kind: 'incident', incidentId, key } as const
      await silence(caller, { cluster, scope, forMs: snoozeMs, reason: '' })
      return 'Snoozed for 30 minutes: this trouble brings no new card until then.'
    },

    async acknowledge(caller, incidentId) {
      const entry = { caller, where: 'button pg_acknowledge' }
      const incident = await store.incidents.get(incidentId)
      const watched = clusters.get(incident?.cluster ?? '')
      if (!incident || !watched) return refuse(entry, unknownButton)
      const refusal = await authorize(entry, watched.config.access.viewers, false)
      if (refusal) return refusal
      return cards.commit(incident.cardId, async ({ incidents, record }) => {
        const current = await incidents.get(incidentId)
        if (!current || current.acknowledgedBy !== null)
          return {
            code: 'alreadyDecided',
            reason: 'it was already acknowledged',
            by: current?.acknowledgedBy ?? null,
          }
        await incidents.put({ ...current, acknowledgedBy: caller.userId })
        await record({ kind: 'acknowledged', actor: caller.userId })
        return null
      })
    },
  }
}

/** As people type it. */
const typed = (about: About): string | undefined =>
  'card' in about ? about.card : Object.keys(kindWords).find((word) => kindWords[word] === about.findingKind)

/** @param scope what is open by that name; null when nothing is */
const isAbout =
  (about: About, scope: Silence['scope'] | null) =>
  (other: Silence['scope']): boolean =>
    (scope !== null && sameScope(other, scope)) ||
    ('card' in about && other.kind === 'incident' && other.incidentId.startsWith(about.card))

const sameScope = (a: Silence['scope'], b: Silence['scope']): boolean =>
  a.kind === b.kind &&
  (a.kind === 'cluster' ||
    (a.kind === 'finding' && b.kind === 'finding' && a.findingKind === b.findingKind) ||
    (a.kind === 'incident' && b.kind === 'incident' && a.key === b.key))
