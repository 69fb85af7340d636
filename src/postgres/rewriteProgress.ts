import { z } from 'zod'
import type { RewriteProgress } from '../domain/session/rewrite.ts'
import { checked } from './checked.ts'
import type { Connection } from './connection.ts'
import { attempt } from './errors.ts'
import { type Statement, statements } from './statements.ts'

const viewRows = z.array(z.object({ name: z.enum(['pg_stat_progress_repack', 'pg_stat_progress_cluster']) }))
const progressRows = z.array(
  z.object({ phase: z.string().nullable(), read: z.number().nullable(), total: z.number().nullable() }),
)

/**
 * Reads how far a session is that rewrites a table; null where the server does not say. Never throws.
 * @param connection the one for locks: catalogs are read
 */
export const readRewriteProgress = (
  connection: Pick<Connection, 'query'>,
  pid: number,
): Promise<RewriteProgress | null> =>
  attempt(
    async () => {
      const [view] = checked(viewRows, await connection.query(statements.rewriteView, []))
      if (!view) return null
      const [row] = checked(progressRows, await connection.query(progressOf(view.name), [pid]))
      const share = row?.read != null && row.total ? Math.min(1, row.read / row.total) : null
      return row?.phase ? { phase: row.phase, share } : null
    },
    () => null,
  )

const { name, text } = statements.rewriteProgress
const progressOf = (view: string): Statement => ({
  name: `${name}_${view}`,
  text: text.replace('pg_stat_progress_cluster', view),
})
