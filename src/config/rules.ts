import { z } from 'zod'
import type { Rule, SessionThresholds } from '../domain/session/policy.ts'
import { shadowOf } from '../domain/session/rules.ts'
import { isTimeZone, parseHours } from '../domain/text/hours.ts'
import { configSection, sessionMatch, threshold, transactions } from './parts.ts'

const limits = {
  blockedFor: threshold.optional(),
  queryLongerThan: threshold.optional(),
  idleInTransactionLongerThan: threshold.optional(),
  idleLongerThan: threshold.optional(),
  vacuumHeldBackBy: transactions.optional(),
}

type LimitName = keyof typeof limits

const limitNames = Object.keys(limits) as LimitName[]

/** The same, as a rule has them once it is read. */
const thresholdOf: Readonly<Record<LimitName, keyof SessionThresholds>> = {
  blockedFor: 'blockedForSeconds',
  queryLongerThan: 'queryLongerThanSeconds',
  idleInTransactionLongerThan: 'idleInTransactionLongerThanSeconds',
  idleLongerThan: 'idleLongerThanSeconds',
  vacuumHeldBackBy: 'vacuumHeldBackBy',
}

const matchHint = 'Write for which sessions this holds, like match: { applicationName: pg_dump }.'

const zoneHint = 'Write a time zone of the IANA database, like Europe/Berlin or UTC.'

const hours = z.string({ error: 'Write hours like "Mon-Fri 08:00-18:00".' }).superRefine((text, context) => {
  const parsed = parseHours(text, 'UTC')
  if ('problem' in parsed) context.addIssue({ code: 'custom', message: parsed.problem })
})

const rule = configSection({
  match: z.unknown().superRefine(isThere).pipe(sessionMatch),
  ...limits,
  hours: hours.optional(),
  timeZone: z.string({ error: zoneHint }).refine(isTimeZone, { error: zoneHint }).optional(),
}).transform(({ match, hours: text, timeZone, ...given }, context) => {
  const fail = (message: string, ...path: string[]) => {
    context.addIssue({ code: 'custom', message, path })
    return z.NEVER
  }
  if (limitNames.every((name) => given[name] === undefined))
    return fail(`Write at least one of ${limitNames.join(', ')}.`)
  if (timeZone !== undefined && text === undefined)
    return fail('This means nothing without hours.', 'timeZone')
  const parsed = text === undefined ? null : parseHours(text, timeZone ?? 'UTC')
  return { match, limits: given, hours: parsed && 'hours' in parsed ? parsed.hours : null }
})

function isThere(value: unknown, context: z.RefinementCtx) {
  if (value === undefined)
    context.addIssue({ code: 'custom', message: `Missing. ${matchHint}`, continue: false })
}

/** Other thresholds for some sessions; the first rule that matches holds. */
export const rules = z
  .array(rule, {
    error: 'Write a list of rules like - { match: { applicationName: pg_dump }, queryLongerThan: 6h }.',
  })
  .superRefine((all, context) => {
    for (const [index, one] of all.entries()) {
      const shadow = shadowOf(one, all.slice(0, index))
      if (shadow !== null)
        context.addIssue({
          code: 'custom',
          path: [index],
          message: `This rule never holds: rule ${shadow + 1} above matches all of its sessions, and the first that matches holds. Put it above that one, or remove it.`,
        })
    }
  })

export const resolveRules = (all: z.output<typeof rules> | undefined, from: Rule['from']): Rule[] =>
  (all ?? []).map(({ match, limits: given, hours }) => ({
    match,
    thresholds: Object.fromEntries(
      limitNames.flatMap((name) => (given[name] === undefined ? [] : [[thresholdOf[name], given[name]]])),
    ),
    hours,
    from,
  }))
