import { z } from 'zod'
import { required } from './parts.ts'
import type { ConfigProblem, Path } from './problem.ts'

/** Names that the file gives, and names of clusters that stand elsewhere in it. */

export const shortName = (kind: string, ...examples: readonly [string, ...string[]]) =>
  z
    .string(required(`Give the ${kind} a short name, like ${examples[0]}.`))
    .regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, {
      error: `Write a short name of lower-case letters, digits, - and _, at most 32, like ${examples.join(' or ')}.`,
    })

export const someClusters = z
  .array(z.string(), { error: 'Write a list of names of clusters, like [orders].' })
  .min(1, { error: 'An empty list is no cluster; leave it out for all.' })
  .transform((names): readonly string[] => [...new Set(names)])

type Named = {
  readonly name: string
  /** Names of clusters; null: all. */
  readonly clusters: readonly string[] | null
}

/** Finds names that two of one list have, and clusters that are not there. */
export const nameProblems = (
  kind: string,
  path: Path,
  all: readonly Named[],
  clusters: readonly string[],
): ConfigProblem[] =>
  all.flatMap(({ name, clusters: named }, index) => [
    ...(all.findIndex((one) => one.name === name) < index
      ? [{ path: [...path, index, 'name'], sentence: `Another ${kind} has this name already.` }]
      : []),
    ...(named ?? []).flatMap((one, place) =>
      clusters.includes(one)
        ? []
        : [{ path: [...path, index, 'clusters', place], sentence: 'There is no cluster of this name.' }],
    ),
  ])
