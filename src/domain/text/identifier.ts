/** A relation as it is asked for. `schema` is null when none was given. */
export type RelationName = { readonly schema: string | null; readonly name: string }

// A phone makes pairs of quotes that PostgreSQL does not know.
const part = String.raw`(?:["“”„‟](?:[^"“”„‟]|"")+["“”„‟]|[\p{L}_][\p{L}\p{N}_$]*)`
const qualified = new RegExp(`^(?:(${part})\\.)?(${part})$`, 'u')

/**
 * Reads `orders`, `sales.orders`, `"Order Items"`, `sales."Odd.Name"` as PostgreSQL does: what stands in quotes is taken
 * as it is, everything else in lower case.
 * https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
 * @returns null when it is no name of a relation
 */
export function readRelationName(typed: string): RelationName | null {
  const found = qualified.exec(typed.trim())
  if (!found?.[2]) return null
  return { schema: found[1] === undefined ? null : foldCase(found[1]), name: foldCase(found[2]) }
}

const foldCase = (identifier: string): string =>
  /^["“”„‟]/.test(identifier)
    ? identifier.slice(1, -1).replaceAll('""', '"')
    : // In UTF8 the server lowers the letters of ASCII alone.
      identifier.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())

/** As it has to be typed to be read back: quoted where PostgreSQL would read another name. */
const identifier = (name: string): string =>
  /^(?!.*[A-Z])[\p{L}_][\p{L}\p{N}_$]*$/u.test(name) ? name : `"${name.replaceAll('"', '""')}"`

export const relationWords = ({ schema, name }: RelationName): string =>
  schema === null ? identifier(name) : `${identifier(schema)}.${identifier(name)}`
