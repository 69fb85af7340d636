/**
 * The one place that knows in what the major versions of PostgreSQL differ for us: the release notes (appendix E of the
 * manual) say since when each is there. SQL that must run everywhere does not ask for a version but looks whether a
 * role, a setting or a column is there (pg_replication_slots has inactive_since and invalidation_reason since 17); what is
 * asked or said by version goes through here. Extensions have versions of their own: see postgres/statementStats.ts.
 */

export const oldestMajor = 14
/**
 * The newest one that is known. A newer server is treated as this one. The tests run on servers up to 18; 19 is known by its
 * manual and its source, and tried with rows as its catalogs have them.
 */
export const newestMajor = 19

/** Since which major version what is there. All of it is about servers that we support. */
const since = {
  /** The server's log as one JSON object a line. */
  jsonlog: 15,
  /** Slots that are kept back for the members of pg_use_reserved_connections. */
  reserved_connections: 16,
  /** Settings. */
  transaction_timeout: 17,
  idle_replication_slot_timeout: 18,
  /** Sessions that log in are in pg_stat_activity (as `starting`). */
  starting: 18,
  /** A role that may cancel and terminate autovacuum workers; before, only a superuser may. */
  pg_signal_autovacuum_worker: 18,
} as const satisfies Readonly<Record<string, number>>

export type Feature = keyof typeof since

const majorOf = (versionNum: number): number => Math.floor(versionNum / 10_000)

/** 180004 is 18.4: https://www.postgresql.org/docs/current/runtime-config-preset.html#GUC-SERVER-VERSION-NUM */
export const versionWords = (versionNum: number): string => `${majorOf(versionNum)}.${versionNum % 10_000}`

export const has = (versionNum: number, feature: Feature): boolean => majorOf(versionNum) >= since[feature]

/** Decides whether a server is too old for us. */
export const isTooOld = (versionNum: number): boolean => majorOf(versionNum) < oldestMajor

/** `16 and newer` */
export const sinceWords = (feature: Feature): string => `${since[feature]} and newer`

/**
 * Warns of a version that is newer than the tested ones; null for those. An older one is refused by the first
 * statement, with the sentence for its SQLSTATE (postgres/errors.ts).
 */
export const newerWords = (versionNum: number): string | null =>
  majorOf(versionNum) > newestMajor
    ? `PostgreSQL ${versionWords(versionNum)} is newer than this version of pg-marshal knows; it is treated as ${newestMajor}.`
    : null
