import { z } from 'zod'
import { configSection, required } from './parts.ts'
import type { ConfigProblem } from './problem.ts'

/** Rights of a token. There is none to decide: that is a person's, by a button. */
export const tokenRights = ['look', 'propose'] as const
export type TokenRight = (typeof tokenRights)[number]

/** A program that may look and ask over HTTP. */
export type ApiToken = {
  readonly name: string
  /** SHA-256 of the token, in lower-case hexadecimal: the token itself is nowhere here. */
  readonly sha256: string
  readonly may: readonly TokenRight[]
  /** Names of clusters; null: all. */
  readonly clusters: readonly string[] | null
}

const rightsHint = 'Write what it may do: [look], or [look, propose].'
const hashHint = 'Write the token\'s SHA-256, 64 hexadecimal digits: `printf %s "$TOKEN" | sha256sum`.'

const token = configSection({
  name: z
    .string(required('Give the token a short name, like deploybot.'))
    .regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, {
      error: 'Write a short name of lower-case letters, digits, - and _, at most 32, like deploybot.',
    }),
  sha256: z
    .string(required(hashHint))
    .regex(/^[0-9a-f]{64}$/i, { error: hashHint })
    .transform((digits) => digits.toLowerCase()),
  may: z
    .array(z.enum(tokenRights, { error: rightsHint }), required(rightsHint))
    .min(1, { error: rightsHint })
    .transform((rights) => [...new Set(rights)]),
  clusters: z
    .array(z.string(), { error: 'Write a list of names of clusters, like [orders].' })
    .min(1, { error: 'An empty list is no cluster; leave it out for all.' })
    .optional(),
})

export const api = configSection({
  tokens: z
    .array(token, {
      error: 'Write a list of tokens like - { name: deploybot, sha256: 9f86d0…, may: [look, propose] }.',
    })
    .optional(),
})

export const resolveTokens = (file: z.output<typeof api> | undefined): ApiToken[] =>
  (file?.tokens ?? []).map(({ clusters, ...token }) => ({
    ...token,
    clusters: clusters ? [...new Set(clusters)] : null,
  }))

/** Finds names and tokens that stand twice, and clusters that are not there. */
export const tokenProblems = (all: readonly ApiToken[], clusters: readonly string[]): ConfigProblem[] =>
  all.flatMap(({ name, sha256, clusters: named }, index) => {
    const at = (key: string | number, ...rest: number[]) => ['http', 'api', 'tokens', index, key, ...rest]
    const isSecond = (same: (one: ApiToken) => boolean) => all.findIndex(same) < index
    return [
      ...(isSecond((one) => one.name === name)
        ? [{ path: at('name'), sentence: 'Another token has this name already.' }]
        : []),
      ...(isSecond((one) => one.sha256 === sha256)
        ? [
            {
              path: at('sha256'),
              sentence: 'Another name has this token already: give each program its own.',
            },
          ]
        : []),
      ...(named ?? []).flatMap((one, place) =>
        clusters.includes(one)
          ? []
          : [{ path: at('clusters', place), sentence: 'There is no cluster of this name.' }],
      ),
    ]
  })
