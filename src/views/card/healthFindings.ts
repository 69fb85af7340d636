import type { HealthFinding } from '../../domain/incidents/healthFinding.ts'
import type { DeadlockReport, ReplicationSlot, VacuumHolder } from '../../domain/session/health.ts'
import { finishing } from '../../domain/session/prepared.ts'
import type { PreparedTransaction, Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { nameWords, sqlLiteral } from '../../domain/text/literal.ts'
import { list, listSome } from '../../domain/text/sentence.ts'
import { formatCount, formatSize } from '../../domain/text/size.ts'
import { bold, code, type Line, moment, truncate } from '../kit.ts'
import { count, nameOf, onOneLine } from '../words.ts'

/** Sentences of what a health check finds, see findings.ts. */
export function healthSentence(finding: HealthFinding): string {
  switch (finding.kind) {
    case 'deadlocks':
      return `The server broke ${count(finding.count, 'deadlock')} in database ${onOneLine(finding.database)}: each time one statement ended with an error.`
    case 'preparedTransaction':
      return `${preparedName(finding.prepared)} was never finished.`
    case 'vacuumHeldBack':
      return `${holderName(finding.holder, finding.session)} keeps vacuum from cleaning up ${reachOf(finding.holder)}: ${formatCount(finding.holder.age)} transactions have begun since.`
    case 'wraparound':
      return `Database ${onOneLine(finding.database)} is ${percent(finding.ratio)} of the way to ${finding.counts === 'transactions' ? 'transaction-id' : 'multixact'} wraparound (${formatCount(finding.age)} ${finding.counts})${finding.others > 0 ? `, and ${count(finding.others, 'more database is', 'more databases are')} past the threshold` : ''}.`
    case 'replicationSlot':
      return `${slotName(finding.slot)} keeps ${formatSize(finding.slot.retainedBytes)} of WAL; ${consumerOf(finding.slot)}.`
  }
}

/** Says what the finding does to the server, and what to do next. */
export function healthWhy(finding: HealthFinding): Line[] {
  const next: Line = [bold('Next: '), ...nextStep(finding)]
  switch (finding.kind) {
    case 'deadlocks':
      return [
        [bold('When: '), 'after ', moment(finding.since), ', the last before ', moment(finding.lastAt), '.'],
        ...(finding.participants.length > 0 ? [seen(finding.participants)] : []),
        ...finding.reports.map(reported),
        next,
      ]
    case 'preparedTransaction':
      return [
        [
          bold('What it does: '),
          'it keeps its locks and holds vacuum back until somebody finishes it, over a restart too.',
        ],
        next,
      ]
    case 'vacuumHeldBack':
      return [
        [
          bold('What it does: '),
          'rows that were removed or changed since stay on disk; tables grow and queries slow down.',
        ],
        // A session has its cure on the card.
        ...(finding.session ? [] : [next]),
      ]
    case 'wraparound':
      return [
        [bold('What happens: '), 'at 100 % the server takes no more writes, until it was vacuumed by hand.'],
        ...(finding.holder
          ? [[bold('Held up by: '), `${holderName(finding.holder)}, ${formatCount(finding.holder.age)} old.`]]
          : []),
        next,
      ]
    case 'replicationSlot':
      return [[bold('What happens: '), outlook(finding.slot)], next]
  }
}

/** One step for a person to take. */
export function nextStep(finding: HealthFinding): Line {
  switch (finding.kind) {
    case 'deadlocks':
      return finding.reports.length + finding.participants.length > 0
        ? [orderAdvice]
        : [
            `${orderAdvice} The server’s log shows which ones (`,
            code('/pg health'),
            ' says how it can be read here).',
          ]
    case 'preparedTransaction':
      return [
        `ask whoever coordinates it whether it is to be committed, and finish it in database ${nameWords(finding.prepared.database)} as ${finding.finisher}: `,
        code(finishing('COMMIT', finding.prepared)),
        ' or ',
        code(finishing('ROLLBACK', finding.prepared)),
      ]
    case 'vacuumHeldBack':
      return endHolder(finding.holder)
    case 'wraparound':
      return finding.holder
        ? ['let go of what holds it up: ', ...endHolder(finding.holder)]
        : [
            `see in database ${nameWords(finding.database)} whether autovacuum gets through; by hand, as a superuser or the owner of its tables: `,
            code('VACUUM;'),
            ' (neither FULL nor FREEZE).',
            ...(finding.counts === 'transactions'
              ? [` Autovacuum begins at ${formatCount(finding.freezeMaxAge)}.`]
              : []),
          ]
    case 'replicationSlot':
      return finding.slot.isRepack ? letRepackEnd : letGo(finding.slot.name, finding.slot.active)
  }
}

const orderAdvice =
  'let the applications take their rows in one order, and repeat a transaction that fails with 40P01.'

function endHolder({ kind, name, pid, database, isRepack }: VacuumHolder): Line {
  switch (kind) {
    case 'session':
      return ['look at it and end it if nobody needs it: ', code(`/pg session ${pid}`), '.']
    case 'prepared':
      return [
        `finish it in ${database === null ? 'its database' : `database ${nameWords(database)}`}, as its owner: `,
        // Without its id nobody can recognise the others in what is shown.
        ...(/^[\x20-\x7e]*$/.test(name)
          ? [
              code(finishing('COMMIT', { gid: name, xid: '' })),
              ' or ',
              code(finishing('ROLLBACK', { gid: name, xid: '' })),
            ]
          : ['its name is in ', code('SELECT gid FROM pg_prepared_xacts;')]),
      ]
    case 'slot':
      return isRepack ? letRepackEnd : letGo(name, false)
    case 'standby':
      return [
        'end the long query on that standby: it reports its oldest transaction by hot_standby_feedback.',
      ]
  }
}

const letRepackEnd: Line = [
  'let the REPACK (CONCURRENTLY) end that it belongs to, or cancel that: the slot goes with it, and so does its work (',
  code('/pg long'),
  ').',
]

const letGo = (slot: string, isActive: boolean): Line =>
  isActive
    ? ['see why its consumer does not keep up.']
    : [
        'bring its consumer back. Only when it is gone for good: ',
        code(`SELECT pg_drop_replication_slot(${sqlLiteral(slot)});`),
      ]

/** Names who keeps vacuum back. */
export function holderName(
  { kind, name, pid, database }: VacuumHolder,
  session: Session | null = null,
): string {
  switch (kind) {
    case 'session':
      return session
        ? `Session ${nameOf(session)}`
        : `Session ${pid} (${onOneLine(name) || 'no name'}, database ${onOneLine(database ?? '')})`
    case 'prepared':
      return `Prepared transaction ${sqlLiteral(name)} (database ${onOneLine(database ?? '')})`
    case 'slot':
      return `Replication slot ${sqlLiteral(name)}`
    case 'standby':
      return `The standby ${onOneLine(name)} (walsender ${pid})`
  }
}

const reachOf = ({ kind, database, catalogsOnly }: VacuumHolder): string =>
  catalogsOnly
    ? 'the catalogs'
    : kind === 'slot' || kind === 'standby' || database === null
      ? 'every database'
      : `database ${onOneLine(database)}`

export const preparedName = ({ gid, owner, database, preparedSeconds }: PreparedTransaction): string =>
  `Prepared transaction ${sqlLiteral(gid)} (${onOneLine(owner) || 'owner dropped'}, database ${onOneLine(database)}, prepared ${formatDuration(preparedSeconds)} ago)`

const slotName = ({ name, slotType, database }: ReplicationSlot): string =>
  `Replication slot ${sqlLiteral(name)} (${slotType}${database === null ? '' : `, database ${onOneLine(database)}`})`

const consumerOf = ({ active, inactiveSeconds }: ReplicationSlot): string =>
  active
    ? 'its consumer is connected and behind'
    : inactiveSeconds === null
      ? 'its consumer is not connected'
      : `its consumer has been away for ${formatDuration(inactiveSeconds)}`

function outlook({ walStatus, safeBytes, active }: ReplicationSlot): string {
  if (walStatus === 'unreserved')
    return 'at the next checkpoint the server gives it up: then whoever reads from it has to be set up again.'
  return safeBytes === null
    ? `${active ? 'unless it catches up, ' : ''}it keeps more and more until the disk is full, and then the server stops.`
    : `after ${formatSize(safeBytes)} more the server gives it up, and whoever reads from it has to be set up again.`
}

const seen = (participants: readonly Session[]): Line => [
  bold('Seen waiting for each other: '),
  `${listSome(participants.map(nameOf), 4)}.`,
]

/** Says what the server's log has about one deadlock. */
export function reported({ at, user, applicationName, pid, pids, statement }: DeadlockReport): Line {
  const others = pids.filter((one) => one !== pid)
  const who = [onOneLine(applicationName), user && `user ${onOneLine(user)}`].filter(Boolean).join(', ')
  return [
    bold('In the log: '),
    `${onOneLine(at)}: ${pid}${who ? ` (${who})` : ''} lost${others.length > 0 ? ` against ${list(others)}` : ''}`,
    ...(statement ? [', which ran ', code(truncate(onOneLine(statement), 300))] : ['.']),
  ]
}

export const percent = (ratio: number): string => `${Math.floor(ratio * 100)} %`
