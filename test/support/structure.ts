import type { DatabaseSync } from 'node:sqlite'
import type pg from 'pg'

/** Structure of a table, as far as the statements of a version rest on it. */
export type Table = {
  /** By name: type, whether it may be null, and what it has where nothing is given (null for nothing). */
  readonly columns: Readonly<Record<string, Column>>
  /** Rules that a row must obey: keys, unique indexes, checks, references, triggers; each as a text that says all of it. */
  readonly rules: readonly string[]
}
type Column = { readonly type: string; readonly nullable: boolean; readonly fallback: string | null }

/** Tables by name. */
export type Structure = Readonly<Record<string, Table>>

/**
 * Lists what may break the statements of a version that knows only the structure of before. What was there must be there
 * as it was: what is read has its type, what is written is taken, `ON CONFLICT` finds its key. What is new on an old table
 * must not be asked for.
 */
export function breaksOf(before: Structure, after: Structure): string[] {
  const breaks: string[] = []
  for (const [name, table] of Object.entries(before)) {
    const now = after[name]
    if (!now) {
      breaks.push(`table ${name} is gone`)
      continue
    }
    for (const [column, was] of Object.entries(table.columns)) {
      const is = now.columns[column]
      if (!is) breaks.push(`column ${name}.${column} is gone`)
      else if (is.type !== was.type) breaks.push(`column ${name}.${column} is ${is.type}, it was ${was.type}`)
      else if (is.nullable !== was.nullable)
        breaks.push(`column ${name}.${column} may ${is.nullable ? 'be null now' : 'not be null any more'}`)
      else if (is.fallback !== was.fallback)
        breaks.push(`column ${name}.${column} has another default: ${is.fallback}, it was ${was.fallback}`)
    }
    for (const [column, is] of Object.entries(now.columns))
      if (!Object.hasOwn(table.columns, column) && !is.nullable && is.fallback === null)
        breaks.push(`column ${name}.${column} is new and must be given`)
    for (const rule of table.rules)
      if (!now.rules.includes(rule)) breaks.push(`${name} lost the rule ${rule}`)
    for (const rule of now.rules)
      if (!table.rules.includes(rule)) breaks.push(`${name} has a new rule: ${rule}`)
  }
  return breaks
}

/** Reads the structure of a schema of PostgreSQL. */
export async function structureInPostgres(client: pg.Client, schema: string): Promise<Structure> {
  const { rows } = await client.query<{ name: string; columns: Table['columns']; rules: string[] }>(
    `SELECT c.relname AS name,
       (SELECT jsonb_object_agg(a.attname, jsonb_build_object(
            'type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull,
            'fallback', coalesce(pg_get_expr(d.adbin, d.adrelid), nullif(a.attidentity::text, ''))))
          FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       ARRAY(SELECT pg_get_constraintdef(o.oid) FROM pg_constraint o WHERE o.conrelid = c.oid AND o.contype NOT IN ('n', 'p', 'u')
          UNION ALL SELECT 'unique ' || substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*')
            FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique
          UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
          UNION ALL SELECT pg_get_ruledef(r.oid) FROM pg_rewrite r WHERE r.ev_class = c.oid
          UNION ALL SELECT 'row security' WHERE c.relrowsecurity
          ORDER BY 1) AS rules
     FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v') ORDER BY 1`,
    [schema],
  )
  return Object.fromEntries(rows.map(({ name, columns, rules }) => [name, { columns, rules }]))
}

/** Reads the structure of a file of SQLite. */
export function structureInSqlite(database: DatabaseSync): Structure {
  const all = (sql: string, ...values: string[]) => database.prepare(sql).all(...values)
  const tables = all(
    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'",
  )
  return Object.fromEntries(
    tables.map(({ name }) => {
      const table = String(name)
      const columns = all('SELECT * FROM pragma_table_info(?)', table)
      const unique = all('SELECT name FROM pragma_index_list(?) WHERE "unique"', table).map((index) =>
        all('SELECT name FROM pragma_index_info(?)', String(index.name))
          .map((column) => column.name)
          .join(', '),
      )
      const key = columns.filter(({ pk }) => pk !== 0).map((column) => column.name)
      const references = all('SELECT * FROM pragma_foreign_key_list(?)', table)
      const triggers = all("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", table)
      return [
        table,
        {
          columns: Object.fromEntries(
            columns.map((column) => [
              String(column.name),
              {
                type: String(column.type),
                nullable: column.notnull === 0 && column.pk === 0,
                fallback: column.dflt_value === null ? null : String(column.dflt_value),
              },
            ]),
          ),
          rules: [
            `key ${key.join(', ')}`,
            ...unique.map((names) => `unique ${names}`),
            ...references.map((one) => `${one.from} refers to ${one.table}`),
            ...triggers.map(({ sql }) => String(sql)),
          ].sort(),
        },
      ]
    }),
  )
}
