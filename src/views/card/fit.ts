import { capital } from '../../domain/text/sentence.ts'

/** A card is read in five seconds, so its texts are cut by words, never inside of one. */

/** Counts the words in these texts, a number and its unit as two; what is only a sign is none. */
export const countWords = (...texts: readonly string[]): number =>
  texts
    .join(' ')
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}?]/u.test(word)).length

/** Returns the first words, and `…` where there are more. */
export function firstWords(words: string, most: number): string {
  if (countWords(words) <= most) return words
  const all = words.split(' ')
  let left = most
  const end = all.findIndex((word) => countWords(word) > 0 && left-- === 0)
  return end < 0 ? words : `${all.slice(0, end).join(' ')} …`
}

/** Returns the first sentences that fit. The first is always there, cut where it is too long. */
export function firstSentences(words: string, most: number): string {
  const [first = '', ...others] = words.split(/(?<=[.;:]) (?=\p{Lu}|\d)/u)
  let said = firstWords(first, most)
  for (const sentence of others) {
    if (countWords(said, sentence) > most) break
    said = `${said} ${sentence}`
  }
  return capital(said)
}

/** The room that the texts of a card have, in words. */
export type Room = {
  /** True where there is room for the names of those who may approve. */
  readonly names: boolean
  /** For what a person wrote. */
  readonly reason: number
  readonly cost: number
  /** For whole sentences, as of an outcome. */
  readonly sentences: number
}

const endless = Number.POSITIVE_INFINITY

export const unlimited: Room = { names: true, reason: endless, cost: endless, sentences: endless }

/** From the most to the least: names go first, then what people wrote. */
export const rooms: readonly Room[] = [
  { names: true, reason: 14, cost: 16, sentences: 48 },
  { names: false, reason: 14, cost: 16, sentences: 40 },
  { names: false, reason: 6, cost: 14, sentences: 30 },
  { names: false, reason: 2, cost: 8, sentences: 20 },
]
