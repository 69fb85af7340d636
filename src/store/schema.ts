import type { Kysely } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'

/**
 * The bot's own memory. What is searched for has a column; the rest of a row is plain data of the domain, as JSON.
 * Only SQL that SQLite and PostgreSQL share is used here. Times are milliseconds since the epoch.
 */
export type Schema = {
  proposals: {
    id: string
    card_id: string
    pid: number
    state: string
    revision: number
    expires_at: number
    created_at: number
    data: string
  }
  incidents: {
    id: string
    cluster: string
    key: string
    card_id: string
    digest_id: string | null
    opened_at: number
    resolved_at: number | null
    data: string
  }
  silences: {
    id: string
    cluster: string
    data: string
  }
  second_factors: {
    user_id: string
    sealed: string
    enrolled_at: number
    last_step: number | null
    wrong: number
    locked_until: number | null
    revision: number
  }
  calls: {
    id: string
    called_at: number
    data: string
  }
  /** Kinds of blocks that the workspace does not take. */
  refused_blocks: {
    kind: string
    refused_at: number
  }
  journal: {
    seq: number
    at: number
    card_id: string | null
    kind: string
    event: string
    previous: string
    hash: string
  }
  /** One row, for a store in PostgreSQL: see `openPostgres`. */
  writer: {
    id: number
    /** Grows with each process that begins to work with the store. */
    epoch: number
    /** Until when the one of this epoch has it, by the clock of the store's server; 0 when it gave it back. */
    held_until: number
  }
  messages: {
    id: string
    seq: number
    channel: string
    thread_of: string | null
    broadcast: number
    priority: number
    once: number
    text: string
    blocks: string
    ts: string | null
    revision: number
    sent_revision: number
    urgent: number
    wanted_at: number
    sent_at: number
    attempts: number
    not_before: number
    error: string | null
    created_at: number
  }
  /** Knowledge of each receiver about an incident that is not over. */
  webhook_told: {
    receiver: string
    incident_id: string
    severity: string
    acknowledged_by: string | null
  }
  webhook_deliveries: {
    id: string
    seq: number
    receiver: string
    subject: string
    document: string
    attempts: number
    not_before: number
    error: string | null
    created_at: number
  }
}

/** Tables with what is remembered; the row that writers lock is not. */
export const tableNames = Object.keys({
  proposals: 1,
  incidents: 1,
  silences: 1,
  second_factors: 1,
  calls: 1,
  refused_blocks: 1,
  journal: 1,
  messages: 1,
  webhook_told: 1,
  webhook_deliveries: 1,
} satisfies Record<Exclude<keyof Schema, 'writer'>, 1>) as Exclude<keyof Schema, 'writer'>[]

