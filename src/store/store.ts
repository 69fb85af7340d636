import type { Kysely } from 'kysely'
import { type CallsTable, callsIn } from './calls.ts'
import { type Database, openDatabase, type StoreSettings } from './database.ts'
import { type History, historyIn } from './history.ts'
import { type IdempotencyKeys, idempotencyKeysIn } from './idempotencyKeys.ts'
import { type Incidents, incidentsIn } from './incidents.ts'
import { type Journal, journalIn } from './journal.ts'
import type { StoreWait } from './lock.ts'
import { type Messages, messagesIn } from './messages.ts'
import { type Proposals, proposalsIn } from './proposals.ts'
import { type RefusedBlocksTable, refusedBlocksIn } from './refusedBlocks.ts'
import { type Leases, leasesIn } from './replicas.ts'
import { atomically, type Schema } from './schema.ts'
import { type SecondFactors, secondFactorsIn } from './secondFactors.ts'
import { type Silences, silencesIn } from './silences.ts'
import { type Sweeps, sweepsIn } from './sweeps.ts'
import { type Webhooks, webhooksIn } from './webhooks.ts'

export type { StoreSettings } from './database.ts'

export type Tables = {
  readonly proposals: Proposals
  readonly incidents: Incidents
  readonly journal: Journal
  readonly messages: Messages
  readonly silences: Silences
  readonly secondFactors: SecondFactors
  readonly webhooks: Webhooks
  readonly calls: CallsTable
  readonly refusedBlocks: RefusedBlocksTable
  readonly leases: Leases
  readonly sweeps: Sweeps
  readonly idempotencyKeys: IdempotencyKeys
}

/** The bot's own memory: everything that has to survive a crash. */
export type Store = Tables &
  Pick<Database, 'join' | 'writes' | 'changes'> & {
    readonly history: History
    /** Runs all of it or nothing. Inside, use only the tables that are handed in. */
    atomically<T>(run: (tables: Tables) => Promise<T>): Promise<T>
    /** Resolves when something could be written just now, and what is open be read; throws why not: see `storeFailureOf`. */
    probe(): Promise<void>
    close(): Promise<void>
  }

/**
 * Opens the store and brings its schema up to date.
 * @param alone keeps other processes from a store in SQLite
 * @param warn says what of the record cannot be read
 * @throws StoreError when it cannot be opened, or when another process keeps it
 */
export async function openStore(
  settings: StoreSettings,
  alone: StoreWait | null = null,
  warn?: (sentence: string) => void,
): Promise<Store> {
  const { db, history, probe, join, writes, changes, close } = await openDatabase(settings, alone)
  const records = tablesIn(db)
  return {
    ...records,
    history: historyIn(history, warn),
    atomically: (run) => atomically(db, (db) => run(tablesIn(db))),
    async probe() {
      await probe()
      await records.incidents.openOutside([])
      await records.proposals.inState('open')
    },
    join,
    writes,
    changes,
    close,
  }
}

export const tablesIn = (db: Kysely<Schema>): Tables => ({
  proposals: proposalsIn(db),
  incidents: incidentsIn(db),
  journal: journalIn(db),
  messages: messagesIn(db),
  silences: silencesIn(db),
  secondFactors: secondFactorsIn(db),
  webhooks: webhooksIn(db),
  calls: callsIn(db),
  refusedBlocks: refusedBlocksIn(db),
  leases: leasesIn(db),
  sweeps: sweepsIn(db),
  idempotencyKeys: idempotencyKeysIn(db),
})
