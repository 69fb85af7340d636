import type { Session } from '../domain/session/session.ts'
import { countWords, firstWords } from './card/fit.ts'
import { type Leaf, type Line, link, truncate } from './kit.ts'

/** Longest part of the short line, characters. */
const longestPart = 40

type Part = { readonly words: string; readonly url: string | undefined }

/** Keys that say how and not where, and the one that nobody reads. */
const isMinor = (key: string): boolean => ['framework', 'db_driver', 'traceparent'].includes(key)

/**
 * Says in one short line where a session comes from: `From checkout · OrdersController#create · route /orders · its trace`.
 * Empty where its application does not say it.
 * @param most words that there is room for
 */
export function originLine(session: Session, most: number): Line {
  const parts: Part[] = []
  let left = most - countWords('From')
  for (const part of partsOf(session)) {
    const words = countWords(part.words)
    if (words > left) continue
    left -= words
    parts.push(part)
  }
  return parts.length === 0 ? [] : ['From ', ...between(parts, ' · ')]
}

function partsOf({ tags = {}, tagLinks = {}, applicationName }: Session): Part[] {
  const { application, controller, action, ...others } = tags
  const part = (words: string, url: string | undefined): Part => ({
    words: truncate(firstWords(words, 6), longestPart),
    url,
  })
  const endpoint = controller && action ? `${controller}#${action}` : controller
  return [
    ...(application && application !== applicationName ? [part(application, tagLinks.application)] : []),
    ...(endpoint ? [part(endpoint, tagLinks.controller ?? tagLinks.action)] : []),
    ...(action && !controller ? [part(`action ${action}`, tagLinks.action)] : []),
    ...Object.entries(others).flatMap(([key, value]) =>
      isMinor(key) ? [] : [part(`${key} ${value}`, tagLinks[key])],
    ),
    ...(tagLinks.traceparent ? [part('its trace', tagLinks.traceparent)] : []),
  ]
}

/** Says all that the application says of itself: `application checkout, route /orders, traceparent 00-…`. */
export const allTags = ({ tags = {}, tagLinks = {} }: Session): Line =>
  between(
    Object.entries(tags).map(([key, value]) => ({ words: `${key} ${value}`, url: tagLinks[key] })),
    ', ',
  )

const between = (parts: readonly Part[], sign: string): (Leaf | string)[] =>
  parts.flatMap(({ words, url }, index) => [...(index > 0 ? [sign] : []), url ? link(url, words) : words])
