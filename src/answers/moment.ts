import { type PastLook, reachOf } from '../domain/history/look.ts'
import type { PastLooks } from './record.ts'

/** Knowledge of a moment, by the record. Times are milliseconds since the epoch. */
export type KnownMoment = {
  readonly at: number
  /** The look that speaks for it; null: it was not seen. */
  readonly look: SeenLook | null
  /** Reason why nothing was seen; null where something was, or where no look was taken. */
  readonly why: string | null
  /** The nearest looks before and after it that saw something. */
  readonly before: number | null
  readonly after: number | null
  /** The next look that shows another jam, or another sight of it. */
  readonly change: number | null
}

export type SeenLook = Extract<PastLook, { readonly snapshot: unknown }>

/** Within so long of most moments there are looks on both sides: one read finds them all. Milliseconds. */
const nearMs = 30_000

/**
 * Reads what the record knows of a moment.
 * @returns or when the record begins, where that is later; null: it has no looks
 */
export async function momentIn(
  record: PastLooks,
  cluster: string,
  at: number,
): Promise<KnownMoment | { readonly begins: number | null }> {
  const near = await record.between(cluster, at - nearMs, at + nearMs)
  const index = near.findLastIndex((one) => one.look.takenAt <= at)
  const [last, here, next] = [near[index - 1]?.look, near[index], near[index + 1]?.look]
  if (last && here && next && 'snapshot' in last && 'snapshot' in here.look && 'snapshot' in next)
    if (at - here.look.takenAt <= reachOf(here.everyMs)) {
      const change = await record.changeAfter(cluster, here.look.takenAt)
      return { at, look: here.look, why: null, before: last.takenAt, after: next.takenAt, change }
    }
  const { found, before, after } = await record.at(cluster, at)
  if (!found) return { begins: after }
  const { look, everyMs } = found
  const isSpoken = at - look.takenAt <= reachOf(everyMs)
  const seen = isSpoken && 'snapshot' in look ? look : null
  const lastBefore = seen ? before : look.takenAt
  const beside = await record.between(cluster, lastBefore ?? at, after ?? at)
  const sees = (time: number) => beside.some((one) => one.look.takenAt === time && 'snapshot' in one.look)
  return {
    at,
    look: seen,
    why: isSpoken && !('snapshot' in look) ? look.unseen : null,
    before: lastBefore === null || sees(lastBefore) ? lastBefore : await seenBefore(lastBefore),
    after: after === null || sees(after) ? after : await seenAfter(after),
    change: await record.changeAfter(cluster, seen?.takenAt ?? at),
  }

  /** Goes from change to change: since the last one nothing was seen either. */
  async function seenBefore(unseenAt: number): Promise<number | null> {
    for (let time: number | null = unseenAt; time !== null; ) {
      const changed: number | null = await record.changeBefore(cluster, time)
      if (changed === null) return null
      const { found } = await record.at(cluster, changed - 1)
      if (found && 'snapshot' in found.look) return found.look.takenAt
      time = found?.look.takenAt ?? null
    }
    return null
  }

  async function seenAfter(unseenAt: number): Promise<number | null> {
    for (let time: number | null = unseenAt; time !== null; time = await record.changeAfter(cluster, time)) {
      const { found } = await record.at(cluster, time)
      if (found && 'snapshot' in found.look) return found.look.takenAt
    }
    return null
  }
}
