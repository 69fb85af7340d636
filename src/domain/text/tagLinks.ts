import { traceOf } from './traceparent.ts'

/**
 * Addresses with places for the values of tags, by the key of the tag that they belong to: `{controller}` is the value of that
 * tag, `{trace_id}` and `{span_id}` are parts of the traceparent.
 */
export type LinkTemplates = Readonly<Record<string, string>>

/** Characters: no browser and no Slack refuses that. */
const longestAddress = 2_000

type Values = Readonly<Record<string, string>>

const place = /\{([^{}]*)\}/g

/** The host stands as it is, so no value leads to another one; and nothing in it could end a link of Slack's markup. */
const address = /^https:\/\/[\w.-]+(?::\d+)?[/?#][^\s\\^`<>|"]*$/

/** Says what is wrong with a template, one sentence; null when nothing is. */
export function templateProblem(template: string, keys: readonly string[]): string | null {
  const places = [...template.matchAll(place)].map(([, name = '']) => name)
  const known = [...keys, ...(keys.includes('traceparent') ? ['trace_id', 'span_id'] : [])]
  const example = 'https://trace.example.com/{trace_id}'
  if (!address.test(template) || !URL.canParse(template.replaceAll(place, 'x')))
    return `Write an https address whose host has no braces, like ${example}.`
  if (places.length === 0) return `Put the name of a tag in braces, like ${example}.`
  if (!places.every((name) => known.includes(name)) || /[{}]/.test(template.replaceAll(place, '')))
    return `In braces stands one of ${known.join(', ')}.`
  return null
}

/**
 * Builds the addresses of tags; null where there are none. Each value is checked and URL-encoded, so that it stays within its
 * place; where one is missing or was cut there is no address.
 */
export function linksFor(tags: Values, templates: LinkTemplates): Values | null {
  const links = Object.entries(templates).flatMap(([key, template]) => {
    const url = tags[key] === undefined ? null : filled(template, tags)
    return url === null ? [] : [[key, url]]
  })
  return links.length > 0 ? Object.fromEntries(links) : null
}

function filled(template: string, tags: Values): string | null {
  let isWhole = true
  const url = template.replaceAll(place, (_, name: string) => {
    const value = valueFor(name, tags)
    isWhole &&= value !== null
    return encodeURIComponent(value ?? '')
  })
  return isWhole && url.length <= longestAddress ? url : null
}

/** Dots alone would be steps in a path. */
function valueFor(name: string, tags: Values): string | null {
  const trace = traceOf(tags.traceparent ?? '')
  if (name === 'trace_id') return trace?.traceId ?? null
  if (name === 'span_id') return trace?.spanId ?? null
  const value = tags[name] ?? ''
  return /^\.*$|…$/.test(value) ? null : value
}
