import { nameWords, sqlLiteral } from '../text/literal.ts'
import { finisherOn, type Platform } from './platform.ts'
import type { PreparedTransaction } from './session.ts'

/** Longer ones are no pleasure to copy. */
const longestLiteral = 300

/**
 * The statement by which a person ends a prepared transaction. Where its name cannot be written as it is, the server writes it:
 * `\gexec` is psql's.
 */
export function finishing(
  verb: 'COMMIT' | 'ROLLBACK',
  { gid, gidInDoubt, xid }: Pick<PreparedTransaction, 'gid' | 'gidInDoubt' | 'xid'>,
): string {
  const literal = sqlLiteral(gid)
  return gidInDoubt || literal.length > longestLiteral
    ? `SELECT format('${verb} PREPARED %L', gid) FROM pg_prepared_xacts WHERE transaction = '${xid}' \\gexec`
    : `${verb} PREPARED ${literal};`
}

/**
 * Says where and by whom it is finished: `in database orders as shop or a superuser` (FinishPreparedTransaction in
 * twophase.c).
 */
export const finishingPlace = (
  { database, owner }: Pick<PreparedTransaction, 'database' | 'owner'>,
  platform: Platform,
): string =>
  `in database ${nameWords(database)} as ${finisherOn(platform, owner === '' ? '' : nameWords(owner))}`

/**
 * The name of a prepared transaction, which has the encoding of its own database and is stored as bytes.
 * @param encoding of that database; null where it is not known
 */
export function gidFrom(
  bytes: Buffer,
  encoding: string | null,
): Pick<PreparedTransaction, 'gid' | 'gidInDoubt'> {
  const isAscii = bytes.every((byte) => byte < 0x80)
  if (!isAscii && encoding === 'LATIN1') return { gid: bytes.toString('latin1') }
  const gid = bytes.toString('utf8')
  const isExact = isAscii || (encoding === 'UTF8' && Buffer.from(gid, 'utf8').equals(bytes))
  return isExact ? { gid } : { gid, gidInDoubt: true }
}
