import { hasOwnCard, type Incident, reopenWithinMs, type Transition } from './incident.ts'
import { severityOf, severityRank, worstFirst } from './severity.ts'

/**
 * Gives incidents their cards: the worst ones a card each, as many as a minute allows; what is more goes into one digest,
 * the open one or a new one. An incident of the digest moves to a card of its own as soon as fewer than that many cards
 * are open that are at least as bad: so people have the worst before them, and rarely more than they can look after.
 * What is critical has its card at once, and so has the worst when no other card is open: calm must not hide it. Cards
 * that are over, or that a silence covers, ask nobody for anything, so they do not count.
 * @param transitions worst first, as `fold` returns them
 * @param isSilent brings no card now: it waits in the digest
 */
export function assignCards(
  transitions: readonly Transition[],
  known: readonly Incident[],
  { cardsPerMinute, isSilent }: CardLimits,
  { now, newId }: { readonly now: number; readonly newId: () => string },
): Transition[] {
  const folded = new Map(transitions.map((transition) => [transition.incident.id, transition]))
  const before = known
    .map((incident) => folded.get(incident.id)?.incident ?? incident)
    .filter(({ resolvedAt }) => resolvedAt === null)
  const opening = transitions.filter(({ kind }) => kind === 'opened').map(({ incident }) => incident)
  const cards = before.filter((incident) => hasOwnCard(incident) && !isSilent(incident))
  // One that was placed later than now was placed before the clock was set back.
  const recent = cards.filter(({ placedAt }) => placedAt <= now && now - placedAt < 60_000)
  const listed = before.filter((incident) => !hasOwnCard(incident))

  const given = new Set<string>()
  for (const incident of [...opening, ...listed].filter((one) => !isSilent(one)).sort(worstFirst)) {
    const isOwedOne = severityOf(incident.finding) === 'critical' || cards.length === 0
    const asBad = cards.filter((card) => severityRank(card) <= severityRank(incident)).length
    const isOneTooMany =
      recent.length + given.size >= cardsPerMinute || (listed.includes(incident) && asBad >= cardsPerMinute)
    if (isOneTooMany && !isOwedOne) continue
    given.add(incident.id)
    cards.push(incident)
  }

  // One that was over a moment ago goes on, as a card does.
  const over = known.findLast(
    (one) => !hasOwnCard(one) && one.resolvedAt !== null && now - one.resolvedAt <= reopenWithinMs,
  )
  let digest = (listed[0] ?? over)?.cardId
  const placed = transitions.map((transition) => {
    if (transition.kind !== 'opened' || given.has(transition.incident.id)) return transition
    digest ??= newId()
    return { ...transition, incident: { ...transition.incident, cardId: digest, digestId: digest } }
  })
  const moved = listed
    .filter(({ id }) => given.has(id))
    .map((incident): Transition => {
      const { kind, reason } = folded.get(incident.id) ?? { kind: 'changed', reason: null }
      return {
        kind,
        incident: { ...incident, cardId: incident.id, placedAt: now },
        reason: reason ?? 'It moved from the digest to a card of its own.',
      }
    })
  return [...placed.filter(({ incident }) => !moved.some((one) => one.incident.id === incident.id)), ...moved]
}

export type CardLimits = {
  readonly cardsPerMinute: number
  readonly isSilent: (incident: Incident) => boolean
}

/**
 * Gives a cluster that cannot be seen its place. A cut of the network blinds many at once: they share a digest as soon as so many
 * have cards as a minute allows, and move to cards of their own as others end.
 * @param others the open incidents of this kind of the other clusters in its channel
 */
export function placeUnreachable(
  incident: Incident,
  others: readonly Pick<Incident, 'id' | 'cardId'>[],
  { cardsPerMinute, isNew }: { readonly cardsPerMinute: number; readonly isNew: boolean },
  { now, newId }: { readonly now: number; readonly newId: () => string },
): Incident {
  // Once it has a card, the card stays.
  if (hasOwnCard(incident) && !isNew) return incident
  if (others.filter(hasOwnCard).length < cardsPerMinute)
    return { ...incident, cardId: incident.id, placedAt: now }
  if (!isNew) return incident
  const digest = others.find((one) => !hasOwnCard(one))?.cardId ?? newId()
  return { ...incident, cardId: digest, digestId: digest }
}
