/**
 * A handful of combinators for rules about JSON. Each speaks in the words of Slack's own validator, so that what a
 * developer sees here can be searched for: `must be less than 3001 characters [json-pointer:/blocks/0/text/text]`.
 */

export type Report = (problem: string, pointer: string) => void
export type Rule = (value: unknown, pointer: string, report: Report) => void
export type Fields = Readonly<Record<string, Rule>>

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Slack counts characters, not UTF-16 units. */
export const lengthOf = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

export const text =
  (max: number, min = 1): Rule =>
  (value, pointer, report) => {
    if (typeof value !== 'string') return report('must provide a string', pointer)
    const length = lengthOf(value)
    if (length > max) report(`must be less than ${max + 1} characters`, pointer)
    if (length < min) report(`must be more than ${min - 1} characters`, pointer)
  }

export const matching =
  (pattern: RegExp, problem: string): Rule =>
  (value, pointer, report) => {
    if (typeof value !== 'string' || !pattern.test(value)) report(problem, pointer)
  }

export const flag: Rule = (value, pointer, report) => {
  if (typeof value !== 'boolean') report('must provide a boolean', pointer)
}

export const whole =
  (min: number, max: number): Rule =>
  (value, pointer, report) => {
    if (typeof value !== 'number' || !Number.isInteger(value))
      return report('must provide an integer', pointer)
    if (value > max) report(`must be at most ${max}`, pointer)
    if (value < min) report(`must be at least ${min}`, pointer)
  }

/** @param above what it must be greater than */
export const number =
  (above = Number.NEGATIVE_INFINITY): Rule =>
  (value, pointer, report) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return report('must provide a number', pointer)
    if (value <= above) report(`must be greater than ${above}`, pointer)
  }

/** A list without repeats. */
export const distinct: Rule = (value, pointer, report) => {
  if (Array.isArray(value) && new Set(value).size < value.length) report('must be unique', pointer)
}

export const oneOf =
  (...allowed: readonly string[]): Rule =>
  (value, pointer, report) => {
    if (typeof value !== 'string' || !allowed.includes(value)) {
      report(`must be a valid enum value (one of: ${allowed.join(', ')})`, pointer)
    }
  }

export const list =
  (item: Rule, max: number, min = 1): Rule =>
  (value, pointer, report) => {
    if (!Array.isArray(value)) return report('must provide an array', pointer)
    if (value.length > max) report(`no more than ${max} items allowed`, pointer)
    if (value.length < min) report(`no fewer than ${min} items allowed`, pointer)
    value.forEach((entry, index) => {
      item(entry, `${pointer}/${index}`, report)
    })
  }

/** An object with these required and these optional fields, and no other: Slack refuses unknown properties. */
export const object =
  (required: Fields, optional: Fields = {}): Rule =>
  (value, pointer, report) => {
    if (!isObject(value)) return report('must provide an object', pointer)
    for (const [name, rule] of Object.entries(required)) {
      if (value[name] === undefined) report(`missing required field: ${name}`, pointer)
      else rule(value[name], `${pointer}/${name}`, report)
    }
    for (const [name, entry] of Object.entries(value)) {
      if (name in required || entry === undefined) continue
      const rule = optional[name]
      if (!rule) report(`invalid additional property: ${name}`, pointer)
      else rule(entry, `${pointer}/${name}`, report)
    }
  }

/** Exactly one of these two fields. */
export const oneOfFields =
  (first: string, second: string): Rule =>
  (value, pointer, report) => {
    if (!isObject(value)) return
    const given = [first, second].filter((name) => value[name] !== undefined)
    if (given.length === 0) report(`missing required field: ${first} or ${second}`, pointer)
    if (given.length === 2) report(`only one of ${first} and ${second} may be given`, pointer)
  }

/** Chooses the rule by the object's `type`. */
export const byType =
  (rules: Fields): Rule =>
  (value, pointer, report) => {
    if (!isObject(value)) return report('must provide an object', pointer)
    if (typeof value.type !== 'string') return report('missing required field: type', pointer)
    const rule = Object.hasOwn(rules, value.type) ? rules[value.type] : undefined
    if (!rule) return report(`unsupported type: ${value.type}`, `${pointer}/type`)
    rule(value, pointer, report)
  }

export const all =
  (...rules: readonly Rule[]): Rule =>
  (value, pointer, report) => {
    for (const rule of rules) rule(value, pointer, report)
  }
