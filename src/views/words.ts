import type { Holder } from '../domain/incidents/connectionHolders.ts'
import type { Finding } from '../domain/incidents/finding.ts'
import { kindNames, type Severity } from '../domain/incidents/severity.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import { type LastSeen, obstacleOf, type Unreachable } from '../domain/incidents/unreachable.ts'
import type { Wait } from '../domain/locks/blocking.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { statementsIn } from '../domain/session/command.ts'
import { isLoggingIn } from '../domain/session/loggingIn.ts'
import { isClient, type Session } from '../domain/session/session.ts'
import type { LockTarget } from '../domain/session/snapshot.ts'
import { onOneLine } from '../domain/text/clean.ts'
import { formatDuration } from '../domain/text/duration.ts'
import { clean, type Line, moment, truncate } from './kit.ts'

export { onOneLine }

/** The signs of what is open, wherever it is shown. */
export const severitySigns: Record<Severity, string> = { critical: '🔴', warning: '🟠', notice: '🔵' }

/** Names a session in a sentence: `4312 (web, user shop, database orders, client 10.0.3.4:51234)`: the client behind a pooler. */
export function nameOf(session: Session): string {
  const known = [
    session.applicationName,
    session.usename && `user ${session.usename}`,
    session.datname && `database ${session.datname}`,
    session.pooler?.client ? `client ${session.pooler.client.address}` : null,
  ]
    .filter((part) => part !== null && part !== '')
    // A name may contain a line break: it must not begin a line of its own.
    .map((part) => onOneLine(String(part)))
  return known.length > 0 ? `${session.pid} (${known.join(', ')})` : `${session.pid} (${session.backendType})`
}

/** Names a session where there is little room, at most three words of it: `checkout`. */
export const shortNameOf = ({ applicationName, usename, backendType }: NamedSession, max = 24): string =>
  truncate(
    onOneLine(clean(applicationName || usename || backendType))
      .trim()
      .split(' ', 3)
      .join(' ') || backendType,
    max,
  )

type NamedSession = Pick<Session, 'applicationName' | 'usename' | 'backendType'>

/** The same with its pid: `checkout (13624)`. */
export const shortNameAndPid = (session: NamedSession & Pick<Session, 'pid'>): string =>
  `${shortNameOf(session)} (${session.pid})`

/** Says what the session is doing and for how long: `idle in transaction for 5 min`. */
export function stateOf(session: Session): string {
  if (isLoggingIn(session)) return 'logging in'
  if (session.state === null)
    return ['client backend', ''].includes(session.backendType) ? 'in an unseen state' : session.backendType
  const seconds = session.state === 'active' ? session.querySeconds : session.stateSeconds
  return seconds === null ? session.state : `${session.state} for ${formatDuration(seconds)}`
}

/** Says for how long somebody has waited, and what of it for who has the row now: `4 min (3 s since the row changed hands)`. */
export function waitedFor({ seconds, sinceHandOver }: Wait): string {
  if (seconds === null) return ''
  const part =
    sinceHandOver === undefined ? '' : ` (${formatDuration(sinceHandOver)} since the row changed hands)`
  return formatDuration(seconds) + part
}

/** Names what is waited for: `a row of public.orders`, `AccessExclusiveLock on public.orders`. */
export function lockOf(
  { mode, target, relationName: name }: Wait,
  waiter: Pick<Session, 'query' | 'backendType'> | null = null,
): string {
  const relationName = name === null ? null : onOneLine(name)
  switch (target.locktype) {
    // For a row the waiter takes a lock of that too, which names its relation. Others wait for the transaction itself: for a key
    // that it inserted, to build an index CONCURRENTLY, or to make a replication slot.
    case 'transactionid':
      return relationName
        ? `a row of ${relationName}`
        : `the end of transaction ${target.transactionid ?? '?'}${purposeOf(waiter)}`
    case 'virtualxid':
      return `the end of transaction ${target.virtualxid}`
    case 'relation':
    case 'object':
      return `${mode} on ${relationName ?? targetName(target)}`
    default:
      return targetOf(target)
  }
}

