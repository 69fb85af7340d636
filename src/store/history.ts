import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { type Kysely, sql } from 'kysely'
import { type Row, readChunk, wordsIn } from '../domain/history/chunk.ts'
import type { PastLook } from '../domain/history/look.ts'
import { StoreError } from './failure.ts'
import type { Schema } from './schema.ts'

/** A part of a chunk of looks. */
export type HistoryPiece = {
  readonly chunk: string
  /** From 0; see `whole`. */
  readonly piece: number
  readonly cluster: string
  /** Times of the first and the last look in it, milliseconds. */
  readonly fromAt: number
  readonly toAt: number
  /** Times of the looks that show another jam than the one before. */
  readonly changes: readonly number[]
  readonly rows: readonly Row[]
}

/** A look with the interval of its time, milliseconds. */
export type FoundLook = { readonly look: PastLook; readonly everyMs: number }

/**
 * Record of the looks at all clusters. Nothing is written in a transaction: each row stands for itself, so that nobody who
 * writes something of weight waits for it.
 */
export type History = {
  /** Writes statements by id, which the pieces that follow name. */
  addTexts(cluster: string, texts: ReadonlyMap<string, string>, at: number): Promise<void>
  addPieces(pieces: readonly HistoryPiece[]): Promise<void>
  /** Puts one row in the place of the pieces of a chunk that nothing is added to any more. */
  join(chunk: string): Promise<void>
  /** Lists the looks between two times, both included, in order. */
  between(cluster: string, from: number, to: number): Promise<FoundLook[]>
  /** Finds the look at this time or before it, and those beside that one. */
  at(cluster: string, at: number): Promise<LooksAround>
  /** Finds the first look after this time that shows another jam than the one before it. */
  changeAfter(cluster: string, at: number): Promise<number | null>
  /** Removes the chunks that end before this time, and the statements that none names any more. */
  prune(before: number): Promise<void>
  /** Removes the oldest chunks until no more than so many bytes are left. @returns the number of chunks */
  shrink(mostBytes: number): Promise<number>
  size(): Promise<number>
}

export type LooksAround = {
  /** The look before the one that was found, and the one after it (or after the time, where none was found); milliseconds. */
  readonly before: number | null
  readonly after: number | null
  readonly found: FoundLook | null
}

/** Number of a piece that is the whole chunk. */
const whole = -1

/** Milliseconds between the first and the last look of a chunk, at most. */
export const longestChunkMs = 300_000

/** A statement is marked as used no more often than so, milliseconds. */
export const markTextsMs = 3_600_000

/** Rows that are written or looked up at once. */
const batch = 200

/** Measured in bench/history.ts: higher ones cost more time than they save room. */
const level = 9

const pack = (rows: readonly Row[]): Uint8Array =>
  zstdCompressSync(JSON.stringify(rows), {
    params: { [constants.ZSTD_c_compressionLevel]: level },
  })

