import { z } from 'zod'
import { parseDuration } from '../domain/text/duration.ts'
import { parseSize } from '../domain/text/size.ts'

/** Parts of the file. Every error is a sentence for people and never holds what stands in the file. */

export const required = (sentence: string) => ({
  error: (issue: { readonly input?: unknown }) =>
    issue.input === undefined ? `Missing. ${sentence}` : sentence,
})

/** A part of the file that holds keys. Unknown keys are errors, which name the known ones. */
export const configSection = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `Unknown key. Known here: ${Object.keys(shape).join(', ')}.`
        : `Write keys with values here: ${Object.keys(shape).join(', ')}.`,
  })

export const second = 1000
export const day = 86_400 * second

export function duration(min: number, max: number, range: string) {
  return z
    .string({ error: 'Write a duration with its unit, like 30s, 5m or 1h30m.' })
    .transform((text, context) => {
      const parsed = parseDuration(text)
      if ('ms' in parsed && parsed.ms >= min && parsed.ms <= max) return parsed.ms
      context.addIssue({
        code: 'custom',
        message: 'ms' in parsed ? `Write a duration ${range}.` : parsed.problem,
      })
      return z.NEVER
    })
}

const upToAYear = duration(0, 365 * day, 'up to 365d, or never')

/** A threshold: seconds, as ages in pg_stat_activity are given; Infinity for `never`. */
export const threshold = z.unknown().transform((value, context) => {
  if (value === 'never') return Number.POSITIVE_INFINITY
  const parsed = upToAYear.safeParse(value)
  if (parsed.success) return parsed.data / second
  for (const { message } of parsed.error.issues) context.addIssue({ code: 'custom', message })
  return z.NEVER
})

/** A threshold in transactions, up to where they go round; Infinity for `never`. */
export const transactions = z.unknown().transform((value, context) => {
  if (value === 'never') return Number.POSITIVE_INFINITY
  const digits =
    typeof value === 'string' && /^\d[\d_]{0,12}$/.test(value) ? value.replaceAll('_', '') : value
  const count = Number(digits)
  if (typeof digits !== 'boolean' && Number.isInteger(count) && count >= 1 && count < 2 ** 31) return count
  context.addIssue({
    code: 'custom',
    message: 'Write a number of transactions, like 10_000_000, or never.',
  })
  return z.NEVER
})

/** A threshold in bytes; Infinity for `never`. */
export const size = z.unknown().transform((value, context) => {
  if (value === 'never') return Number.POSITIVE_INFINITY
  const parsed = parseSize(String(value))
  if ('bytes' in parsed) return parsed.bytes
  context.addIssue({ code: 'custom', message: parsed.problem })
  return z.NEVER
})

/** NAMEDATALEN - 1: the server cuts names and application names at 63 bytes, so a longer one never matches. */
export const pattern = z
  .string({ error: 'Write a name; a * at its end stands for any rest.' })
  .min(1, { error: 'Write a name; a * at its end stands for any rest.' })
  .refine((text) => Buffer.byteLength(text.replace(/\*$/, '')) <= 63, {
    error: 'PostgreSQL cuts names at 63 bytes, so this would never match. Shorten it and end it with *.',
  })
  .refine((text) => !text.slice(0, -1).includes('*'), {
    error: 'A * is understood only at the end of a name.',
  })

/** Sessions that are meant: see `Match` in domain/policy.ts. */
export const sessionMatch = configSection({
  applicationName: pattern.optional(),
  user: pattern.optional(),
  database: pattern.optional(),
}).refine((rule) => Object.values(rule).some((value) => value !== undefined), {
  error: 'Write at least one of applicationName, user and database.',
})