/** Says why the session waits for a transaction, when its statement shows that. */
function purposeOf(waiter: Pick<Session, 'query' | 'backendType'> | null): string {
  if (waiter === null) return ''
  const [words = ''] = statementsIn(waiter)
  if (waiter.backendType === 'walsender' || /(?:^| )PG_CREATE_LOGICAL_REPLICATION_SLOT \(/.test(words))
    return ' (to make a replication slot)'
  if (/^(?:CREATE|DROP|REINDEX|ALTER TABLE)\b.*\bCONCURRENTLY\b/.test(words))
    return ' (to go on CONCURRENTLY)'
  return /^INSERT\b/.test(words) ? ' (likely for a key that it inserted)' : ''
}

/** pg_locks shows a bigint key in two halves (objsubid 1), a pair of integers as they are (objsubid 2). */
const advisoryKey = ({ classid, objid, objsubid }: LockTarget): string =>
  objsubid === 1
    ? String(BigInt.asIntN(64, (BigInt(classid ?? 0) << 32n) | BigInt(objid ?? 0)))
    : `(${(classid ?? 0) | 0}, ${(objid ?? 0) | 0})`

/** Names what is locked: `public.orders`, `a row of public.orders`, `advisory lock 42`. */
export function targetOf(target: LockTarget): string {
  switch (target.locktype) {
    case 'tuple':
      return `a row of ${targetName(target)}`
    case 'page':
      return `a page of ${targetName(target)}`
    case 'extend':
      return `the right to extend ${targetName(target)}`
    case 'spectoken':
      return `an INSERT … ON CONFLICT of transaction ${target.transactionid ?? '?'}`
    case 'frozenid':
      return `the oldest transaction id of database ${target.database}`
    case 'applytransaction':
      return 'a transaction that a subscription applies'
    case 'safe snapshot':
      return 'a safe snapshot (SERIALIZABLE READ ONLY DEFERRABLE)'
    case 'transactionid':
      return `transaction ${target.transactionid ?? '?'}`
    case 'virtualxid':
      return `virtual transaction ${target.virtualxid ?? '?'}`
    case 'advisory':
      return `advisory lock ${advisoryKey(target)}`
    default:
      return targetName(target)
  }
}

function targetName(target: LockTarget): string {
  if (target.relationName) return onOneLine(target.relationName)
  if (target.relation !== null) return `relation ${target.relation} of database ${target.database}`
  if (target.locktype === 'object') return objectName(target)
  return target.locktype
}

/** Catalogs whose oids stand in pg_locks.classid and are the same on every server (src/include/catalog/pg_*.h). */
const catalogs: Readonly<Record<number, string>> = {
  1213: 'tablespace',
  1247: 'type',
  1255: 'function',
  1260: 'role',
  1262: 'database',
  1417: 'foreign server',
  2328: 'foreign-data wrapper',
  2615: 'schema',
  3079: 'extension',
  3456: 'collation',
  6000: 'replication origin',
  6100: 'subscription',
  6104: 'publication',
}

/** `database 16385`. NOTIFY locks database 0 until its commit (PreCommit_Notify in async.c). */
function objectName({ classid, objid }: LockTarget): string {
  if (classid === 1262 && objid === 0) return 'the queue of NOTIFY'
  return `${catalogs[classid ?? 0] ?? `object of catalog ${classid},`} ${objid}`
}

/** `97 of 100 connections are used (97 %); 3 are kept back for superusers and reserved roles, so nobody else gets one.` */
export function saturationWords({ used, max, reserved }: Finding & { kind: 'connections' }): string {
  const said = `${used} of ${max} connections are used (${Math.round((used * 100) / max)} %)`
  const left = Math.max(0, max - reserved - used)
  if (reserved === 0) return `${said}.`
  return `${said}; ${reserved} ${reserved === 1 ? 'is' : 'are'} kept back for superusers and reserved roles, so ${left === 0 ? 'nobody else gets one' : `${left} ${left === 1 ? 'is' : 'are'} left for everybody else`}.`
}

/** Says until when somebody wants no new cards. */
export const quietUntil = ({ until, untilOver }: Pick<Silence, 'until' | 'untilOver'>): Line =>
  untilOver ? ['it is over'] : [moment(until)]

/** Names what a silence is about. */
export function silenceWords(scope: Silence['scope']): string {
  switch (scope.kind) {
    case 'cluster':
      return 'everything'
    case 'finding':
      return kindNames[scope.findingKind].toLowerCase()
    case 'incident':
      return `incident ${scope.incidentId.slice(0, 8)}`
  }
}

export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`

/** Names a session in short, for a cell or a line: `web · shop · orders`, and the client behind a pooler. A long name leaves room for the next. */
export const whoOf = (session: Session): string => (isLoggingIn(session) ? 'logging in' : namesOf(session))

const namesOf = (session: Session): string =>
  // A worker of the server may have a user, and is more than that.
  [
    session.applicationName || (isClient(session) ? '' : session.backendType),
    session.usename,
    session.datname,
    session.pooler?.client?.address,
  ]
    .flatMap((name) => (name ? truncate(clean(name), 26) : []))
    .join(' · ') || session.backendType

/** Counts the waiting sessions that have no name yet: ` (24 that are logging in)`; empty when all have one. */
export function loggingInWords({ forest, snapshot }: Picture): string {
  const n = snapshot.sessions.filter(
    (session) => isLoggingIn(session) && forest.waits.has(session.pid),
  ).length
  return n === 0 ? '' : ` (${n} that ${n === 1 ? 'is' : 'are'} logging in)`
}

/** Names who holds connections, without their number: `web, user shop, 10.0.0.1`. A session without a user logs in. */
export const holderOf = ({ usename, applicationName, clientAddr }: Holder): string =>
  usename === '' && applicationName === ''
    ? 'sessions that are logging in'
    : `${applicationName || 'no application name'}, user ${usename}, ${clientAddr}`

/** Names a party of the blocking forest: 0 stands for a prepared transaction. */
export const partyWords = (pid: number): string => (pid > 0 ? String(pid) : 'a prepared transaction')

/** Names a wait that is not for a lock: `IO/DataFileRead`; empty when the session works. */
export const waitEventOf = (session: Session): string =>
  session.waitEventType === null ? '' : `${session.waitEventType}/${session.waitEvent ?? '?'}`

/** Quotes what the server says of a wait event, after its name; empty where it says nothing. */
export const explained = (words: string | null): string =>
  words === null ? '' : `. The server says: ${truncate(onOneLine(words), 300).replace(/\.$/, '')}`

/** Says what a cluster that cannot be seen does, after its name. */
export function obstacleWords(finding: Unreachable, over = false): string {
  switch (obstacleOf(finding)) {
    case 'full':
    case 'refuses':
      return over ? 'accepted no connections' : 'accepts no connections'
    case 'login':
      return over ? 'refused the login' : 'refuses the login'
    case 'silent':
      return over ? 'did not answer' : 'does not answer'
    case 'unusable':
      return over ? 'could not be seen' : 'cannot be seen'
  }
}

/** Counts what was seen at the last look before a cluster went out of sight. */
export const lastSeenWords = ({ sessions, waiting, used, max, openIncidents }: LastSeen): string =>
  `${count(sessions, 'session')}, ${waiting} waiting, ${used} of ${max} connections, ${count(openIncidents, 'open incident')}`
