import { readHealth } from '../answers/health.ts'
import { entryOf, eventsSince } from '../answers/history.ts'
import { blockingJson, notSeenJson, sessionJson, sessionsJson } from '../answers/json.ts'
import { momentIn } from '../answers/moment.ts'
import type { Past } from '../answers/openCards.ts'
import type { PastLooks } from '../answers/record.ts'
import type { WatchedCluster } from '../commands/cluster.ts'
import type { ApiToken } from '../config/api.ts'
import { withTexts } from '../domain/history/look.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import { severityOf, worstFirst } from '../domain/incidents/severity.ts'
import { matchesFilters } from '../domain/lists/filters.ts'
import { type Picture, pictureOf } from '../domain/locks/picture.ts'
import { fittingAction } from '../domain/session/allowedAction.ts'
import { wraparoundRatio } from '../domain/session/health.ts'
import type { Protected } from '../domain/session/policy.ts'
import type { Session } from '../domain/session/session.ts'
import { parsePastMoment } from '../domain/text/moment.ts'
import { sentenceOf } from '../views/card/findings.ts'
import { incidentPartOf, iso, proposalPartOf } from '../views/documentParts.ts'
import type { BlockingPage, Documents, Page } from './documents.ts'
import type { Inputs } from './inputs.ts'
import type { LookName } from './operations.ts'
import { ApiError } from './problem.ts'
import type { Tokens } from './tokens.ts'

/** Looks of programs: the same eyes as a person's, as data. Each throws what `apiErrorOf` knows. */
export type Looks = {
  [N in LookName]: (input: Inputs[N], token: ApiToken) => Promise<Documents[N]>
}

/** Programs that ask at the same time share a look, so that they cost a server no more than one a second. Milliseconds. */
const sharedMs = 1000
const usualPage = 100
/** Most of a statement that a program gets, in bytes. */
export const longestText = 1000
/** A page ends before it is larger than this, in bytes. One entry is a page, however large it is. */
const largestPage = 1_000_000
/** Open incidents of one cluster in the list of clusters: the worst ones. */
const mostIncidents = 100
const dayMs = 86_400_000

