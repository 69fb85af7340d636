import type { Migration } from 'kysely/migration'

/**
 * Steps that made the tables what they are, by names in the order of time. One that was released is never changed. A new one only
 * adds, since replicas of the version before work on meanwhile (test/store/additive.test.ts); each of its statements has
 * the few seconds for which they can wait.
 */
export const migrations: Readonly<Record<string, Migration>> = {
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
  // What /metrics asks for once a minute, over tables that only grow.
  '007_figures': {
    async up(db) {
      await db.schema.createIndex('journal_kind').on('journal').columns(['kind', 'at']).execute()
      await db.schema.createIndex('proposals_created').on('proposals').column('created_at').execute()
    },
  },
  // The columns `epoch` and `held_until` of `writer` are for processes of the version before, which works alone.
  '008_replicas': {
    async up(db) {
      await db.schema
        .alterTable('writer')
        .addColumn('changes', 'bigint', (column) => column.notNull().defaultTo(0))
        .execute()
      await db.schema
        .createTable('replicas')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('joined_at', 'bigint', (column) => column.notNull())
        .addColumn('seen_until', 'bigint', (column) => column.notNull())
        .addColumn('data', 'text', (column) => column.notNull())
        .execute()
      await db.schema
        .createTable('leases')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('replica', 'text')
        .addColumn('epoch', 'bigint', (column) => column.notNull())
        .addColumn('taken_at', 'bigint', (column) => column.notNull())
        .execute()
    },
  },
  // Whatever it is called, SQLite keeps bytes as they are.
  '009_history': {
    async up(db) {
      await db.schema
        .createTable('history_chunks')
        .addColumn('chunk', 'text', (column) => column.notNull())
        .addColumn('piece', 'integer', (column) => column.notNull())
        .addColumn('cluster', 'text', (column) => column.notNull())
        .addColumn('from_at', 'bigint', (column) => column.notNull())
        .addColumn('to_at', 'bigint', (column) => column.notNull())
        .addColumn('changes', 'text', (column) => column.notNull())
        .addColumn('bytes', 'bigint', (column) => column.notNull())
        .addColumn('data', 'bytea', (column) => column.notNull())
        .addPrimaryKeyConstraint('history_chunks_one', ['chunk', 'piece'])
        .execute()
      await db.schema
        .createIndex('history_chunks_time')
        .on('history_chunks')
        .columns(['cluster', 'from_at', 'to_at', 'chunk'])
        .execute()
      // With all that is needed to find the oldest ones and the size, for the rows themselves are large.
      await db.schema
        .createIndex('history_chunks_age')
        .on('history_chunks')
        .columns(['from_at', 'chunk', 'bytes'])
        .execute()
      await db.schema
        .createTable('history_texts')
        .addColumn('cluster', 'text', (column) => column.notNull())
        .addColumn('id', 'text', (column) => column.notNull())
        .addColumn('text', 'text', (column) => column.notNull())
        .addColumn('used_at', 'bigint', (column) => column.notNull())
        .addColumn('bytes', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('history_texts_one', ['cluster', 'id'])
        .execute()
      await db.schema
        .createIndex('history_texts_used')
        .on('history_texts')
        .columns(['used_at', 'bytes'])
        .execute()
    },
  },
  '010_requests': {
    async up(db) {
      await db.schema
        .createTable('requests')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('replica', 'text', (column) => column.notNull())
        .addColumn('taken_at', 'bigint', (column) => column.notNull())
        .execute()
    },
  },
  '011_bulk': {
    async up(db) {
      await db.schema
        .createTable('bulk_members')
        .addColumn('proposal_id', 'text', (column) => column.notNull())
        .addColumn('pid', 'integer', (column) => column.notNull())
        .addPrimaryKeyConstraint('bulk_members_one', ['proposal_id', 'pid'])
        .execute()
      await db.schema.createIndex('bulk_members_pid').on('bulk_members').column('pid').execute()
    },
  },
  '012_sweeps': {
    async up(db) {
      await db.schema
        .createTable('sweeps')
        .addColumn('sweep', 'text', (column) => column.notNull())
        .addColumn('cluster', 'text', (column) => column.notNull())
        .addColumn('schedule', 'text', (column) => column.notNull())
        .addColumn('seen_to', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('sweeps_one', ['sweep', 'cluster'])
        .execute()
    },
  },
  '013_idempotency_keys': {
    async up(db) {
      await db.schema
        .createTable('idempotency_keys')
        .addColumn('token', 'text', (column) => column.notNull())
        .addColumn('key', 'text', (column) => column.notNull())
        .addColumn('fingerprint', 'text', (column) => column.notNull())
        .addColumn('proposal_id', 'text', (column) => column.notNull())
        .addColumn('used_at', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('idempotency_keys_one', ['token', 'key'])
        .execute()
    },
  },
}
