import type { LockedTarget, OwnLock } from '../../domain/locks/list.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import type { Session } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { type RelationName, relationWords } from '../../domain/text/identifier.ts'
import { listSome } from '../../domain/text/sentence.ts'
import { bold, truncate, type View } from '../kit.ts'
import { count, nameOf, stateOf } from '../words.ts'
import { ages, maxRows, modesOf, targetRows, wordsOfTarget } from './lockTable.ts'
import { notices } from './notices.ts'
import {
  type AnswerContext,
  asOf,
  commandTo,
  compose,
  footer,
  type Line,
  lines,
  type PictureAnswer,
  type Piece,
} from './page.ts'

/** Locks that cannot be read now: the last ones that were shown, or why there is nothing to show. */
type NotRead = { readonly last: readonly LockedTarget[] } | { readonly unread: string }

/** `/pg locks`: every lock that somebody waits for. */
export function contendedView({
  picture,
  targets,
  asked,
}: PictureAnswer & { readonly targets: readonly LockedTarget[] }): View {
  const { table, more } = targetRows(targets)
  return compose(`Locks that somebody waits for on ${asked.cluster}`, [
    lines(...notices(picture, asked), ...headline(picture, targets)),
    ...table,
    lines(
      ...more,
      ...(targets.length > 0
        ? [ages, ['Who is behind whom, and the way out: ', commandTo(asked, 'blocking')]]
        : []),
    ),
    footer(picture, asked),
  ])
}

function headline({ snapshot, forestTakenAt }: Picture, targets: readonly LockedTarget[]): Line[] {
  const waiting = new Set(targets.flatMap(({ waiters }) => waiters.map(({ pid }) => pid))).size
  const [first] = targets
  const longest = first?.waiters[0]?.seconds ?? null
  if (targets.length > 0)
    return [
      [
        bold(`${count(waiting, 'session waits', 'sessions wait')} for ${count(targets.length, 'lock')}`),
        longest === null ? '.' : `, the longest for ${formatDuration(longest)}.`,
      ],
    ]
  // Said only where it was seen.
  if (snapshot.locks.kind === 'jammed')
    return forestTakenAt === null ? [] : [['Nobody waited when the locks were read last.']]
  return snapshot.server.seesOthers ? [[bold('Nobody waits for a lock.')]] : []
}

/** `/pg locks PID`: every lock of one session, and who waits because of it. */
export function sessionLocksView({
  picture,
  session,
  found,
  asked,
}: PictureAnswer & {
  readonly session: Session
  readonly found: { readonly locks: readonly OwnLock[] } | NotRead
}): View {
  const title = `Locks of session ${session.pid} on ${asked.cluster}`
  const who: Line = [bold(truncate(nameOf(session), 250)), `, ${stateOf(session)}.`]
  if ('unread' in found)
    return compose(title, [
      lines(...notices(picture, asked), who, [bold('Its locks were not read: '), found.unread]),
      footer(picture, asked),
    ])
  if ('last' in found)
    return compose(title, [lines(...notices(picture, asked), who), ...asReadLast(found.last, picture, asked)])
  const { locks } = found
  const held = locks.filter(({ granted }) => granted)
  const waits = locks.length - held.length
  const wanted = held.filter(({ others }) => others.length > 0).length
  const age =
    session.xactSeconds === null
      ? ''
      : `, in a transaction that is open for ${formatDuration(session.xactSeconds)}`
  const rows = locks
    .slice(0, maxRows)
    .map((lock) => [
      lock.granted ? 'holds' : 'waits for',
      truncate(wordsOfTarget(lock), 60),
      modesOf(lock.modes),
      lock.seconds === null ? '' : formatDuration(lock.seconds),
      othersOf(lock),
    ])
  return compose(title, [
    lines(
      ...notices(picture, asked),
      who,
      locks.length === 0
        ? ['It holds no locks.']
        : [
            bold(`It holds ${count(held.length, 'lock')}${waits > 0 ? ` and waits for ${waits} more` : ''}`),
            `${age}.${wanted > 0 ? ` Others wait for ${wanted} of them.` : ''}`,
          ],
    ),
    ...(rows.length > 0
      ? [{ kind: 'table', head: ['Does', 'Lock', 'Mode', 'Waits', 'Others'], rows } as const]
      : []),
    lines(
      ...(locks.length > rows.length ? [[`${locks.length - rows.length} more locks, weaker ones.`]] : []),
      ['Everything else about it: ', commandTo(asked, `session ${session.pid}`)],
    ),
    footer(picture, asked),
  ])
}

function othersOf({ granted, others }: OwnLock): string {
  if (others.length === 0) return ''
  const named = listSome(
    others.map((pid) => (pid === 0 ? 'a prepared transaction' : String(pid))),
    5,
  )
  return granted ? `${count(others.length, 'waits', 'wait')} for it: ${named}` : `behind ${named}`
}

