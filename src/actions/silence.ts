import { randomUUID } from 'node:crypto'
import type { WatchedCluster } from '../commands/cluster.ts'
import { type About, kindWords, type SilenceCommand } from '../commands/silenceCommand.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import type { People } from '../domain/session/policy.ts'
import { nextTime } from '../domain/text/hours.ts'
import type { Cards } from '../notify/cards.ts'
import { endSilences } from '../notify/endSilences.ts'
import type { Store } from '../store/store.ts'
import { silencesView } from '../views/answers/silences.ts'
import type { SnoozeChoice } from '../views/buttons.ts'
import type { View } from '../views/kit.ts'
import { silenceWords } from '../views/words.ts'
import { type Authorization, type Caller, unknownButton } from './authorize.ts'

/** Times for which a card silences its incident; the longest is the longest of `/pg snooze` too. */
const snoozeMs = { '30m': 30 * 60_000, '2h': 2 * 3_600_000, over: 7 * 86_400_000 } as const

/** Hour at which whoever is on call at night is relieved. */
const morningHour = 8

/** Reply to the caller: a refusal or a sentence in private, or a view for all. */
export type SilenceReply =
  | { readonly refusal: Refusal }
  | { readonly privately: string }
  | { readonly openly: View }

export type LookAfter = 'acknowledge' | 'takeOver' | 'handBack'

export type Silencing = {
  /** `/pg snooze`, `/pg unsnooze` and `/pg quiet`. */
  run(caller: Caller, watched: WatchedCluster, command: SilenceCommand): Promise<SilenceReply>
  /** "Snooze 30 min" on a card, and the menu beside it. The card says until when. */
  snooze(caller: Caller, incidentId: string, choice: '30m' | SnoozeChoice): Promise<Refusal | string | null>
  /** "Acknowledge", "I take it" and "Hand back" on a card. */
  lookAfter(caller: Caller, incidentId: string, how: LookAfter): Promise<Refusal | null>
  /**
   * "Hand over" on a card.
   * @param to the person who gets it; null only asks whether the caller may hand it over now
   */
  handOver(caller: Caller, incidentId: string, to: string | null): Promise<Refusal | null>
}

