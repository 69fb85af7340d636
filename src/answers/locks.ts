import type { LocksQuestion } from '../commands/locksCommand.ts'
import type { Forest } from '../domain/locks/blocking.ts'
import { contendedTargets, type LockedTarget, lockedTargets, ownLocks } from '../domain/locks/list.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Jam } from '../domain/locks/tree.ts'
import { type RelationName, readRelationName, relationWords } from '../domain/text/identifier.ts'
import { nearest } from '../domain/text/nearest.ts'
import { attempt, type Cluster, unreadable } from '../postgres/cluster.ts'
import {
  contendedView,
  relationLocksView,
  sessionLocksView,
  unknownRelationView,
} from '../views/answers/locks.ts'
import type { AnswerContext, PictureAnswer } from '../views/answers/page.ts'
import { noSessionView } from '../views/answers/session.ts'
import type { View } from '../views/kit.ts'

/**
 * Shows who holds and who waits. In a lock storm the lock table is left alone: the last picture of it is shown, with
 * its age.
 */
export async function answerLocks(
  { about }: LocksQuestion,
  cluster: Cluster,
  picture: Picture,
  asked: AnswerContext,
): Promise<View> {
  const contended = contendedIn(picture)
  if (about === null) return contendedView({ picture, targets: contended, asked })
  const known = { cluster, picture, contended, asked }
  return 'pid' in about ? ofSession(about.pid, known) : ofRelation(about.relation, known)
}

/** Decides whether a jam has to do with what was asked about. */
export function isInQuestion(
  about: LocksQuestion['about'],
  { root, cycle, victims }: Jam,
  forest: Forest,
): boolean {
  if (about === null) return true
  if ('pid' in about) return [root?.pid, ...cycle, ...victims].includes(about.pid)
  return victims.some((pid) => {
    const name = forest.waits.get(pid)?.relationName ?? null
    return name !== null && isNamed(name, about.relation)
  })
}

function contendedIn({ snapshot, forest }: Picture): LockedTarget[] {
  const { locks, sessions } = snapshot
  const table = locks.kind === 'read' ? locks.table : locks.kind === 'jammed' ? locks.last : null
  return table ? contendedTargets(table, sessions, forest) : []
}

type Known = PictureAnswer & { readonly cluster: Cluster; readonly contended: readonly LockedTarget[] }

async function ofSession(pid: number, { cluster, picture, contended, asked }: Known): Promise<View> {
  const { snapshot, forest } = picture
  const session = snapshot.sessions.find((one) => one.pid === pid)
  if (!session) return noSessionView({ picture, pid, asked })
  if (snapshot.locks.kind === 'jammed') {
    const last = contended.filter(({ holders, waiters }) =>
      [...holders, ...waiters].some((entry) => entry.pid === pid),
    )
    return sessionLocksView({ picture, session, found: { last }, asked })
  }
  const groups = await attempt(() => cluster.locksOf(pid), unreadable)
  if ('unread' in groups) return sessionLocksView({ picture, session, found: groups, asked })
  const locks = ownLocks(groups, session.leaderPid ?? pid, contended, forest)
  return sessionLocksView({ picture, session, found: { locks }, asked })
}

async function ofRelation(name: RelationName, { cluster, picture, contended, asked }: Known): Promise<View> {
  const { snapshot, forest } = picture
  if (snapshot.locks.kind === 'jammed') {
    const last = contended.filter(({ relationName }) => relationName !== null && isNamed(relationName, name))
    return relationLocksView({ picture, name, found: { last }, asked })
  }
  const found = await attempt(() => cluster.locksOn(name), unreadable)
  if ('unread' in found) return relationLocksView({ picture, name, found, asked })
  if (found.kind === 'unknown')
    return unknownRelationView({
      picture,
      name,
      database: found.database,
      likely: likely(name, found.known),
      asked,
    })
  const targets = lockedTargets(found.locks, snapshot.sessions, forest)
  const names = new Set(found.relations.map((relation) => relation.name))
  // Who waits for a row waits for the transaction that changed it; that lock is on no relation.
  const rows = contended.filter(
    ({ target, relationName }) =>
      target.locktype === 'transactionid' && relationName !== null && names.has(relationName),
  )
  return relationLocksView({ picture, name, found: { ...found, targets: [...rows, ...targets] }, asked })
}

/** Decides whether a name as the pictures write it (`orders`, `sales."Order Items"`) is the one that was asked for. */
function isNamed(relationName: string, { schema, name }: RelationName): boolean {
  const known = readRelationName(relationName)
  return known?.name === name && (schema === null || schema === (known.schema ?? 'public'))
}

/** The same name in another schema, or one that is written almost so; a few at most. */
function likely({ name, schema }: RelationName, known: readonly RelationName[]): string[] {
  const same = known.filter((one) => one.name === name)
  const near =
    schema === null
      ? nearest(
          name,
          known.map((one) => one.name),
        )
      : nearest(
          `${schema}.${name}`,
          known.map((one) => `${one.schema}.${one.name}`),
        )
  const written = known.filter((one) => near === (schema === null ? one.name : `${one.schema}.${one.name}`))
  return [...same, ...(same.length > 0 ? [] : written)]
    .slice(0, 3)
    .map((one) => relationWords(one.schema === 'public' ? { schema: null, name: one.name } : one))
}