export function createLooks(deps: {
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  readonly past: Past
  readonly record: PastLooks | null
  readonly tokens: Pick<Tokens, 'demandCluster'>
  /** Masks constants, whatever people may see. */
  readonly maskText: (text: string | null) => string | null
  readonly now: () => number
  readonly steady: () => number
}): Looks {
  const { clusters, past, record, tokens, maskText, now, steady } = deps
  const facts = { silenced: false, maskText }
  const shared = new Map<string, { readonly at: number; readonly picture: Promise<Picture> }>()

  return {
    async clusters({ name = '', ...page }, { clusters: may }) {
      const names = [...clusters.keys()].filter((one) => one.includes(name) && (may?.includes(one) ?? true))
      const open = Map.groupBy(await past.incidents.openOutside([]), ({ cluster }) => cluster)
      const shown = await pageOf(names.sort(), page, byName, async (some) =>
        some.map((one) => {
          const incidents = (open.get(one) ?? []).toSorted(worstFirst)
          const blind = incidents.find(({ finding }) => finding.kind === 'unreachable')
          const why =
            clusters.get(one)?.cluster.failure()?.reason ?? (blind ? sentenceOf(blind.finding) : null)
          const worst = incidents.slice(0, mostIncidents)
          return {
            ...{ name: one, seen: why === null, why, incidents: worst.map(incidentOf) },
            incidentsLeftOut: incidents.length - worst.length,
          }
        }),
      )
      return { ...shown.page, clusters: shown.documents }
    },

    async sessions({ cluster: name, limit, after, older, ...filters }, token) {
      const watched = clusterOf(name, token)
      const picture = await lookAt(watched)
      const whole = sessionsJson(picture)
      const olderSeconds = older === undefined ? undefined : older / 1000
      const matching = whole.sessions
        .filter((session) => matchesFilters(session, { ...filters, olderSeconds }))
        .toSorted((a, b) => a.pid - b.pid)
      const shown = await pageOf(matching, { limit, after }, byPid, async (some) =>
        (await withText(watched, some)).map((session) => sessionJson(session, picture)),
      )
      return { ...whole, ...shown.page, sessions: shown.documents }
    },

    async blocking({ cluster: name, ...page }, token) {
      const watched = clusterOf(name, token)
      const picture = await lookAt(watched)
      return blockingPage(picture, watched.config.protected, page, (some) => withText(watched, some))
    },

    async session({ cluster: name, pid }, token) {
      const watched = clusterOf(name, token)
      const picture = await lookAt(watched)
      const { snapshot, forest } = picture
      const session = snapshot.sessions.find((one) => one.pid === pid)
      if (!session)
        throw new ApiError(404, 'noSession', `There is no session ${pid} on ${name}; it may have ended.`)
      const [known = session] = await withText(watched, [session])
      const fit = fittingAction(session, snapshot.server, watched.config.protected)
      const jam = blockingJson(picture, watched.config.protected).roots.find(
        (root) => root.pid === pid || root.victims.includes(pid),
      )
      return {
        cluster: name,
        takenAt: iso(snapshot.takenAt),
        session: sessionJson(known, picture),
        victims: forest.behind(pid),
        jam: jam ?? null,
        mayPropose: { action: fit.action, why: fit.action === null ? fit.why : (fit.otherwise ?? '') },
      }
    },

    async health({ cluster: name }, token) {
      const watched = clusterOf(name, token)
      const { snapshot, found, unread } = await readHealth(watched, await lookAt(watched), past)
      const { health } = snapshot
      const ratios = health?.databases.map(wraparoundRatio) ?? []
      return {
        cluster: name,
        takenAt: iso(snapshot.takenAt),
        checkedAt: health ? iso(health.takenAt) : null,
        unread,
        seesOthers: snapshot.server.seesOthers,
        findings: found.map((finding) => ({
          kind: finding.kind,
          severity: severityOf(finding),
          summary: sentenceOf(finding),
        })),
        wraparoundPercent: ratios.length > 0 ? Math.round(1000 * Math.max(...ratios)) / 10 : null,
      }
    },

    async history({ cluster: name, since = dayMs, ...page }, token) {
      clusterOf(name, token)
      const all = await eventsSince(past, [name], now() - since)
      const shown = await pageOf(all, page, byPlace, async (some) => {
        const entries = await Promise.all(some.map((one) => entryOf(past, one)))
        return entries.map(({ at, cluster, incident, proposals, link }) => ({
          at: iso(at),
          cluster,
          permalink: link,
          incident: incident && incidentOf(incident),
          proposals: proposals.map((one) => proposalPartOf(one, facts)),
        }))
      })
      return { ...shown.page, entries: shown.documents }
    },

    async at({ cluster: name, time, ...page }, token) {
      const { config } = clusterOf(name, token)
      if (!record) throw new ApiError(404, 'notRecorded', 'Nothing is recorded here: `history.keep` is off.')
      const wanted = parsePastMoment(time, 'UTC', now())
      if ('problem' in wanted) throw new ApiError(400, 'badTime', wanted.problem)
      await record.settle?.()
      const known = await momentIn(record, name, wanted.at)
      if ('begins' in known)
        throw new ApiError(
          404,
          'notRecorded',
          known.begins === null
            ? `Nothing is recorded of ${name} yet.`
            : `The record of ${name} begins at ${iso(known.begins)}.`,
        )
      if (!known.look) return notSeenJson(name, known)
      const { snapshot } = known.look
      return blockingPage(pictureOf(snapshot), config.protected, page, async (some) =>
        masked(withTexts(some, snapshot)),
      )
    },
  }

  function clusterOf(name: string, token: ApiToken): WatchedCluster {
    tokens.demandCluster(token, name)
    const watched = clusters.get(name)
    if (!watched) throw new ApiError(404, 'unknownCluster', `There is no cluster ${name}; ask for the list.`)
    return watched
  }

  async function lookAt({ config: { name }, cluster }: WatchedCluster): Promise<Picture> {
    const last = shared.get(name)
    if (last && steady() - last.at < sharedMs) return last.picture
    const look = { at: steady(), picture: cluster.snapshot().then(pictureOf) }
    shared.set(name, look)
    // What failed is tried again by the next one.
    look.picture.catch(() => shared.get(name) === look && shared.delete(name))
    return look.picture
  }

  async function withText({ cluster }: WatchedCluster, sessions: readonly Session[]): Promise<Session[]> {
    return masked(await cluster.withText(sessions, longestText))
  }

  function masked(sessions: readonly Session[]): Session[] {
    return sessions.map((session) => ({ ...session, query: maskText(session.query) }))
  }

  function incidentOf(incident: Incident) {
    return incidentPartOf(incident, facts)
  }
}

