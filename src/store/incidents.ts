import type { Kysely } from 'kysely'
import type { Incident } from '../domain/incidents/incident.ts'
import { incidentDocument } from './documents.ts'
import type { Schema } from './schema.ts'

/** An incident, and the card that it stands on. */
export type Placed = Pick<Incident, 'id' | 'cluster' | 'cardId'>

export type Incidents = {
  /** Writes the incident as it is now, whether it is new or known. */
  put(incident: Incident): Promise<void>
  get(id: string): Promise<Incident | null>
  /** The incident that has this card; or all that a digest ever listed, also those that moved on; oldest first. */
  ofCard(cardId: string): Promise<Incident[]>
  /** The open incidents of a cluster, whatever the clock says; oldest first. */
  open(cluster: string): Promise<Incident[]>
  /** Places of the open incidents with this key, on all clusters; oldest first. Of hundreds, no more is read than that. */
  openWithKey(key: string): Promise<Placed[]>
  /** The open incidents of clusters that are not among these; oldest first. */
  openOutside(clusters: readonly string[]): Promise<Incident[]>
  /** Those whose id, or that of a card of theirs, begins so (four digits and more); oldest first. */
  like(beginning: string): Promise<Incident[]>
  /** The last ones to open on these clusters, or on any that there ever was (null), newest first. */
  latest(clusters: readonly string[] | null, limit: number): Promise<Incident[]>
  /** The open incidents of a cluster, and those resolved after `since`; oldest first. */
  recent(cluster: string, since: number): Promise<Incident[]>
}

/** Largest number of incidents whose ids begin alike that anybody can mean. */
const mostAlike = 50

export function incidentsIn(db: Kysely<Schema>): Incidents {
  const select = db.selectFrom('incidents').select(['id', 'data'])
  const { read, write } = incidentDocument
  const oldestFirst = async (found: typeof select) =>
    (await found.orderBy('opened_at').orderBy('id').execute()).map(read)
  return {
    async put(incident) {
      const state = {
        key: incident.key,
        card_id: incident.cardId,
        resolved_at: incident.resolvedAt,
        data: write(incident),
      }
      await db
        .insertInto('incidents')
        .values({
          id: incident.id,
          cluster: incident.cluster,
          digest_id: incident.digestId,
          opened_at: incident.openedAt,
          ...state,
        })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(state))
        .execute()
    },
    async get(id) {
      const row = await select.where('id', '=', id).executeTakeFirst()
      return row ? read(row) : null
    },
    ofCard: (cardId) =>
      oldestFirst(
        select.where((where) => where.or([where('card_id', '=', cardId), where('digest_id', '=', cardId)])),
      ),
    open: (cluster) => oldestFirst(select.where('cluster', '=', cluster).where('resolved_at', 'is', null)),
    async openWithKey(key) {
      const rows = await db
        .selectFrom('incidents')
        .select(['id', 'cluster', 'card_id'])
        .where('key', '=', key)
        .where('resolved_at', 'is', null)
        .orderBy('opened_at')
        .orderBy('id')
        .execute()
      return rows.map(({ id, cluster, card_id }) => ({ id, cluster, cardId: card_id }))
    },
    async openOutside(clusters) {
      const open = await oldestFirst(select.where('resolved_at', 'is', null))
      return open.filter(({ cluster }) => !clusters.includes(cluster))
    },
    async like(beginning) {
      if (!/^[0-9a-f][0-9a-f-]{3,}$/.test(beginning)) return []
      const pattern = `${beginning}%`
      const columns = ['id', 'card_id', 'digest_id'] as const
      return oldestFirst(
        select
          .where((where) => where.or(columns.map((column) => where(column, 'like', pattern))))
          .limit(mostAlike),
      )
    },
    async latest(clusters, limit) {
      if (clusters?.length === 0) return []
      const those = clusters === null ? select : select.where('cluster', 'in', clusters)
      const rows = await those.orderBy('opened_at', 'desc').orderBy('id').limit(limit).execute()
      return rows.map(read)
    },
    recent: (cluster, since) =>
      oldestFirst(
        select
          .where('cluster', '=', cluster)
          .where((where) => where.or([where('resolved_at', 'is', null), where('resolved_at', '>', since)])),
      ),
  }
}
