import { capital } from '../text/sentence.ts'
import { statementsIn } from './command.ts'
import { isClient, type Session } from './session.ts'
import type { LockTarget } from './snapshot.ts'

/**
 * Things that a statement leaves behind when it is cancelled, or its session terminated, before it is done. Only what
 * its transaction does not take back counts. It follows from the statement, wherever that waits.
 */
export type Leftover = {
  /**
   * `halfDone`: something that somebody has to mend. `steps`: it goes through many, each done for good. `vacuum`: as steps, and
   * nobody misses what is not done. `outside`: its transaction is rolled back, and has reached beyond itself.
   */
  readonly kind: 'halfDone' | 'steps' | 'vacuum' | 'outside'
  /** One clause: "an invalid index stays". */
  readonly stays: string
  /** Next step then, one sentence; empty when nothing is to be done. */
  readonly next: string
}

type Rule = Leftover & {
  readonly is: RegExp
  /** Decides whether it waits for its first lock, and has done nothing that stays. */
  readonly isBefore?: (session: Session, wanted: Wanted | null) => boolean
}

/** The lock that is waited for; null where nobody looked. */
export type Wanted = { readonly target: Pick<LockTarget, 'locktype'>; readonly mode: string }

const invalidIndexes = 'SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid;'

/** They ask for less at first (ShareUpdateExclusiveLock); the strong lock is for the last step. */
const concurrently: Rule['isBefore'] = (_, wanted) =>
  wanted !== null &&
  (wanted.target.locktype === 'relation' || wanted.target.locktype === 'object') &&
  wanted.mode !== 'AccessExclusiveLock'

const waitsForLock: Rule['isBefore'] = ({ waitEventType }) => waitEventType === 'Lock'

/** An option of a statement in parentheses, or a word of it, that is not switched off. */
export const concurrent = String.raw`.*\bCONCURRENTLY\b(?! (?:FALSE|OFF)\b)`

/**
 * Commands that "cannot be executed inside a transaction block", and others whose effects outlive a rollback; see each page of
 * https://www.postgresql.org/docs/current/sql-commands.html. Not here, for they leave nothing: REFRESH MATERIALIZED VIEW
 * CONCURRENTLY and ALTER TYPE … ADD VALUE (one transaction), CREATE DATABASE and ALTER DATABASE … SET TABLESPACE (the files that
 * they have copied are removed), DROP TABLESPACE, NOTIFY (sent at the commit).
 */
