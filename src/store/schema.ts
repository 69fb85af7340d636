import type { Kysely } from 'kysely'

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
  /** Sessions of the lists of bulk requests, to find them by. */
  bulk_members: {
    proposal_id: string
    pid: number
  }
  /** The last time of each sweep that was seen to. */
  sweeps: {
    sweep: string
    cluster: string
    /** It begins again with another one. */
    schedule: string
    seen_to: number
  }
  /** Calls of programs, with the proposal that each led to. */
  idempotency_keys: {
    token: string
    key: string
    /** Hash of the request. */
    fingerprint: string
    proposal_id: string
    used_at: number
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
  /** One row, which each transaction locks where several processes may write: see `openPostgres`. */
  writer: {
    id: number
    /** Grows with each transaction that writes, so that the other replicas notice it. */
    changes: number
  }
  /** Processes that work with the store, in PostgreSQL. Times are those of the store's server. */
  replicas: {
    id: string
    /** Name for people. */
    name: string
    joined_at: number
    /** Until when it is taken to live without a word. */
    seen_until: number
    /** Clusters that it knows, and those that it cannot see. */
    data: string
  }
  /** Rights of one replica to do what one at a time does. */
  leases: {
    name: string
    /** Id of the replica that has it; null where it gave it back. */
    replica: string | null
    /** Grows each time that somebody takes it. */
    epoch: number
    taken_at: number
  }
  /** Requests of Slack that may come to several replicas, each with the one that took it. */
  requests: {
    id: string
    replica: string
    taken_at: number
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
  /** Looks of the past: a part of a chunk, or (piece -1) all of it. */
  history_chunks: {
    chunk: string
    piece: number
    cluster: string
    from_at: number
    to_at: number
    /** Times of its looks that show another jam than the one before, as a JSON list. */
    changes: string
    bytes: number
    data: Uint8Array
  }
  /** Statements that the looks name. `used_at`: used then, and for up to an hour after. */
  history_texts: {
    cluster: string
    id: string
    text: string
    used_at: number
    bytes: number
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

/** Tables that are about processes, not about what is remembered. */
type OfProcesses = 'writer' | 'replicas' | 'leases' | 'requests'

/** Tables of the record of looks, each with what tells its rows apart. */
export const historyTables = {
  history_chunks: ['chunk', 'piece'],
  history_texts: ['cluster', 'id'],
} as const

/** Tables with all else that is remembered. */
export const tableNames = Object.keys({
  proposals: 1,
  bulk_members: 1,
  sweeps: 1,
  idempotency_keys: 1,
  incidents: 1,
  silences: 1,
  second_factors: 1,
  calls: 1,
  refused_blocks: 1,
  journal: 1,
  messages: 1,
  webhook_told: 1,
  webhook_deliveries: 1,
} satisfies Record<Remembered, 1>) as Remembered[]

type Remembered = Exclude<keyof Schema, OfProcesses | keyof typeof historyTables>

/** Runs all of it or nothing, in the transaction that is open already or in one of its own. */
export const atomically = <T>(db: Kysely<Schema>, run: (db: Kysely<Schema>) => Promise<T>): Promise<T> =>
  db.isTransaction ? run(db) : db.transaction().execute(run)

/** Recognises a statement that changes what is remembered, as Kysely writes it. */
export const isWrite = (sql: string): boolean => /^(?:insert|update|delete|commit)\b/i.test(sql)
