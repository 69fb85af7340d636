import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib'
import type { Row } from '../../domain/history/chunk.ts'
import { packRows, unpackRows } from '../../domain/history/packing.ts'
import { StoreError } from '../failure.ts'

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
  /** Its rows, packed. */
  readonly data: Uint8Array
}

/** Number of a piece that is the whole chunk. */
export const whole = -1

/** Milliseconds between the first and the last look of a chunk, at most. */
export const longestChunkMs = 300_000

/** Rows that are written or looked up at once. */
export const batch = 200

/** A piece is replaced soon. */
const pieceLevel = 3
/** A whole chunk stays for days: more time for less room, up to where little more can be saved. */
const wholeLevel = 13

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Without the size zstd makes room for megabytes each time. */
const optionsFor = (bytes: Uint8Array, level: number) => ({
  pledgedSrcSize: bytes.length,
  params: { [constants.ZSTD_c_compressionLevel]: level },
})

/** Bytes by which zstd makes something larger that cannot be compressed, at most, unless it is large itself. */
const mostAdded = 1024

/** Packs a piece at once: it is small, and to hand it to another thread costs several times of the work. */
export function packPiece(rows: readonly Row[]): Uint8Array {
  const bytes = packRows(rows)
  // Without this size it makes room for 64 KB. What it returns lies in all of the room: so a copy.
  const room = { chunkSize: bytes.length + mostAdded }
  return new Uint8Array(zstdCompressSync(bytes, { ...optionsFor(bytes, pieceLevel), ...room }))
}

export async function packWhole(rows: readonly Row[]): Promise<Uint8Array> {
  const bytes = packRows(rows)
  return compress(bytes, optionsFor(bytes, wholeLevel))
}

export const rowOf = ({ chunk, piece, cluster, fromAt, toAt, changes, data }: HistoryPiece) => ({
  ...{ chunk, piece, cluster, from_at: fromAt, to_at: toAt },
  ...{ changes: JSON.stringify(changes), bytes: data.byteLength, data },
})

/**
 * Reads the rows of these pieces of a chunk, in order.
 * @returns null where another version of the bot wrote them, in a format of its own
 */
export async function rowsIn(
  chunk: string,
  pieces: readonly { readonly data: Uint8Array }[],
): Promise<Row[] | null> {
  try {
    const rows = await Promise.all(pieces.map(async ({ data }) => unpackRows(await decompress(data))))
    return rows.includes(null) ? null : rows.flatMap((some) => some ?? [])
  } catch (error) {
    throw new StoreError(`I cannot read chunk ${chunk} of its table history_chunks`, error)
  }
}