const rules: readonly Rule[] = [
  {
    is: /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY\b/,
    kind: 'halfDone',
    stays: 'an invalid index stays',
    next: `It slows down writes and serves no query. Find it in its database (${invalidIndexes}), DROP INDEX CONCURRENTLY it, and create it again.`,
    isBefore: concurrently,
  },
  {
    is: new RegExp(`^REINDEX\\b${concurrent}`),
    kind: 'halfDone',
    stays: 'an invalid index (…_ccnew or …_ccold) stays beside the one in use',
    next: `Find it in its database (${invalidIndexes}), and DROP INDEX CONCURRENTLY it.`,
    isBefore: concurrently,
  },
  {
    is: /^DROP INDEX CONCURRENTLY\b/,
    kind: 'halfDone',
    stays: 'the index stays, invalid',
    next: 'Run the same DROP INDEX CONCURRENTLY again.',
    isBefore: concurrently,
  },
  {
    is: /^ALTER TABLE\b.*\bDETACH PARTITION\b.*\bCONCURRENTLY$/,
    kind: 'halfDone',
    stays: 'the partition stays half detached',
    next: 'ALTER TABLE … DETACH PARTITION … FINALIZE; ends it (in its database: SELECT inhrelid::regclass, inhparent::regclass FROM pg_inherits WHERE inhdetachpending;).',
    isBefore: concurrently,
  },
  {
    // It waits for a lock before it marks the database as invalid, and for a barrier or a checkpoint after that (dropdb in dbcommands.c).
    is: /^DROP DATABASE\b/,
    kind: 'halfDone',
    stays: 'the database stays, invalid, and nobody can connect to it',
    next: 'Run DROP DATABASE again: nothing else mends it (SELECT datname FROM pg_database WHERE datconnlimit = -2; names it).',
    isBefore: waitsForLock,
  },
  {
    is: /^DROP SUBSCRIPTION\b/,
    kind: 'halfDone',
    stays: 'the subscription stays, and its slot on the publisher may be gone',
    next: 'Run it again; where it fails for the slot: ALTER SUBSCRIPTION … DISABLE; ALTER SUBSCRIPTION … SET (slot_name = NONE); and DROP it then.',
    isBefore: waitsForLock,
  },
  {
    is: /^CREATE SUBSCRIPTION\b(?!.*\b(?:CONNECT|CREATE_SLOT) = (?:FALSE|OFF)\b)/,
    kind: 'halfDone',
    stays: 'its slot may stay on the publisher, where it keeps WAL',
    next: 'Look there, in pg_replication_slots, and drop it before it is tried again.',
    isBefore: waitsForLock,
  },
  {
    is: /^ALTER SUBSCRIPTION\b.*\b(?:REFRESH|(?:SET|ADD|DROP) PUBLICATION)\b/,
    kind: 'halfDone',
    stays: 'slots of its tables on the publisher (pg_…_sync_…) may stay, or be gone',
    next: 'Run ALTER SUBSCRIPTION … REFRESH PUBLICATION again, and look in pg_replication_slots of the publisher.',
    isBefore: waitsForLock,
  },
  {
    is: /^VACUUM(?! (?:FULL\b|\([^)]*\bFULL\b(?! (?:FALSE|OFF)\b)))/,
    kind: 'vacuum',
    stays: 'what it has cleaned up stays',
    next: '',
  },
  {
    is: /^AUTOVACUUM\W+VACUUM\b/,
    kind: 'vacuum',
    stays: 'what it has cleaned up stays',
    next: 'It comes back for this table, at once when it prevents transaction-id wraparound.',
  },
  {
    is: /^ANALY[SZ]E\b/,
    kind: 'vacuum',
    stays: 'the statistics of tables that it has finished stay',
    next: '',
  },
  {
    // All tables, or a list of them. Of one table it is a transaction like any other.
    is: /^(?:VACUUM|CLUSTER|REPACK)(?: (?:FULL|FREEZE|VERBOSE|ANALY[SZ]E|\([^)]*\)))*(?:$| USING INDEX$| [^(]+(?:\([^)]*\) )?,)/,
    kind: 'steps',
    stays: 'the tables that it has finished stay so',
    next: 'Run it again for the others.',
  },
  {
    is: /^REINDEX (?:\([^)]*\) )?(?:DATABASE|SCHEMA|SYSTEM)\b/,
    kind: 'steps',
    stays: 'the indexes that it has finished stay so',
    next: 'Run it again for the others.',
  },
  {
    is: /^COPY\b.*\b(?:FROM|TO) PROGRAM\b/,
    kind: 'outside',
    stays: 'what its program has done stays, and the program may run on',
    next: '',
  },
  {
    is: /^COPY\b.* TO(?! (?:STDOUT|STDIN|PROGRAM)\b)(?= (?:WITH|DELIMITERS?|CSV|BINARY|\()|$)/,
    kind: 'outside',
    stays: 'its file on the server stays, cut off',
    next: '',
  },
  {
    is: /^ALTER SYSTEM\b/,
    kind: 'outside',
    stays: 'what it has written to postgresql.auto.conf stays',
    next: 'ALTER SYSTEM RESET … takes it out again.',
  },
  {
    is: /^CREATE TABLESPACE\b/,
    kind: 'outside',
    stays: 'its directory (PG_…) may stay at the location',
    next: 'Remove that, where it is empty, before it is tried again.',
  },
  {
    is: /(?:^| )DBLINK(?:_EXEC|_SEND_QUERY|_OPEN|_FETCH)? \(/,
    kind: 'outside',
    stays: 'what it has done through dblink on the other server may stay, or still run there',
    next: '',
  },
  {
    is: /(?:^| )(?:LO_EXPORT|PG_FILE_(?:WRITE|RENAME|UNLINK|SYNC)) \(/,
    kind: 'outside',
    stays: 'what it has done to files of the server stays',
    next: '',
  },
  {
    is: /(?:^| )(?:PG_LOGICAL_SLOT_GET_(?:BINARY_)?CHANGES|PG_REPLICATION_SLOT_ADVANCE|PG_(?:CREATE|COPY)_(?:LOGICAL|PHYSICAL)_REPLICATION_SLOT|PG_DROP_REPLICATION_SLOT) \(/,
    kind: 'outside',
    stays: 'what it has done to replication slots stays',
    next: '',
  },
  {
    is: /(?:^| )(?:PG_SWITCH_WAL|PG_CREATE_RESTORE_POINT|PG_PROMOTE|PG_WAL_REPLAY_(?:PAUSE|RESUME)|PG_RELOAD_CONF|PG_ROTATE_LOGFILE|PG_(?:CANCEL|TERMINATE)_BACKEND|PG_STAT_RESET\w*|PG_STAT_STATEMENTS_RESET) \(/,
    kind: 'outside',
    stays: 'what it has made the server do (its WAL, its settings, its statistics, its sessions) stays done',
    next: '',
  },
  {
    is: /(?:^| )(?:NEXTVAL|SETVAL) \(/,
    kind: 'outside',
    stays: 'what it took from sequences, or set there, stays so',
    next: '',
  },
]

/** Waits for old transactions, as those do that commit between their steps, and leaves things as they were. */
const leavesNothing =
  /^(?:ALTER TABLE\b.*\bDETACH PARTITION\b.*\bFINALIZE$|REFRESH MATERIALIZED VIEW\b|REPACK\b)/

const committed = {
  kind: 'halfDone',
  stays: 'what it has committed so far stays',
  next: 'Whether it may simply run again, its author knows.',
} as const satisfies Leftover

/** Leftover of a command that waits for virtual transactions and has a hidden text. */
const unknown = {
  kind: 'halfDone',
  stays: 'what it has committed stays, half done: an invalid index, or a partition half detached',
  next: `Look in its database: ${invalidIndexes} and SELECT inhrelid::regclass FROM pg_inherits WHERE inhdetachpending;`,
} as const satisfies Leftover

const ruleFor = (session: Pick<Session, 'query'>): Rule | null => {
  const statements = statementsIn(session)
  return rules.find(({ is }) => statements.some((words) => is.test(words))) ?? null
}

const ruleOf = (session: Session): Rule | null =>
  ruleFor(session) ?? rules.find(({ stays }) => stays === session.leaves) ?? null

/** For a session whose text is hidden: of its statement no more than what it leaves, in words of ours. */
export function leavesOf(query: string): Pick<Session, 'leaves'> {
  const rule = ruleFor({ query })
  return rule ? { leaves: rule.stays } : {}
}

/**
 * Returns what the running statement of a session leaves behind. Null when its transaction takes all of it back, or no
 * statement runs.
 */
export function leftoverOf(session: Session): Leftover | null {
  if (session.state !== 'active') return null
  const rule = ruleOf(session)
  if (rule?.kind === 'halfDone') return rule
  if (hasCommitted(session)) return committed
  const statements = statementsIn(session)
  // Only a command CONCURRENTLY waits for virtual transactions (WaitForLockers in lmgr.c), between transactions of its own.
  const isBetween = session.waitEventType === 'Lock' && session.waitEvent === 'virtualxid'
  return isBetween && !statements.some((words) => leavesNothing.test(words)) ? unknown : rule
}

/** Decides whether it waits for its first lock, and has done nothing yet that stays. */
export const isBeforeItsFirstStep = (session: Session, wanted: Wanted | null): boolean =>
  ruleOf(session)?.isBefore?.(session, wanted) ?? false

/**
 * Decides whether it has committed and goes on. That is a procedure or a DO block, whose next transaction begins later
 * than the statement (StartTransaction in xact.c), or a COMMIT in the middle of a message with several statements.
 */
function hasCommitted(session: Session): boolean {
  const { xactSeconds, querySeconds } = session
  if (!isClient(session)) return false
  const began = xactSeconds !== null && querySeconds !== null && querySeconds - xactSeconds > 0.000_000_5
  const statements = statementsIn(session)
  return (
    began ||
    statements
      .slice(0, -1)
      .some((words) => /^(?:COMMIT|END)(?: (?:WORK|TRANSACTION))?(?: AND (?:NO )?CHAIN)?$/.test(words))
  )
}

/** Its clause and its step as sentences. */
export const leftoverWords = ({ stays, next }: Leftover): string =>
  `${capital(stays)}.${next === '' ? '' : ` ${next}`}`

/** Says what becomes of its work when that is not simply rolled back; null when it is. */
export function undoneWords(session: Session): string | null {
  const left = leftoverOf(session)
  if (left === null || isBeforeItsFirstStep(session, null)) return null
  return left.kind === 'outside' ? `its transaction is rolled back, but ${left.stays}` : left.stays
}
