// Control characters but newline, and what turns the direction of text or is not seen at all.
const unsafe = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu

/** Returns a text without control and bidirectional characters, which could make a line read as another. */
export const clean = (text: string): string =>
  text.replace(/\r\n?|[\t\v\f]/g, ' ').replace(unsafe, (found) => (found === '\n' ? found : ''))

/** Returns at most `max` characters, the last one an ellipsis where something is missing. Never half a character. */
export function truncate(text: string, max: number): string {
  if (text.length <= max) return text
  const kept = text.slice(0, max - 1)
  return `${/[\uD800-\uDBFF]$/.test(kept) ? kept.slice(0, -1) : kept}…`
}

/** Returns a name, or a statement, on one line. */
export const onOneLine = (text: string): string => text.replaceAll(/\s+/g, ' ')