/** Relations that a name stands for, and who has locks on them. */
type FoundLocks = {
  readonly relations: readonly {
    readonly name: string
    readonly kind: string
    readonly isAsked: boolean
    readonly parent: string | null
  }[]
  /** There are more partitions than were looked at. */
  readonly cut: boolean
  readonly database: string
  readonly targets: readonly LockedTarget[]
}

/** `/pg locks RELATION`: everybody who holds or waits for a lock there. */
export function relationLocksView({
  picture,
  name,
  found,
  asked,
}: PictureAnswer & { readonly name: RelationName; readonly found: FoundLocks | NotRead }): View {
  const title = `Locks of relation ${relationWords(name)} on ${asked.cluster}`
  if ('unread' in found)
    return compose(title, [
      lines(...notices(picture, asked), [bold('The locks were not read: '), found.unread]),
      footer(picture, asked),
    ])
  if ('last' in found)
    return compose(title, [lines(...notices(picture, asked)), ...asReadLast(found.last, picture, asked)])
  const { targets } = found
  const of = (which: 'holders' | 'waiters') =>
    new Set(targets.flatMap((target) => target[which].map(({ pid, prepared }) => prepared?.xid ?? pid))).size
  const { table, more } = targetRows(targets)
  return compose(title, [
    lines(...notices(picture, asked), ...meaning(name, found, asked), [
      bold(
        targets.length === 0
          ? 'Nobody holds a lock on it or waits for one.'
          : `${count(of('holders'), 'session holds', 'sessions hold')} a lock there, ${count(of('waiters'), 'waits', 'wait')}.`,
      ),
    ]),
    ...table,
    lines(...more, ...(targets.length > 0 ? [ages] : [])),
    footer(picture, asked),
  ])
}

/** Explains a name that means more than one relation: several schemas, or partitions. */
function meaning(name: RelationName, { relations, cut, database }: FoundLocks, asked: AnswerContext): Line[] {
  const named = relations.filter(({ isAsked }) => isAsked)
  const others = relations.length - named.length
  const [only] = named
  const parents = [...new Set(named.flatMap(({ parent }) => parent ?? []))]
  return [
    ...(named.length > 1
      ? [
          [
            `${count(named.length, 'relation')} of the database ${database} have this name; these are the locks on all of them: ${listSome(
              named.map((one) => one.name),
              5,
            )}. For one alone write its schema, as `,
            commandTo(asked, `locks ${withSchema(only?.name ?? '')}`),
            '.',
          ],
        ]
      : []),
    ...(others > 0
      ? [
          [
            `With ${cut ? 'the first ' : ''}${count(others, 'partition or table', 'partitions or tables')} that ${others === 1 ? 'belongs' : 'belong'} to ${relationWords(name)}; a lock on one of them is marked as such.`,
          ],
        ]
      : []),
    ...(parents.length > 0
      ? [
          [
            `It is a partition of ${listSome(parents, 5)}: `,
            commandTo(asked, `locks ${parents[0] ?? ''}`),
            ' shows the locks on the whole.',
          ],
        ]
      : []),
  ]
}

const withSchema = (name: string): string =>
  /^("(?:[^"]|"")*"|[^".]+)$/.test(name) ? `public.${name}` : name

/** No relation of the bot's database has this name. */
export const unknownRelationView = ({
  picture,
  name,
  database,
  likely,
  asked,
}: PictureAnswer & {
  readonly name: RelationName
  readonly database: string
  readonly likely: readonly string[]
}): View =>
  compose(`Locks of relation ${relationWords(name)} on ${asked.cluster}`, [
    lines(
      ...notices(picture, asked),
      [
        bold(`There is no relation ${relationWords(name)} in the database ${database}. `),
        'Names are known only of the database that pg-marshal is connected to. ',
        ...(likely.length > 0
          ? [
              'Did you mean ',
              ...likely.flatMap(
                (one, index): Line => [...(index > 0 ? [' or '] : []), commandTo(asked, `locks ${one}`)],
              ),
              '?',
            ]
          : []),
      ],
      ['In every database: ', commandTo(asked, 'locks'), ' shows the locks that somebody waits for.'],
      asOf(picture.snapshot.takenAt, asked.now),
    ),
  ])

/** Shows in a lock storm the locks as they were last read. The notices say when that was. */
function asReadLast(last: readonly LockedTarget[], picture: Picture, asked: AnswerContext): Piece[] {
  const { table, more } = targetRows(last)
  const never = picture.forestTakenAt === null
  return [
    lines(
      ...(last.length === 0 && !never
        ? [
            [
              'When the locks were read last, nobody waited for a lock there. Who holds locks without anybody waiting is not read in a lock storm.',
            ],
          ]
        : []),
    ),
    ...table,
    lines(...more, ...(last.length > 0 ? [ages] : [])),
    footer(picture, asked),
  ]
}
