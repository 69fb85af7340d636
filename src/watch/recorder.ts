import { setTimeout as pause } from 'node:timers/promises'
import { type Backoff, backoff } from '../backoff.ts'
import { jamIn, lookAt, type PastLook, reachOf } from '../domain/history/look.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Log } from '../log.ts'
import { storeFailureOf } from '../store/failure.ts'
import type { HistoryPiece } from '../store/history/pieces.ts'
import type { History } from '../store/history.ts'
import { createIntoPieces, type LookPiece } from './intoPieces.ts'
import { createPiecesWaiting, type LostChunk } from './piecesWaiting.ts'
import { createTextMarks } from './textMarks.ts'

/**
 * Recorder of each look. It is never in the way: what it is given is packed at once, waits in a queue, is written a moment later,
 * and no failure of it reaches whoever looks.
 */
export type Recorder = {
  saw(picture: Picture): void
  unseen(cluster: string, at: number, why: string): void
  /** A cluster is not watched here any more: what waits is written, and its chunk is complete. */
  left(cluster: string): void
  /** Reason why nothing can be written; null: all is well. */
  failure(): string | null
  /** Counts the looks that were written, and those that were lost since the store took none. */
  counts(): { readonly written: number; readonly lost: number }
  /** Reads the last look that was recorded; null where none is, or the store takes too long. Never throws. */
  lastLook(cluster: string): Promise<Snapshot | null>
  /** Writes what waits now, for who wants to read it; unless the store takes none, or takes too long. */
  settle(): Promise<void>
  /** Writes what waits, and completes the open chunks, unless the store takes too long. */
  stop(): Promise<void>
}

/** Milliseconds from a look to its writing: what comes together is written together. */
const writeAfterMs = 1000
const again: Backoff = { firstMs: writeAfterMs, longestMs: 30_000 }
const stopMs = 5_000
const settleMs = 1_000