/** Cuts a page out of the jams, worst first, with the first of those who are in them. */
async function blockingPage(
  picture: Picture,
  protectedSessions: readonly Protected[],
  page: PageInput,
  withText: (sessions: readonly Session[]) => Promise<Session[]>,
): Promise<BlockingPage> {
  const whole = blockingJson(picture, protectedSessions)
  const roots = await pageOf(whole.roots, page, byPlace, async (some) => some)
  const shown = new Set([
    ...roots.documents.flatMap(({ pid, victims }) => [pid, ...victims]),
    ...whole.cycles.flat(),
  ])
  const involved = whole.sessions.filter(({ pid }) => shown.has(pid))
  const some = await withText(involved.slice(0, page.limit ?? usualPage))
  const sessions = fitting(some.map((session) => sessionJson(session, picture)))
  return {
    ...whole,
    ...roots.page,
    roots: roots.documents,
    sessions,
    sessionsLeftOut: involved.length - sessions.length,
  }
}

type PageInput = { readonly limit?: number | undefined; readonly after?: string | undefined }

/** Order of a list: what is sent as `after`, and what comes after it. */
type Order<T> = {
  keyOf(item: T, index: number): string
  isAfter(item: T, after: string, index: number): boolean
}

// Sessions come and go between two pages; what is in both looks is neither skipped nor repeated.
const byPid: Order<{ readonly pid: number }> = {
  keyOf: ({ pid }) => String(pid),
  isAfter: ({ pid }, after) => pid > Number(after),
}
const byName: Order<string> = { keyOf: (name) => name, isAfter: (name, after) => name > after }
const byPlace: Order<unknown> = {
  keyOf: (_, index) => String(index + 1),
  isAfter: (_, after, index) => index >= Number(after),
}

/**
 * Cuts one page out of a list that is in this order.
 * @param documentsOf writes one document for each entry
 */
async function pageOf<T, D>(
  all: readonly T[],
  { limit = usualPage, after }: PageInput,
  { keyOf, isAfter }: Order<NoInfer<T>>,
  documentsOf: (some: readonly T[]) => Promise<readonly D[]>,
): Promise<{ readonly documents: readonly D[]; readonly page: Page }> {
  const rest = all.map((item, index) => ({ item, index }))
  const some = after === undefined ? rest : rest.filter(({ item, index }) => isAfter(item, after, index))
  const documents = fitting(await documentsOf(some.slice(0, limit).map(({ item }) => item)))
  const last = some[documents.length - 1]
  return {
    documents,
    page: {
      total: all.length,
      next: last && some.length > documents.length ? keyOf(last.item, last.index) : null,
    },
  }
}

/** Returns the first of them that fit into one page. */
function fitting<D>(documents: readonly D[]): readonly D[] {
  let size = 0
  const end = documents.findIndex((one, index) => {
    size += Buffer.byteLength(JSON.stringify(one))
    return index > 0 && size > largestPage
  })
  return end < 0 ? documents : documents.slice(0, end)
}
