import type { Kysely } from 'kysely'
import type { Silence } from '../domain/incidents/silence.ts'
import { silenceDocument } from './documents.ts'
import type { Schema } from './schema.ts'

export type Silences = {
  add(silence: Silence): Promise<void>
  /** Those of a cluster that have not been ended, also when their time is up: whoever sees that ends them. */
  ofCluster(cluster: string): Promise<Silence[]>
  /** Those of all clusters that have not been ended. */
  all(): Promise<Silence[]>
  /** @returns false when it was ended already */
  end(id: string): Promise<boolean>
}

export function silencesIn(db: Kysely<Schema>): Silences {
  return {
    async add(silence) {
      await db
        .insertInto('silences')
        .values({ id: silence.id, cluster: silence.cluster, data: silenceDocument.write(silence) })
        .execute()
    },
    async ofCluster(cluster) {
      const rows = await db
        .selectFrom('silences')
        .select(['id', 'data'])
        .where('cluster', '=', cluster)
        .execute()
      return rows.map(silenceDocument.read)
    },
    async all() {
      const rows = await db.selectFrom('silences').select(['id', 'data']).execute()
      return rows.map(silenceDocument.read)
    },
    async end(id) {
      const { numDeletedRows } = await db.deleteFrom('silences').where('id', '=', id).executeTakeFirst()
      return numDeletedRows === 1n
    },
  }
}
