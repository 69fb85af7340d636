import { randomUUID } from 'node:crypto'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import { type Backoff, backoff } from '../backoff.ts'
import type { Row } from '../domain/history/chunk.ts'
import { jamIn, lookAt, type PastLook, reachOf } from '../domain/history/look.ts'
import { type ChunkWriter, writeChunk } from '../domain/history/writeChunk.ts'
import type { Picture } from '../domain/locks/picture.ts'
import type { Snapshot } from '../domain/session/snapshot.ts'
import type { Log } from '../log.ts'
import { storeFailureOf } from '../store/failure.ts'
import { type HistoryPiece, longestChunkMs } from '../store/history/pieces.ts'
import { markTextsMs } from '../store/history/texts.ts'
import type { History } from '../store/history.ts'

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
/** Looks that are taken into chunks at once, so that after a failure others get their turn. */
const atOnce = 200
/** Sessions in all looks that wait while the store takes none, about 30 MB; of more, the oldest looks are lost. */
const mostWaiting = 30_000
const stopMs = 5_000
const settleMs = 1_000

type Waiting = { readonly look: PastLook; readonly jam: string }

type Open = {
  readonly id: string
  readonly writer: ChunkWriter
  pieces: number
  lastAt: number
}

type Recorded = {
  waiting: Waiting[]
  open: Open | null
  /** Jam of the last look; null: not known. */
  lastJam: string | null
  readonly marked: Map<string, number>
  hasLeft: boolean
}

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
  const clusters = new Map<string, Recorded>()
  let failure: string | null = null
  let failures = 0
  let written = 0
  let lost = 0
  let lostInFailure = 0
  let timer: NodeJS.Timeout | null = null
  let writing: Promise<void> | null = null
  let stopped = false
  /** Sessions in all looks that wait. */
  let weight = 0

  const failed = (error: unknown) => {
    failure = storeFailureOf(error) ?? 'a fault of mine, see the log'
    if (failures++ === 0)
      log.warn({ err: error }, 'looks cannot be recorded: what is seen now may be missing later')
  }

  function add(cluster: string, waiting: Waiting) {
    const recorded: Recorded = clusters.get(cluster) ?? {
      waiting: [],
      open: null,
      lastJam: null,
      marked: new Map(),
      hasLeft: false,
    }
    clusters.set(cluster, recorded)
    recorded.hasLeft = false
    recorded.waiting.push(waiting)
    weight += weightOf(waiting)
    dropTooMany()
    schedule()
  }

  /** Drops the oldest looks of whoever has most of them. */
  function dropTooMany() {
    while (weight > mostWaiting) {
      const all = [...clusters.values()]
      const dropped = all.reduce((a, b) => (b.waiting.length > a.waiting.length ? b : a)).waiting.shift()
      if (!dropped) return
      weight -= weightOf(dropped)
      lost++
      lostInFailure++
    }
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
    writing ??= write()
      .catch(failed)
      .finally(() => {
        writing = null
        if (isWaiting()) schedule()
      })
    return writing
  }

  const isWaiting = () => [...clusters.values()].some(({ waiting }) => waiting.length > 0)

  async function write() {
    const taken = take()
    const takenIn: {
      cluster: string
      recorded: Recorded
      done: Open[]
      pieces: HistoryPiece[]
      kept: number
    }[] = []
    try {
      for (const { cluster, recorded, looks } of taken) {
        const [first] = looks
        if (first && recorded.lastJam === null)
          recorded.lastJam = await jamBefore(cluster, first.look.takenAt)
        takenIn.push({ cluster, recorded, ...(await takeIn(cluster, recorded, looks)) })
      }
      for (const { cluster, recorded, done } of takenIn)
        await markTexts(cluster, recorded, [...done, ...(recorded.open ? [recorded.open] : [])])
      await history.addPieces(takenIn.flatMap(({ pieces }) => pieces))
    } catch (error) {
      failed(error)
      // What of them is written already stays as it is: they begin again with a look that stands for itself.
      for (const { recorded, looks } of taken) {
        recorded.open = null
        recorded.lastJam = null
        recorded.waiting.unshift(...looks)
        weight += weightOfAll(looks)
      }
      dropTooMany()
      return
    }
    written += takenIn.reduce((sum, { kept }) => sum + kept, 0)
    if (taken.length > 0) succeeded()
    for (const one of takenIn.flatMap(({ done }) => done)) await complete(one)
    await tidy()
  }

  function succeeded() {
    if (failures > 0)
      log.info(
        { lost: lostInFailure },
        lostInFailure === 0
          ? 'looks are recorded again'
          : 'looks are recorded again; those that memory had no room for are lost',
      )
    failures = 0
    lostInFailure = 0
    failure = null
  }

  /** Takes looks out of the queues; of each as many in order as there is room for. */
  function take() {
    let room = atOnce
    return [...clusters].flatMap(([cluster, recorded]) => {
      const looks = recorded.waiting.splice(0, room)
      room -= looks.length
      weight -= weightOfAll(looks)
      return looks.length === 0 ? [] : [{ cluster, recorded, looks }]
    })
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

  /** Takes looks into chunks. Between two of them others have a turn. */
  async function takeIn(cluster: string, recorded: Recorded, looks: readonly Waiting[]) {
    const done: Open[] = []
    const pieces: HistoryPiece[] = []
    let rows: Row[] = []
    let times: number[] = []
    let changes: number[] = []
    let kept = 0
    const endPiece = () => {
      const { open } = recorded
      if (!open || times.length === 0) return
      pieces.push({
        ...{ chunk: open.id, piece: open.pieces++, cluster, changes, rows },
        fromAt: times[0] ?? 0,
        toAt: times.at(-1) ?? 0,
      })
      rows = []
      times = []
      changes = []
    }
    const everyMs = everyMsOf(cluster)
    for (const { look, jam } of looks) {
      await turn()
      const { takenAt } = look
      if (!recorded.open || !fits(recorded.open, takenAt, everyMs)) {
        endPiece()
        if (recorded.open) done.push(recorded.open)
        const head = { cluster, everyMs, startedAt: takenAt } as const
        recorded.open = { ...{ id: randomUUID(), pieces: 0, lastAt: takenAt }, writer: writeChunk(head) }
        rows.push(head)
      }
      const row = rowOf(recorded.open, look)
      if (row === null) {
        endPiece()
        done.push(recorded.open)
        recorded.open = null
        rows = []
        continue
      }
      rows.push(row)
      kept++
      recorded.open.lastAt = takenAt
      times.push(takenAt)
      if (jam !== recorded.lastJam) changes.push(takenAt)
      recorded.lastJam = jam
    }
    endPiece()
    return { done, pieces, kept }
  }

  /** @returns null when it cannot be kept, which is a fault of ours: the next one is not to wait for it */
  function rowOf({ writer }: Open, look: PastLook): Row | null {
    try {
      return writer.add(look)
    } catch (error) {
      log.error({ err: error, cluster: writer.head.cluster }, 'a look cannot be recorded')
      lost++
      return null
    }
  }

  async function markTexts(cluster: string, { marked }: Recorded, chunks: readonly Open[]) {
    const at = now()
    const due = new Map(
      chunks
        .flatMap(({ writer }) => [...writer.texts])
        .filter(([id]) => Math.abs(at - (marked.get(id) ?? Number.NEGATIVE_INFINITY)) > markTextsMs / 2),
    )
    if (due.size === 0) return
    await history.addTexts(cluster, due, at)
    for (const id of due.keys()) marked.set(id, at)
    for (const [id, markedAt] of marked) if (Math.abs(at - markedAt) > 2 * markTextsMs) marked.delete(id)
  }

  /** Joins the pieces of a chunk. Where that fails they stay, and say the same. */
  async function complete({ id, pieces }: Open) {
    if (pieces < 2) return
    await history.join(id).catch((error: unknown) => log.debug({ err: error }, 'a chunk stays in pieces'))
  }

  /** Forgets the clusters that are not watched here any more. */
  async function tidy() {
    for (const [cluster, recorded] of clusters) {
      if (!recorded.hasLeft || recorded.waiting.length > 0) continue
      clusters.delete(cluster)
      if (recorded.open) await complete(recorded.open)
    }
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
      const recorded = clusters.get(cluster)
      if (!recorded) return
      recorded.hasLeft = true
      schedule()
    },
    failure: () => failure,
    counts: () => ({ written, lost }),
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
        if (failures === 0 && isWaiting()) await writeNow()
      }
      await Promise.race([all(), pause(settleMs, undefined, { ref: false })])
    },
    async stop() {
      stopped = true
      if (timer) clearTimeout(timer)
      const last = async () => {
        await writing
        for (const recorded of clusters.values()) recorded.hasLeft = true
        do await write().catch(failed)
        while (isWaiting() && failures === 0)
      }
      await Promise.race([last(), pause(stopMs, undefined, { ref: false })])
    },
  }
}

const weightOf = ({ look }: Waiting): number => 1 + ('snapshot' in look ? look.snapshot.sessions.length : 0)
const weightOfAll = (looks: readonly Waiting[]): number => looks.reduce((sum, one) => sum + weightOf(one), 0)

/** Decides whether a look may stand in this chunk. One from before it, after the clock was set back, may not. */
const fits = ({ lastAt, writer: { head } }: Open, at: number, everyMs: number): boolean =>
  at > lastAt && at - head.startedAt <= longestChunkMs && head.everyMs === everyMs
