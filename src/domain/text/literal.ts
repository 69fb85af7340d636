/**
 * Characters that are invisible, that turn the direction of text, or that may be copied as something else: all spaces
 * but the plain one, and the second of two.
 */
const unsafe = String.raw`\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}`
const unseen = new RegExp(`[${unsafe}]|(?! )\\p{Zs}|(?<= ) `, 'gu')

/**
 * Text as an SQL string literal that survives copying, whatever standard_conforming_strings is: what is not safe to copy is
 * written as an escape (E'…' strings, "String Constants with C-Style Escapes" in the manual).
 */
export function sqlLiteral(text: string): string {
  const doubled = text.replaceAll("'", "''")
  const escaped = doubled.replaceAll('\\', '\\\\').replaceAll(unseen, (found) => {
    const point = found.codePointAt(0) ?? 0xfffd
    return point > 0xffff ? `\\U${hex(point, 8)}` : `\\u${hex(point, 4)}`
  })
  return escaped === doubled ? `'${doubled}'` : `E'${escaped}'`
}

/**
 * A name as an SQL identifier, in quotes, that survives copying; see sqlLiteral. Where it has to be escaped (U&"…"), the server
 * refuses it with standard_conforming_strings off, and takes it for no other.
 */
export function sqlIdentifier(name: string): string {
  const doubled = name.replaceAll('"', '""')
  const escaped = doubled.replaceAll('\\', '\\\\').replaceAll(unseen, (found) => {
    const point = found.codePointAt(0) ?? 0xfffd
    return point > 0xffff ? `\\+${hex(point, 6)}` : `\\${hex(point, 4)}`
  })
  return doubled.search(unseen) >= 0 ? `U&"${escaped}"` : `"${doubled}"`
}

/**
 * Words that are no name without quotes, or not everywhere: reserved, and those that may name a function or type
 * (https://www.postgresql.org/docs/current/sql-keywords-appendix.html).
 */
const reserved = new Set(
  `all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column
  concurrently constraint create cross current_catalog current_date current_role current_schema current_time
  current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
  full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
  localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning
  right select session_user similar some symmetric system_user table tablesample then to trailing true union unique user
  using variadic verbose when where window with`.split(/\s+/),
)

/** A name as an SQL identifier, without quotes where it needs none: `shop`, `"Shop"`, `"user"`. */
export const sqlName = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : sqlIdentifier(name)

/** A name in a sentence, whole and as it is: plain where it can be mistaken for nothing else. */
export const nameWords = (name: string): string =>
  /^[\p{L}\p{N}_.@-]+$/u.test(name) ? name : sqlIdentifier(name)

const hex = (point: number, digits: number): string => point.toString(16).padStart(digits, '0')