export function createRecorder({
  history,
  everyMsOf,
  maskText,
  log,
  now,
}: {
  readonly history: Pick<History, 'addTexts' | 'addPieces' | 'join' | 'at'>
  readonly everyMsOf: (cluster: string) => number
  /** Masks statements, whatever the configuration shows elsewhere. */
  readonly maskText: (text: string) => string | null
  readonly log: Log
  readonly now: () => number
}): Recorder {
  const waiting = createPiecesWaiting()
  const pieces = createIntoPieces(everyMsOf)
  const marks = createTextMarks({ history, now })
  /** Clusters that are not watched here any more, and not forgotten yet. */
  const left = new Set<string>()
  let failure: string | null = null
  let failures = 0
  let written = 0
  let unkept = 0
  /** Looks that had been lost when the last ones were written. */
  let lostBefore = 0
  let timer: NodeJS.Timeout | null = null
  let writing: Promise<void> | null = null
  let stopped = false

  /** Packs a look at once, so that nothing of it is held until it is written. That it cannot be kept is no fault of who looks. */
  function keep(cluster: string, lookAndJam: () => readonly [PastLook, string]) {
    try {
      left.delete(cluster)
      giveUp(waiting.add(pieces.add(cluster, ...lookAndJam())))
      schedule()
    } catch (error) {
      unkept++
      log.error({ err: error, cluster }, 'a look cannot be recorded')
    }
  }

  function giveUp(lost: readonly LostChunk[]) {
    for (const { cluster, chunk } of lost) pieces.lost(cluster, chunk)
  }

  function schedule() {
    if (timer || writing || stopped) return
    const waitMs = failures > 0 ? backoff(failures - 1, again) : waiting.isLong() ? 0 : writeAfterMs
    timer = setTimeout(() => void writeNow(), waitMs).unref()
  }

  /** Joins the write that is under way, or begins one. */
  function writeNow(): Promise<void> {
    if (timer) clearTimeout(timer)
    timer = null
    writing ??= write().finally(() => {
      writing = null
      if (!waiting.isEmpty()) schedule()
    })
    return writing
  }

  /** Writes the first of what waits. Never throws. */
  async function write() {
    const taken = waiting.take()
    try {
      await record(taken)
    } catch (error) {
      failed(error)
      // Those of them that are written already are not written twice.
      giveUp(waiting.putBack(taken))
      return
    }
    written += taken.length
    if (taken.length > 0) succeeded()
    for (const cluster of left) if (!waiting.hasOf(cluster)) forget(cluster)
    await completeFull()
  }

  /** Writes looks, and before them the statements that they name. */
  async function record(taken: readonly LookPiece[]) {
    for (const [cluster, some] of Map.groupBy(taken, ({ piece }) => piece.cluster))
      await marks.mark(cluster, new Map(some.flatMap(({ texts }) => [...texts])))
    const all: HistoryPiece[] = []
    for (const { piece, jam } of taken) {
      const isAnother = jam !== null && jam !== (await jamBefore(piece.cluster, piece.fromAt))
      all.push(isAnother ? { ...piece, changes: [piece.fromAt] } : piece)
    }
    await history.addPieces(all)
  }

  /** Reads what the look before showed, where it still speaks for this moment: a process before us may have written it. */
  async function jamBefore(cluster: string, at: number): Promise<string | null> {
    try {
      const { found } = await history.at(cluster, at - 1)
      return found && at - found.look.takenAt <= reachOf(found.everyMs) ? jamIn(found.look) : null
    } catch (error) {
      // What can be written is not to wait for what cannot be read.
      log.debug({ err: error, cluster }, 'the look before is not known')
      return null
    }
  }

  /** Joins the pieces of each chunk that gets no more of them. Where that fails they stay, and say the same. */
  async function completeFull() {
    for (const chunk of pieces.full) {
      if (waiting.has(chunk)) continue
      pieces.joined(chunk)
      await history
        .join(chunk)
        .catch((error: unknown) => log.debug({ err: error }, 'a chunk stays in pieces'))
    }
  }

  /** Ends the chunk of a cluster; of one that is watched again, the record begins as at the start. */
  function forget(cluster: string) {
    pieces.forget(cluster)
    marks.forget(cluster)
    left.delete(cluster)
  }

  function succeeded() {
    const lost = waiting.lost() - lostBefore
    if (failures > 0)
      log.info(
        { lost },
        lost === 0
          ? 'looks are recorded again'
          : 'looks are recorded again; those that memory had no room for are lost',
      )
    lostBefore = waiting.lost()
    failures = 0
    failure = null
  }

  function failed(error: unknown) {
    failure = storeFailureOf(error) ?? 'a fault of mine, see the log'
    if (failures++ === 0)
      log.warn({ err: error }, 'looks cannot be recorded: what is seen now may be missing later')
  }

  return {
    saw: (picture) =>
      keep(picture.snapshot.cluster, () => {
        const look = lookAt(picture, maskText)
        return [look, jamIn(look, picture)]
      }),
    unseen: (cluster, at, why) =>
      keep(cluster, () => {
        const look = { takenAt: at, unseen: why }
        return [look, jamIn(look)]
      }),
    left(cluster) {
      left.add(cluster)
      schedule()
    },
    failure: () => failure,
    counts: () => ({ written, lost: waiting.lost() + unkept }),
    async lastLook(cluster) {
      const read = async () => {
        const { found } = await history.at(cluster, now())
        return found && 'snapshot' in found.look ? found.look.snapshot : null
      }
      try {
        return await Promise.race([read(), pause(settleMs, null, { ref: false })])
      } catch (error) {
        log.debug({ err: error, cluster }, 'the last look is not known')
        return null
      }
    },
    async settle() {
      const all = async () => {
        await writing
        let goesOn = !waiting.isEmpty()
        while (goesOn && failures === 0) {
          goesOn = waiting.isLong()
          await writeNow()
        }
      }
      await Promise.race([all(), pause(settleMs, undefined, { ref: false })])
    },
    async stop() {
      stopped = true
      if (timer) clearTimeout(timer)
      const last = async () => {
        await writing
        do await write()
        while (failures === 0 && !waiting.isEmpty())
        pieces.forgetAll()
        await completeFull()
      }
      await Promise.race([last(), pause(stopMs, undefined, { ref: false })])
    },
  }
}
