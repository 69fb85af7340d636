import { setTimeout as pause } from 'node:timers/promises'
import { type Backoff, backoff } from '../backoff.ts'
import { jamIn, lookAt, reachOf } from '../domain/history/look.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Log } from '../log.ts'
import { storeFailureOf } from '../store/failure.ts'
import type { History } from '../store/history.ts'
import { type Chunked, type ChunkState, intoChunks, type OpenChunk } from './intoChunks.ts'
import { createLooksWaiting, type LooksOfOne, type WaitingLook } from './looksWaiting.ts'
import { createTextMarks } from './textMarks.ts'

/**
 * Recorder of each look. It is never in the way: what it is given waits in a queue, is written a moment later, and no failure
 * of it reaches whoever looks.
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
  const waiting = createLooksWaiting()
  const marks = createTextMarks({ history, now })
  const begun = new Map<string, ChunkState>()
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

  function add(cluster: string, one: WaitingLook) {
    left.delete(cluster)
    waiting.add(cluster, one)
    schedule()
  }

  function schedule() {
    if (timer || writing || stopped) return
    const waitMs = failures === 0 ? writeAfterMs : backoff(failures - 1, again)
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
    let full: readonly OpenChunk[]
    try {
      full = await record(taken)
    } catch (error) {
      failed(error)
      // What of them is written already stays as it is: they begin again with a look that stands for itself.
      for (const { cluster } of taken) begun.delete(cluster)
      waiting.putBack(taken)
      return
    }
    if (taken.length > 0) succeeded()
    for (const chunk of full) await complete(chunk)
    for (const cluster of left) if (!waiting.has(cluster)) await forget(cluster)
  }

  /** Writes looks, and before them the statements that they name. @returns the chunks that are full */
  async function record(taken: readonly LooksOfOne[]): Promise<OpenChunk[]> {
    const all: (LooksOfOne & Chunked)[] = []
    for (const one of taken) {
      const { cluster, looks } = one
      const before = begun.get(cluster) ?? {
        open: null,
        jam: await jamBefore(cluster, looks[0].look.takenAt),
      }
      all.push({ ...one, ...(await intoChunks(one, everyMsOf(cluster), before)) })
    }
    for (const { cluster, texts } of all) await marks.mark(cluster, texts)
    await history.addPieces(all.flatMap(({ pieces }) => pieces))
    for (const { cluster, looks, after, faults } of all) {
      begun.set(cluster, after)
      written += looks.length - faults.length
      unkept += faults.length
      for (const error of faults) log.error({ err: error, cluster }, 'a look cannot be recorded')
    }
    return all.flatMap(({ full }) => full)
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

  /** Joins the pieces of a chunk. Where that fails they stay, and say the same. */
  async function complete({ id, pieces }: OpenChunk) {
    if (pieces < 2) return
    await history.join(id).catch((error: unknown) => log.debug({ err: error }, 'a chunk stays in pieces'))
  }

  /** Completes the chunk of a cluster; of one that is watched again, the record begins as at the start. */
  async function forget(cluster: string) {
    const open = begun.get(cluster)?.open
    begun.delete(cluster)
    marks.forget(cluster)
    left.delete(cluster)
    if (open) await complete(open)
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

  /** A look that cannot be kept is a fault of ours, and none of whoever looks. */
  const guarded = (run: () => void) => {
    try {
      run()
    } catch (error) {
      failed(error)
    }
  }

  return {
    saw: (picture) =>
      guarded(() => {
        const look = lookAt(picture, maskText)
        add(picture.snapshot.cluster, { look, jam: jamIn(look, picture) })
      }),
    unseen: (cluster, at, why) =>
      guarded(() => {
        const look = { takenAt: at, unseen: why }
        add(cluster, { look, jam: jamIn(look) })
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
        if (failures === 0 && !waiting.isEmpty()) await writeNow()
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
        for (const cluster of begun.keys()) await forget(cluster)
      }
      await Promise.race([last(), pause(stopMs, undefined, { ref: false })])
    },
  }
}