/** Holds new cards back for a while, for those who may read the cards; everything is still watched and written down. */
export function createSilencing(deps: {
  readonly cards: Cards
  readonly store: Store
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly authorization: Authorization
  /** The time zone of a person, as Slack knows it. */
  readonly timeZoneOf: (userId: string) => Promise<string>
  readonly now: () => number
}): Silencing {
  const { cards, store, clusters, timeZoneOf, now } = deps
  const { authorize, checkAccess, refuse } = deps.authorization

  async function silence(
    { userId }: Caller,
    {
      cluster,
      scope,
      reason,
      until,
      untilOver = false,
    }: Pick<Silence, 'cluster' | 'scope' | 'reason' | 'until' | 'untilOver'>,
  ) {
    await cards.commit(scope.kind === 'incident' ? scope.incidentId : null, async ({ silences, record }) => {
      const before = (await silences.ofCluster(cluster)).filter((other) => sameScope(other.scope, scope))
      for (const { id } of before) await silences.end(id)
      // It goes on from where the last one began, so that what happens meanwhile is reported at its end.
      const since = Math.min(now(), ...before.map((other) => other.since))
      await silences.add({
        id: randomUUID(),
        cluster,
        scope,
        since,
        until,
        by: userId,
        reason,
        ...(untilOver && { untilOver }),
      })
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
        await silence(caller, { cluster: name, scope: { kind: 'cluster' }, until: now() + forMs, reason })
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
      await silence(caller, { cluster: name, scope, until: now() + command.forMs, reason: command.reason })
      return {
        privately: `Snoozed: ${silenceWords(scope)} on ${name}; \`/pg unsnooze ${typed(command.about)}${here}\` ends it early.`,
      }
    },

    async snooze(caller, incidentId, choice) {
      const entry = { caller, where: 'button pg_snooze' }
      const incident = await store.incidents.get(incidentId)
      const watched = clusters.get(incident?.cluster ?? '')
      if (!incident || !watched) return refuse(entry, unknownButton)
      const refusal = await authorize(entry, watched.config.access.viewers, false)
      if (refusal) return refusal
      if (incident.resolvedAt !== null) return 'It is over already.'
      const { cluster, key } = incident
      const scope = { kind: 'incident', incidentId, key } as const
      const untilOver = choice === 'over'
      const until =
        choice === 'morning'
          ? nextTime(now(), morningHour, await timeZoneOf(caller.userId))
          : now() + snoozeMs[choice]
      await silence(caller, { cluster, scope, until, untilOver, reason: untilOver ? 'until it is over' : '' })
      return null
    },

    async lookAfter(caller, incidentId, how) {
      const found = await incidentFor(caller, incidentId, how)
      if ('code' in found) return found
      return pass(caller, found.incident, how, how === 'handBack' ? null : caller.userId)
    },

    async handOver(caller, incidentId, to) {
      const found = await incidentFor(caller, incidentId, 'handOver')
      if ('code' in found) return found
      const { incident, viewers } = found
      if (to === null) return refusalFor('handOver', incident, caller)
      // Whoever gets it must be able to acknowledge it.
      const { teamId } = caller
      const unfit = to === '' ? 'nobody was chosen' : await whyUnfit({ userId: to, teamId }, viewers)
      if (unfit) return { code: 'notAllowed', reason: unfit }
      return pass(caller, incident, 'handOver', to)
    },
  }

  async function incidentFor(caller: Caller, incidentId: string, how: LookAfter | 'handOver') {
    const entry = { caller, where: `button ${how}` }
    const incident = await store.incidents.get(incidentId)
    const watched = clusters.get(incident?.cluster ?? '')
    if (!incident || !watched) return refuse(entry, unknownButton)
    const { viewers } = watched.config.access
    return (await authorize(entry, viewers, false)) ?? { incident, viewers }
  }

  async function whyUnfit(chosen: Caller, viewers: People): Promise<string | null> {
    const refusal = await checkAccess(chosen, viewers, true)
    if (!refusal) return null
    return refusal.code === 'lookUpFailed'
      ? 'Slack did not say whether the person you chose may look after it, so it stays with you'
      : 'the person you chose may not look after it, so it stays with you'
  }

  /** Gives an incident to somebody, or to nobody, if that can still be done. */
  function pass(caller: Caller, { id, cardId }: Incident, how: LookAfter | 'handOver', to: string | null) {
    return cards.commit(cardId, async ({ incidents, record }): Promise<Refusal | null> => {
      const current = await incidents.get(id)
      const refusal = refusalFor(how, current, caller, to)
      if (!current || refusal) return refusal
      const { userId: actor } = caller
      const from = current.acknowledgedBy
      await incidents.put({ ...current, acknowledgedBy: to })
      await record(
        to === null
          ? { kind: 'handedBack', actor }
          : { kind: 'acknowledged', actor, ...(from && { from }), ...(to !== actor && { to }) },
      )
      return null
    })
  }
}

function refusalFor(
  how: LookAfter | 'handOver',
  incident: Incident | null,
  { userId }: Caller,
  to: string | null = null,
): Refusal | null {
  const by = incident?.acknowledgedBy ?? null
  if (incident === null) return { code: 'alreadyDecided', reason: 'it is not there any more', by }
  if (how === 'handOver' && incident.resolvedAt !== null)
    return { code: 'alreadyDecided', reason: 'it is over already' }
  const reason = whyNot(how, by, userId)
  if (reason !== null) return { code: 'alreadyDecided', reason, by }
  return how === 'handOver' && to === userId
    ? { code: 'alreadyDecided', reason: 'you look after it already' }
    : null
}

/** Says why somebody cannot take or give an incident now; null where they can. Each is relieved by the next alone. */
function whyNot(how: LookAfter | 'handOver', holder: string | null, userId: string): string | null {
  if (how === 'acknowledge') return holder === null ? null : 'it was already acknowledged'
  if (holder === null) return 'nobody looks after it; press Acknowledge'
  if (how === 'takeOver') return holder === userId ? 'it was already acknowledged' : null
  return holder === userId ? null : 'it is looked after, and you can press "I take it",'
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