const migrations: Record<string, Migration> = {
  '001_start': {
    async up(db) {
      await db.schema
        .createTable('proposals')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('card_id', 'text', (column) => column.notNull())
        .addColumn('pid', 'integer', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('revision', 'integer', (column) => column.notNull())
        .addColumn('expires_at', 'bigint', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('data', 'text', (column) => column.notNull())
        .execute()
      await db.schema
        .createIndex('proposals_card')
        .on('proposals')
        .columns(['card_id', 'created_at'])
        .execute()
      await db.schema
        .createIndex('proposals_state')
        .on('proposals')
        .columns(['state', 'expires_at'])
        .execute()
      await db.schema
        .createTable('incidents')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('cluster', 'text', (column) => column.notNull())
        .addColumn('key', 'text', (column) => column.notNull())
        .addColumn('card_id', 'text', (column) => column.notNull())
        .addColumn('digest_id', 'text')
        .addColumn('opened_at', 'bigint', (column) => column.notNull())
        .addColumn('resolved_at', 'bigint')
        .addColumn('data', 'text', (column) => column.notNull())
        .execute()
      await db.schema
        .createIndex('incidents_cluster')
        .on('incidents')
        .columns(['cluster', 'resolved_at'])
        .execute()
      await db.schema.createIndex('incidents_card').on('incidents').column('card_id').execute()
      await db.schema.createIndex('incidents_digest').on('incidents').column('digest_id').execute()
      await db.schema
        .createTable('silences')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('cluster', 'text', (column) => column.notNull())
        .addColumn('data', 'text', (column) => column.notNull())
        .execute()
      await db.schema
        .createTable('journal')
        .addColumn('seq', 'integer', (column) => column.primaryKey())
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('card_id', 'text')
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('event', 'text', (column) => column.notNull())
        .addColumn('previous', 'text', (column) => column.notNull())
        .addColumn('hash', 'text', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('journal_card').on('journal').columns(['card_id', 'seq']).execute()
      await db.schema
        .createTable('messages')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('seq', 'integer', (column) => column.notNull().unique())
        .addColumn('channel', 'text', (column) => column.notNull())
        .addColumn('thread_of', 'text')
        .addColumn('priority', 'integer', (column) => column.notNull())
        .addColumn('once', 'integer', (column) => column.notNull())
        .addColumn('text', 'text', (column) => column.notNull())
        .addColumn('blocks', 'text', (column) => column.notNull())
        .addColumn('ts', 'text')
        .addColumn('revision', 'integer', (column) => column.notNull())
        .addColumn('sent_revision', 'integer', (column) => column.notNull())
        .addColumn('urgent', 'integer', (column) => column.notNull())
        .addColumn('wanted_at', 'bigint', (column) => column.notNull())
        .addColumn('sent_at', 'bigint', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addColumn('not_before', 'bigint', (column) => column.notNull())
        .addColumn('error', 'text')
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .execute()
    },
  },
  '002_writer': {
    async up(db) {
      await db.schema
        .createTable('writer')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('epoch', 'bigint', (column) => column.notNull())
        .addColumn('held_until', 'bigint', (column) => column.notNull())
        .execute()
      await db.insertInto('writer').values({ id: 1, epoch: 0, held_until: 0 }).execute()
    },
  },
  '003_second_factors': {
    async up(db) {
      await db.schema
        .createTable('second_factors')
        .addColumn('user_id', 'text', (column) => column.primaryKey())
        .addColumn('sealed', 'text', (column) => column.notNull())
        .addColumn('enrolled_at', 'bigint', (column) => column.notNull())
        .addColumn('last_step', 'bigint')
        .addColumn('wrong', 'integer', (column) => column.notNull())
        .addColumn('locked_until', 'bigint')
        .addColumn('revision', 'integer', (column) => column.notNull())
        .execute()
    },
  },
  '004_webhooks': {
    async up(db) {
      await db.schema
        .createTable('webhook_told')
        .addColumn('receiver', 'text', (column) => column.notNull())
        .addColumn('incident_id', 'text', (column) => column.notNull())
        .addColumn('severity', 'text', (column) => column.notNull())
        .addColumn('acknowledged_by', 'text')
        .addPrimaryKeyConstraint('webhook_told_one', ['receiver', 'incident_id'])
        .execute()
      await db.schema
        .createTable('webhook_deliveries')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('seq', 'integer', (column) => column.notNull().unique())
        .addColumn('receiver', 'text', (column) => column.notNull())
        .addColumn('subject', 'text', (column) => column.notNull())
        .addColumn('document', 'text', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addColumn('not_before', 'bigint', (column) => column.notNull())
        .addColumn('error', 'text')
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .execute()
    },
  },
  '005_calls': {
    async up(db) {
      await db.schema
        .createTable('calls')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('called_at', 'bigint', (column) => column.notNull())
        .addColumn('data', 'text', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('calls_called').on('calls').column('called_at').execute()
      await db.schema
        .alterTable('messages')
        .addColumn('broadcast', 'integer', (column) => column.notNull().defaultTo(0))
        .execute()
    },
  },
  '006_refused_blocks': {
    async up(db) {
      await db.schema
        .createTable('refused_blocks')
        .addColumn('kind', 'text', (column) => column.primaryKey())
        .addColumn('refused_at', 'bigint', (column) => column.notNull())
        .execute()
    },
  },
}

/**
 * Brings the tables up to date. A newer version may have done that already, and works beside us: each migration only adds
 * (docs/decisions), so there is nothing to do.
 * @param schema the one of PostgreSQL in which they are
 */
export async function migrate(db: Kysely<Schema>, schema: string | null): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
    // Without it, those of somebody else in another schema are taken for ours.
    ...(schema !== null && { migrationTableSchema: schema }),
  })
  const ours = await migrator.getMigrations()
  if (ours.every(({ executedAt }) => executedAt !== undefined)) return
  const { error } = await migrator.migrateToLatest()
  if (error) throw error
}

/** Runs all of it or nothing, in the transaction that is open already or in one of its own. */
export const atomically = <T>(db: Kysely<Schema>, run: (db: Kysely<Schema>) => Promise<T>): Promise<T> =>
  db.isTransaction ? run(db) : db.transaction().execute(run)
