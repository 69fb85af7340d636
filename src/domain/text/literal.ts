/**
 * Text as an SQL string literal that survives copying: what cannot be seen, and what turns the direction of text, is
 * written as an escape (E'…' strings, "String Constants with C-Style Escapes" in the manual).
 */
export function sqlLiteral(text: string): string {
  const doubled = text.replaceAll("'", "''")
  const special = /[\\\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u
  if (!special.test(text)) return `'${doubled}'`
  const escaped = doubled.replaceAll(/[\\\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, (found) =>
    found === '\\' ? '\\\\' : escapeOf(found.codePointAt(0) ?? 0xfffd),
  )
  return `E'${escaped}'`
}

const escapeOf = (point: number): string =>
  point > 0xffff ? `\\U${point.toString(16).padStart(8, '0')}` : `\\u${point.toString(16).padStart(4, '0')}`
