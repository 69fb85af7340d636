import type { z } from 'zod'
import { ClusterError } from './errors.ts'

/**
 * Rows as their statement yields them. Any server may answer something else: then it cannot be seen, and the reason names
 * the column and what it should be, never what came. Throws ClusterError.
 */
export function checked<T extends z.ZodType>(schema: T, rows: unknown): z.output<T> {
  const read = schema.safeParse(rows)
  if (read.success) return read.data
  const [issue] = read.error.issues
  // Without the number of the row: the same fault at each look is the same reason.
  const column = issue?.path.filter((step) => typeof step === 'string').join('.') || 'the rows'
  const expected = issue?.message.replace(/^[^:]*: /, '') ?? 'something else'
  throw oddRows(column, expected)
}

/** Makes the error for rows with something else in a column than their statement yields. */
export const oddRows = (column: string, expected: string): ClusterError =>
  new ClusterError(
    `The server answered with rows that are not what was asked for (${column}: ${expected}): check that host and port in the url lead to a PostgreSQL server itself.`,
    badRows,
    true,
  )

export const badRows = 'BAD_ROWS'
