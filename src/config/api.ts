import { z } from 'zod'
import { shortName, someClusters } from './names.ts'
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
  name: shortName('token', 'deploybot'),
  sha256: z
    .string(required(hashHint))
    .regex(/^[0-9a-f]{64}$/i, { error: hashHint })
    .transform((digits) => digits.toLowerCase()),
  may: z
    .array(z.enum(tokenRights, { error: rightsHint }), required(rightsHint))
    .min(1, { error: rightsHint })
    .transform((rights) => [...new Set(rights)]),
  clusters: someClusters.optional(),
})

export const api = configSection({
  tokens: z
    .array(token, {
      error: 'Write a list of tokens like - { name: deploybot, sha256: 9f86d0…, may: [look, propose] }.',
    })
    .optional(),
})

export const resolveTokens = (file: z.output<typeof api> | undefined): ApiToken[] =>
  (file?.tokens ?? []).map(({ clusters, ...token }) => ({ ...token, clusters: clusters ?? null }))

/** Finds tokens that two programs have: the journal could not say which of them it was. */
export const sharedTokens = (all: readonly ApiToken[]): ConfigProblem[] =>
  all.flatMap(({ sha256 }, index) =>
    all.findIndex((one) => one.sha256 === sha256) === index
      ? []
      : [
          {
            path: ['http', 'api', 'tokens', index, 'sha256'],
            sentence: 'Another name has this token already: give each program its own.',
          },
        ],
  )