export function historyIn(db: Kysely<Schema>): History {
  const insert = async (pieces: readonly HistoryPiece[]) => {
    const rows = pieces.map(({ chunk, piece, cluster, fromAt, toAt, changes, rows }) => {
      const data = pack(rows)
      return {
        ...{ chunk, piece, cluster, from_at: fromAt, to_at: toAt },
        ...{ changes: JSON.stringify(changes), bytes: data.byteLength, data },
      }
    })
    for (let from = 0; from < rows.length; from += batch)
      await db
        .insertInto('history_chunks')
        .values(rows.slice(from, from + batch))
        .execute()
  }

  const textsOf = async (cluster: string, ids: readonly string[]): Promise<Map<string, string>> => {
    const texts = new Map<string, string>()
    for (let at = 0; at < ids.length; at += batch) {
      const some = await db
        .selectFrom('history_texts')
        .select(['id', 'text'])
        .where('cluster', '=', cluster)
        .where('id', 'in', ids.slice(at, at + batch))
        .execute()
      for (const { id, text } of some) texts.set(id, text)
    }
    return texts
  }

  /** Reads all looks of these chunks, in order; what two replicas saw at one moment once. */
  const read = async (cluster: string, chunks: readonly string[]): Promise<FoundLook[]> => {
    if (chunks.length === 0) return []
    const found = await db
      .selectFrom('history_chunks')
      .select(['chunk', 'piece', 'data'])
      .where('chunk', 'in', chunks)
      .orderBy('piece')
      .execute()
    const rows = [...Map.groupBy(found, ({ chunk }) => chunk)].map(([chunk, pieces]) => {
      const first = pieces[0]?.piece === whole ? pieces.slice(0, 1) : pieces
      // Of one whose beginning is gone nothing can be read.
      return first[0]?.piece === whole || first[0]?.piece === 0
        ? first.flatMap(({ data }) => unpack(chunk, data))
        : []
    })
    const texts = await textsOf(cluster, [...new Set(rows.flatMap(wordsIn))])
    const looks = new Map<number, FoundLook>()
    for (const ofChunk of rows) {
      const [head] = ofChunk
      const everyMs = head && 'everyMs' in head ? head.everyMs : 0
      for (const look of readChunk(ofChunk, (id) => texts.get(id))) {
        // Who saw something knows more than who did not.
        if ('snapshot' in look || !looks.has(look.takenAt)) looks.set(look.takenAt, { look, everyMs })
      }
    }
    return [...looks.values()].sort((a, b) => a.look.takenAt - b.look.takenAt)
  }

  /** Ids of the chunks that may have looks between these times. */
  const chunksIn = async (cluster: string, from: number, to: number): Promise<string[]> => {
    const rows = await db
      .selectFrom('history_chunks')
      .select('chunk')
      .distinct()
      .where('cluster', '=', cluster)
      .where('from_at', '>=', from - longestChunkMs)
      .where('from_at', '<=', to)
      .where('to_at', '>=', from)
      .execute()
    return rows.map(({ chunk }) => chunk)
  }

  /** Start of the last piece that begins at this time or before, of the first one after it. */
  const startBy = async (cluster: string, at: number): Promise<number | null> => {
    const row = await db
      .selectFrom('history_chunks')
      .select('from_at')
      .where('cluster', '=', cluster)
      .where('from_at', '<=', at)
      .orderBy('from_at', 'desc')
      .limit(1)
      .executeTakeFirst()
    return row ? Number(row.from_at) : null
  }
  const startAfter = async (cluster: string, at: number): Promise<number | null> => {
    const row = await db
      .selectFrom('history_chunks')
      .select('from_at')
      .where('cluster', '=', cluster)
      .where('from_at', '>', at)
      .orderBy('from_at')
      .limit(1)
      .executeTakeFirst()
    return row ? Number(row.from_at) : null
  }

  /** All looks of the chunks that may have the last one at this time or before. */
  const around = async (cluster: string, at: number): Promise<FoundLook[]> => {
    const start = await startBy(cluster, at)
    return start === null ? [] : read(cluster, await chunksIn(cluster, start, at))
  }

  const removeTextsBefore = async (before: number) => {
    await db
      .deleteFrom('history_texts')
      .where('used_at', '<', before - markTextsMs)
      .execute()
  }

  const size = async (): Promise<number> => {
    const row = await db
      .selectFrom('history_chunks')
      .select(sql<number | string | null>`sum(bytes)`.as('bytes'))
      .executeTakeFirst()
    return Number(row?.bytes ?? 0)
  }

  return {
    size,
    async addTexts(cluster, texts, at) {
      const all = [...texts].map(([id, text]) => ({ cluster, id, text, used_at: at }))
      for (let from = 0; from < all.length; from += batch)
        await db
          .insertInto('history_texts')
          .values(all.slice(from, from + batch))
          .onConflict((conflict) => conflict.columns(['cluster', 'id']).doUpdateSet({ used_at: at }))
          .execute()
    },
    addPieces: insert,
    async join(chunk) {
      const pieces = await db
        .selectFrom('history_chunks')
        .selectAll()
        .where('chunk', '=', chunk)
        .where('piece', '>', whole)
        .orderBy('piece')
        .execute()
      const [first] = pieces
      if (!first || pieces.length < 2) return
      await insert([
        {
          ...{ chunk, piece: whole, cluster: first.cluster },
          fromAt: Number(first.from_at),
          toAt: Number(pieces.at(-1)?.to_at),
          changes: pieces.flatMap(({ changes }) => JSON.parse(changes) as number[]),
          rows: pieces.flatMap(({ data }) => unpack(chunk, data)),
        },
      ])
      await db.deleteFrom('history_chunks').where('chunk', '=', chunk).where('piece', '>', whole).execute()
    },
    async between(cluster, from, to) {
      const looks = await read(cluster, await chunksIn(cluster, from, to))
      return looks.filter(({ look }) => look.takenAt >= from && look.takenAt <= to)
    },
    async at(cluster, at) {
      const looks = await around(cluster, at)
      const index = looks.findLastIndex(({ look }) => look.takenAt <= at)
      const found = looks[index] ?? null
      const here = found?.look.takenAt ?? at
      const inOlder = index === 0 ? await around(cluster, here - 1) : looks
      const before = inOlder.findLast(({ look }) => look.takenAt < here)?.look.takenAt ?? null
      const next = [looks[index + 1]?.look.takenAt ?? null, await startAfter(cluster, here)]
      const after = next.filter((one) => one !== null).sort((a, b) => a - b)[0] ?? null
      return { found, before: found ? before : null, after }
    },
    async changeAfter(cluster, at) {
      const rows = await db
        .selectFrom('history_chunks')
        .select('changes')
        .where('cluster', '=', cluster)
        .where('to_at', '>', at)
        .where('changes', '!=', '[]')
        .orderBy('from_at')
        .limit(10)
        .execute()
      const times = rows.flatMap(({ changes }) => JSON.parse(changes) as number[])
      return times.filter((time) => time > at).sort((a, b) => a - b)[0] ?? null
    },
    async prune(before) {
      const old = db
        .selectFrom('history_chunks')
        .select('chunk')
        .groupBy('chunk')
        .having((one) => one.fn.max('to_at'), '<', before)
      await db.deleteFrom('history_chunks').where('chunk', 'in', old).execute()
      await removeTextsBefore(before)
    },
    async shrink(mostBytes) {
      let left = await size()
      if (left <= mostBytes) return 0
      const chunks = await db
        .selectFrom('history_chunks')
        .select([
          'chunk',
          sql<number | string>`sum(bytes)`.as('bytes'),
          sql<number | string>`min(from_at)`.as('start'),
        ])
        .groupBy('chunk')
        .orderBy('start')
        .execute()
      let dropped = 0
      for (const { chunk, bytes } of chunks) {
        if (left <= mostBytes) break
        await db.deleteFrom('history_chunks').where('chunk', '=', chunk).execute()
        left -= Number(bytes)
        dropped++
      }
      const first = Number(chunks[dropped]?.start ?? 0)
      if (first > 0) await removeTextsBefore(first)
      return dropped
    },
  }
}

function unpack(chunk: string, data: Uint8Array): Row[] {
  try {
    return JSON.parse(zstdDecompressSync(data).toString())
  } catch (error) {
    throw new StoreError(`I cannot read chunk ${chunk} of its table history_chunks`, error)
  }
}
