import type { WatchedCluster } from '../commands/cluster.ts'
import { worstFirst, worstSeverity } from '../domain/incidents/severity.ts'
import { quoted } from '../domain/lists/filters.ts'
import { sessionKeyOf } from '../domain/session/session.ts'
import { noActions, type Proposed, type Shown, withActions } from '../views/answers/actions.ts'
import type { ClusterStatus } from '../views/answers/clusters.ts'
import { overviewView } from '../views/answers/overview.ts'
import type { View } from '../views/kit.ts'
import { shortNameAndPid } from '../views/words.ts'
import { cardOf, isPending, type Open, openOn, type Past } from './openCards.ts'

/** Largest number of incidents, and of requests, that the overview names. */
const mostNamed = 5

/** Shows all clusters that may be seen: what is wrong, what waits for somebody, and what to do. */
export async function answerOverview(
  clusters: readonly WatchedCluster[],
  {
    past,
    statusOf,
    refresh,
    now,
  }: {
    readonly past: Past | null
    readonly statusOf: (watched: WatchedCluster) => Promise<ClusterStatus>
    readonly refresh: string | null
    readonly now: number
  },
): Promise<View> {
  const seen = await Promise.all(
    clusters.map(async (watched) => {
      const { name } = watched.config
      const [status, open] = await Promise.all([statusOf(watched), openOn(past, name)])
      return { watched, name, status, open }
    }),
  )
  const all = seen.flatMap(({ name, open }) => open.map((one) => ({ name, one })))
  const wrong = all
    .flatMap(({ name, one }) => (one.incident ? [{ name, one, incident: one.incident }] : []))
    .sort((a, b) => worstFirst(a.incident, b.incident))
  const waiting = all.filter(({ one }) => isPending(one))
  const named = async ({ name, one }: { readonly name: string; readonly one: Open }) =>
    past ? [await cardOf(past, name, one)] : []
  const incidents = (await Promise.all(wrong.slice(0, mostNamed).map(named))).flat()
  const pending = await Promise.all(
    waiting.slice(0, mostNamed).map(async (found) => {
      const [card] = await named(found)
      const proposal = found.one.proposals.at(-1)
      return card && proposal ? [{ card, proposal }] : []
    }),
  )
  const view = overviewView({
    clusters: seen.map(({ status, open }) => {
      const own = open.flatMap(({ incident }) => incident ?? [])
      return { status, incidents: own.length, worst: worstSeverity(own) }
    }),
    incidents,
    moreIncidents: Math.max(0, wrong.length - incidents.length),
    pending: pending.flat(),
    morePending: Math.max(0, waiting.length - mostNamed),
    remembers: past !== null,
    now,
  })
  return withActions(view, {
    ...noActions,
    // What is asked already has its buttons on the card.
    proposed: wrong
      .filter(({ one }) => !isPending(one))
      .slice(0, mostNamed)
      .flatMap(proposedFor),
    cards: incidents.filter(({ hasDetails }) => hasDetails).map((card) => ({ ...card, isNamed: true })),
    shows: showsFor(
      seen.map(({ name }) => name),
      wrong.map(({ name }) => name),
    ),
    refresh,
  })
}

function proposedFor({ name, one: { incident } }: { readonly name: string; readonly one: Open }): Proposed[] {
  const target = incident?.recommendation?.target
  if (!target) return []
  const { action, session } = target
  return [{ action, key: sessionKeyOf(name, session), whom: shortNameAndPid(session) }]
}

/** Ways to the sessions: of the only cluster, else of those in trouble first. */
function showsFor(names: readonly string[], troubled: readonly string[]): Shown[] {
  const [only] = names
  if (names.length === 1 && only !== undefined)
    return [
      { label: 'Show sessions', command: 'sessions' },
      { label: 'Show who blocks whom', command: 'blocking' },
    ]
  return [...new Set([...troubled, ...names])]
    .filter((name) => names.includes(name))
    .slice(0, 3)
    .map((name) => ({ label: `Show sessions on ${name}`, command: `sessions --cluster ${quoted(name)}` }))
}
