import { clustersMeant } from '../commands/cluster.ts'
import type { StatsQuestion } from '../commands/pastCommand.ts'
import { type Figures, figureKinds, figuresOf } from '../domain/incidents/figures.ts'
import type { Tables } from '../store/store.ts'
import { problemView } from '../views/answers/page.ts'
import { statsView } from '../views/answers/stats.ts'
import type { View } from '../views/kit.ts'
import type { Past } from './openCards.ts'

/**
 * Answers how quickly trouble was seen, answered and ended.
 * @param clusters those that the reader may see
 */
export async function answerStats(
  { cluster, sinceMs }: StatsQuestion,
  {
    past,
    clusters,
    now,
  }: { readonly past: Past | null; readonly clusters: readonly string[]; readonly now: number },
): Promise<View> {
  if (!past) return problemView('There is no journal here.')
  const shown = clustersMeant(cluster, clusters)
  if ('problem' in shown) return problemView(shown.problem)
  return statsView({ figures: await readFigures(past, shown, now - sinceMs), clusters: shown, sinceMs })
}

/** Reads the figures of these clusters since a time in milliseconds. */
async function readFigures(
  { incidents, proposals, journal }: Pick<Tables, 'incidents' | 'proposals' | 'journal'>,
  clusters: readonly string[],
  since: number,
): Promise<Figures> {
  const opened = (await Promise.all(clusters.map((name) => incidents.recent(name, since)))).flat()
  return figuresOf({
    incidents: opened.filter(({ openedAt }) => openedAt >= since),
    proposals: (await proposals.madeSince(since)).filter(({ key }) => clusters.includes(key.cluster)),
    rows: await journal.since(since, figureKinds),
  })
}

/** Days and milliseconds: what /metrics covers, and for how long it shows the same figures. */
const exposedDays = 30
const holdsMs = 60_000

/** Reads the figures of the last 30 days, at most once a minute however often they are asked for. */
export function createFiguresReader(deps: {
  readonly past: Pick<Tables, 'incidents' | 'proposals' | 'journal'>
  /** Returns the clusters that are watched now. */
  readonly clusters: () => readonly string[]
  readonly now: () => number
}): () => Promise<Figures> {
  const { past, clusters, now } = deps
  let last: { readonly at: number; readonly figures: Promise<Figures> } | null = null
  return () => {
    const at = now()
    if (last !== null && at >= last.at && at - last.at < holdsMs) return last.figures
    const figures = readFigures(past, clusters(), at - exposedDays * 86_400_000)
    last = { at, figures }
    // A look that failed is not kept.
    figures.catch(() => {
      if (last?.figures === figures) last = null
    })
    return figures
  }
}
