import { inHours } from '../text/hours.ts'
import { coversMatch, matchesNames, type Rule, type SessionThresholds, type Thresholds } from './policy.ts'
import type { Session } from './session.ts'

/**
 * Finds the rule that holds for a session at one moment: the first that matches it, within its hours; null where the
 * general thresholds hold. A session whose names are not known yet is matched by no rule: a rule may silence an
 * alert, and an alert fails open.
 * @param now milliseconds since the epoch
 */
export function rulesAt({ rules }: Thresholds, now: number): (session: Session) => Rule | null {
  const current = rules.filter(({ hours }) => hours === null || inHours(hours, now))
  return (session) => current.find((rule) => matchesNames(session, rule.match, false)) ?? null
}

/** Finds the thresholds of each session at one moment. A rule changes only what it mentions. */
export function thresholdsAt(thresholds: Thresholds, now: number): (session: Session) => SessionThresholds {
  const ruleOf = rulesAt(thresholds, now)
  const merged = new Map<Rule | null, SessionThresholds>(
    thresholds.rules.map((rule) => [rule, { ...thresholds, ...rule.thresholds }]),
  )
  return (session) => merged.get(ruleOf(session)) ?? thresholds
}

/**
 * Finds the earlier rule that takes every session of this one, so that this one is never reached; null when none does.
 * @param above the rules before it, in their order
 */
export function shadowOf(
  rule: Pick<Rule, 'match' | 'hours'>,
  above: readonly Pick<Rule, 'match' | 'hours'>[],
): number | null {
  const index = above.findIndex(
    ({ match, hours }) =>
      coversMatch(match, rule.match) &&
      (hours === null || JSON.stringify(hours) === JSON.stringify(rule.hours)),
  )
  return index < 0 ? null : index
}

/** Names of a session as they are asked about; what is left out is not known. */
export type RuleNames = {
  readonly database?: string | undefined
  readonly user?: string | undefined
  readonly applicationName?: string | undefined
}

/**
 * Verdict of a rule on a session with these names. `depends`: on names that were not given. `later`: a rule above holds
 * already.
 */
export type Verdict =
  | { readonly kind: 'holds' | 'otherHours' | 'otherNames' | 'later' }
  | { readonly kind: 'depends'; readonly on: readonly (keyof RuleNames)[] }

/** Lists the verdict of each rule on a session with these names, in the order of the rules. */
export function explain(names: RuleNames, thresholds: Thresholds, now: number): Verdict[] {
  let decided = false
  return thresholds.rules.map((rule): Verdict => {
    if (decided) return { kind: 'later' }
    if (rule.hours && !inHours(rule.hours, now)) return { kind: 'otherHours' }
    const session = {
      datname: names.database ?? null,
      usename: names.user ?? null,
      applicationName: names.applicationName ?? null,
    }
    if (!matchesNames(session, rule.match, true)) return { kind: 'otherNames' }
    const on = (['database', 'user', 'applicationName'] as const).filter(
      (name) => rule.match[name] !== undefined && names[name] === undefined,
    )
    if (on.length > 0) return { kind: 'depends', on }
    decided = true
    return { kind: 'holds' }
  })
}
