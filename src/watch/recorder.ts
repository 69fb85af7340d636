import { randomUUID } from 'node:crypto'
import { type ChunkWriter, type Row, writeChunk } from '../domain/history/chunk.ts'
import { jamIn, lookAt, type PastLook } from '../domain/history/look.ts'
import type { Picture } from '../domain/locks/picture.ts'
import { formatSize } from '../domain/text/size.ts'
import type { Log } from '../log.ts'
import { storeFailureOf } from '../store/failure.ts'
import { type History, type HistoryPiece, longestChunkMs, markTextsMs } from '../store/history.ts'

/** Recorder of each look. It is never in the way: what it is given waits in a queue, and is written a moment later. */
export type Recorder = {
  saw(picture: Picture): void
  unseen(cluster: string, at: number, why: string): void
  /** Reason why nothing can be written; null: all is well. */
  failure(): string | null
  /** Writes what waits now, for who wants to read it. */
  settle(): Promise<void>
  /** Writes what waits, and completes the open chunks. */
  stop(): Promise<void>
}

/** Milliseconds from a look to its writing: what comes together is written together. */
const writeAfterMs = 1000
/** Looks that wait while the store takes none; of more, the oldest are lost. */
const mostWaiting = 600
const housekeepingMs = 300_000

type Waiting = { readonly look: PastLook; readonly jam: string }

type Open = {
  readonly id: string
  readonly writer: ChunkWriter
  pieces: number
  lastAt: number
}

type Recorded = {
  readonly waiting: Waiting[]
  open: Open | null
  lastJam: string | null
  readonly marked: Map<string, number>
}

export function createRecorder({
  history,
  everyMsOf,
  keepMs,
  mostBytes,
  maskText,
  log,
  now,
}: {
  readonly history: History
  readonly everyMsOf: (cluster: string) => number
  /** For how long a chunk is kept, milliseconds. */
  readonly keepMs: number
  readonly mostBytes: number
  /** Masks statements, whatever the configuration shows elsewhere. */
  readonly maskText: (text: string) => string | null
  readonly log: Log
  readonly now: () => number
}): Recorder {
  const clusters = new Map<string, Recorded>()
  let failure: string | null = null
  let timer: NodeJS.Timeout | null = null
  let writing: Promise<void> = Promise.resolve()
  let keptAt = Number.NEGATIVE_INFINITY

  const add = (cluster: string, waiting: Waiting) => {
    const recorded: Recorded = clusters.get(cluster) ?? {
      waiting: [],
      open: null,
      lastJam: null,
      marked: new Map(),
    }
    clusters.set(cluster, recorded)
    recorded.waiting.push(waiting)
    const all = [...clusters.values()]
    if (all.reduce((sum, one) => sum + one.waiting.length, 0) > mostWaiting)
      all.reduce((a, b) => (b.waiting.length > a.waiting.length ? b : a)).waiting.shift()
    timer ??= setTimeout(() => {
      timer = null
      writing = writing.then(write)
    }, writeAfterMs).unref()
  }

  const failed = (error: unknown) => {
    const why = storeFailureOf(error) ?? 'a fault of mine, see the log'
    if (failure === null)
      log.warn({ err: error }, 'looks cannot be recorded: what is seen now may be missing later')
    failure = why
  }

  /** Takes what waits into chunks. Nothing of it leaves the queue before it is written. */
  function takeIn(cluster: string, recorded: Recorded) {
    const done: Open[] = []
    const pieces: HistoryPiece[] = []
    let rows: Row[] = []
    let times: number[] = []
    let changes: number[] = []
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
    for (const { look, jam } of recorded.waiting) {
      const { open } = recorded
      const { takenAt } = look
      const fits =
        open !== null && takenAt > open.lastAt && takenAt - open.writer.head.startedAt <= longestChunkMs
      if (!fits) {
        endPiece()
        if (open) done.push(open)
        const head = { version: 1, cluster, everyMs: everyMsOf(cluster), startedAt: takenAt } as const
        recorded.open = {
          ...{ id: randomUUID(), pieces: 0, lastAt: takenAt },
          writer: writeChunk(head),
        }
        rows.push(head)
      }
      if (!recorded.open) continue
      rows.push(recorded.open.writer.add(look))
      recorded.open.lastAt = takenAt
      times.push(takenAt)
      if (jam !== recorded.lastJam) changes.push(takenAt)
      recorded.lastJam = jam
    }
    endPiece()
    return { done, pieces, count: recorded.waiting.length }
  }

  async function write() {
    const takenIn = [...clusters].flatMap(([cluster, recorded]) =>
      recorded.waiting.length === 0 ? [] : [{ cluster, recorded, ...takeIn(cluster, recorded) }],
    )
    try {
      for (const { cluster, recorded, done } of takenIn)
        await markTexts(cluster, recorded, [...done, ...(recorded.open ? [recorded.open] : [])])
      await history.addPieces(takenIn.flatMap(({ pieces }) => pieces))
    } catch (error) {
      failed(error)
      // What of them is written already stays as it is: they begin again with a look that stands for itself.
      for (const { recorded } of takenIn) {
        recorded.open = null
        recorded.lastJam = null
      }
      return
    }
    for (const { recorded, count } of takenIn) recorded.waiting.splice(0, count)
    if (failure !== null) log.info('looks are recorded again')
    failure = null
    for (const one of takenIn.flatMap(({ done }) => done)) await complete(one)
    await keepHouse()
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
  }

  /** Joins the pieces of a chunk. Where that fails they stay, and say the same. */
  async function complete({ id, pieces }: Open) {
    if (pieces < 2) return
    await history.join(id).catch((error: unknown) => log.debug({ err: error }, 'a chunk stays in pieces'))
  }

  async function keepHouse() {
    if (Math.abs(now() - keptAt) < housekeepingMs) return
    keptAt = now()
    try {
      await history.prune(now() - keepMs)
      const dropped = await history.shrink(mostBytes)
      if (dropped > 0)
        log.warn(
          { dropped },
          `the record is larger than history.most (${formatSize(mostBytes)}): its oldest looks were dropped`,
        )
    } catch (error) {
      failed(error)
    }
    for (const { marked } of clusters.values())
      for (const [id, at] of marked) if (now() - at > 2 * markTextsMs) marked.delete(id)
  }

  return {
    saw(picture) {
      const look = lookAt(picture, maskText)
      add(picture.snapshot.cluster, { look, jam: jamIn(look, picture) })
    },
    unseen(cluster, at, why) {
      const look = { takenAt: at, unseen: why }
      add(cluster, { look, jam: jamIn(look) })
    },
    failure: () => failure,
    async settle() {
      writing = writing.then(write)
      await writing
    },
    async stop() {
      if (timer) clearTimeout(timer)
      timer = null
      writing = writing.then(write)
      await writing
      for (const recorded of clusters.values()) {
        if (recorded.open) await complete(recorded.open)
        recorded.open = null
      }
    },
  }
}
