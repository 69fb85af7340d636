import type { Finding } from '../incidents/finding.ts'
import type { Scope, SettingName, SetValue } from './settings.ts'
import type { Spell } from './spells.ts'
import type { Target, Written } from './statement.ts'

/** One change that would have prevented trouble that was seen. It is shown, and never made by the bot. */
export type Prevention = Written & {
  readonly setting: SettingName
  /** In PostgreSQL's own units: `60s`. */
  readonly value: string
  /** Role in a database that it holds for; null: the whole server. */
  readonly scope: Scope | null
  /** The trouble, one sentence. Names in it come from the database. */
  readonly trouble: string
  /** Value now, and where it comes from. */
  readonly now: string
  /** Sentences: what it does, and what it does not. */
  readonly effect: string
  /** Effect that it would have had before; null for what ends nothing. */
  readonly before: Before | null
  /** True where it holds only after the server was restarted. */
  readonly needsRestart: boolean
}

export type Before = {
  /** Times that such trouble was seen, and how many of them it would have cut short. */
  readonly times: number
  readonly ended: number
  /** By the record: whom it would have hit; null where there is no record. */
  readonly hits: Hits | null
}

export type Hits = {
  /** Number of sessions that were no part of this trouble. */
  readonly all: number
  /** Number of those that kept nobody waiting. */
  readonly innocent: number
  /** Applications of the innocent, the most hit first. */
  readonly applications: readonly string[]
}

/** An incident, as far as it is of interest here. */
export type PastTrouble = { readonly finding: Finding; readonly mostVictims: number }

export type Evidence = {
  readonly troubles: readonly PastTrouble[]
  /** By the record, and what is seen now. */
  readonly spells: readonly Spell[]
  /** False where nothing is recorded: then nobody knows whom a limit would have hit. */
  readonly isRecorded: boolean
  readonly settings: readonly SetValue[]
  readonly target: Target
  /** Bytes of WAL from which on a slot is trouble here. */
  readonly slotRetainsBytes: number
}
