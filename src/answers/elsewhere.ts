import type { WatchedCluster } from '../commands/cluster.ts'
import type { Command } from '../commands/command.ts'
import { severityOf } from '../domain/incidents/severity.ts'
import { quoted } from '../domain/lists/filters.ts'
import { list } from '../domain/text/sentence.ts'
import { attempt } from '../postgres/cluster.ts'
import { cardLine, noActions, type Shown, withActions } from '../views/answers/actions.ts'
import { compose, lines } from '../views/answers/page.ts'
import { bold, type Line, type View } from '../views/kit.ts'
import { cardOf, openOn, type Past } from './openCards.ts'

/** Largest number of other clusters that are named. */
const mostNamed = 3

type Picked = WatchedCluster | { readonly problem: string }

/**
 * Finds the cluster that has the session, where a pid was asked for without a cluster.
 * @param picked the cluster that the command means otherwise
 * @param seen those that may be seen
 * @returns or the question which one, where several have such a pid
 */
export async function findElsewhere(
  question: Command,
  picked: Picked,
  seen: readonly WatchedCluster[],
): Promise<{ readonly watched: Picked; readonly notes: readonly Line[] } | { readonly view: View }> {
  const here = { watched: picked, notes: [] }
  const pid = pidIn(question)
  if (pid === null || !('cluster' in question) || question.cluster !== null || seen.length < 2) return here
  const looked = await Promise.all(
    seen.map((watched) =>
      attempt(
        async () => ({
          watched,
          has: (await watched.cluster.snapshot()).sessions.some((session) => session.pid === pid),
        }),
        () => ({ watched, has: null }),
      ),
    ),
  )
  const own = looked.find(({ watched }) => watched === picked)
  // Where it was asked comes first, also when that cannot be seen: a stranger with its number would mislead.
  if (own && own.has !== false) return here
  const found = looked.filter(({ has }) => has === true).map(({ watched }) => watched)
  const unseen = looked.filter(({ has }) => has === null).map(({ watched }) => watched.config.name)
  const [only] = found
  if (!only) return here
  const doubt: Line[] =
    unseen.length === 0
      ? []
      : [
          [
            bold(`${list(unseen.slice(0, mostNamed))} cannot be seen`),
            `: there may be a session ${pid} as well.`,
          ],
        ]
  const notes: Line[] = [
    ...(own
      ? [
          [
            `There is no session ${pid} on ${own.watched.config.name}; this is the one on ${only.config.name}.`,
          ],
        ]
      : []),
    ...doubt,
  ]
  if (found.length === 1) return { watched: only, notes }
  const names = found.map(({ config }) => config.name)
  return {
    view: withActions(
      compose(`Session ${pid}`, [
        lines([
          bold(`${found.length} clusters have a session ${pid}: `),
          `${list(names.slice(0, 12))}. Which one?`,
        ]),
      ]),
      {
        ...noActions,
        notes: doubt,
        shows: names.map((name) => ({
          label: `Show ${pid} on ${name}`,
          command: `${question.kind} ${pid} --cluster ${quoted(name)}`,
        })),
      },
    ),
  }
}

function pidIn(question: Command): number | null {
  if (question.kind === 'session') return question.pid
  return question.kind === 'locks' && question.about && 'pid' in question.about ? question.about.pid : null
}

/** Says which other clusters have trouble now, with the way there. */
export async function trouble(
  past: Past | null,
  others: readonly WatchedCluster[],
): Promise<{ readonly notes: readonly Line[]; readonly shows: readonly Shown[] }> {
  if (!past) return noActions
  const found = await Promise.all(
    others.map(async ({ config: { name } }) => {
      const open = await openOn(past, name)
      const worst = open.find(({ incident }) => incident && severityOf(incident.finding) !== 'notice')
      return worst ? [{ name, line: cardLine(await cardOf(past, name, worst)) }] : []
    }),
  )
  const named = found.flat().slice(0, mostNamed)
  return {
    notes: named.map(({ name, line }): Line => [bold(`Trouble on ${name}. `), ...line]),
    shows: named.map(({ name }) => ({
      label: `Show sessions on ${name}`,
      command: `sessions --cluster ${quoted(name)}`,
    })),
  }
}
