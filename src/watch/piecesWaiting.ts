import type { LookPiece } from './intoPieces.ts'

/** Queue of the pieces that are not written yet. Of more than memory has room for, the oldest are lost. */
export type PiecesWaiting = {
  add(piece: LookPiece): readonly LostChunk[]
  /** Takes the first of them out of the queue. */
  take(): readonly LookPiece[]
  /** Puts what was taken in front again. */
  putBack(taken: readonly LookPiece[]): readonly LostChunk[]
  isEmpty(): boolean
  /** Decides whether more waits than is taken at once. */
  isLong(): boolean
  /** Decides whether something of this chunk waits. */
  has(chunk: string): boolean
  hasOf(cluster: string): boolean
  /** Number of the pieces that were lost here. */
  lost(): number
}

/** A chunk of which a piece was lost, with all that waited after it: one says what is not as in the piece before. */
export type LostChunk = { readonly cluster: string; readonly chunk: string }

/** Pieces that are taken at once, so that after a failure others get their turn. */
const atOnce = 200
/** Bytes of all that may wait while the store takes none. */
const mostBytes = 30_000_000
/** Bytes of a piece beside what is packed in it, about. */
const aroundBytes = 500

export function createPiecesWaiting(): PiecesWaiting {
  /** By chunk, in the order in which they were begun. */
  let chunks = new Map<string, LookPiece[]>()
  let bytes = 0
  let lost = 0

  function put(piece: LookPiece) {
    const { chunk } = piece.piece
    const pieces = chunks.get(chunk) ?? []
    chunks.set(chunk, pieces)
    pieces.push(piece)
    bytes += bytesOf(piece)
  }

  /** Loses the oldest chunk of whoever has most in the queue, until there is room. */
  function makeRoom(): LostChunk[] {
    const all: LostChunk[] = []
    while (bytes > mostBytes) {
      const byCluster = [...Map.groupBy(chunks, ([, [first]]) => first?.piece.cluster ?? '')]
      const sized = byCluster.map(([cluster, own]) => ({
        cluster,
        own,
        size: sizeOf(own.flatMap(([, all]) => all)),
      }))
      const { cluster, own } = sized.reduce((a, b) => (b.size > a.size ? b : a))
      const [oldest, next] = own
      if (!oldest) break
      const [chunk, pieces] = oldest
      chunks.delete(chunk)
      bytes -= sizeOf(pieces)
      lost += pieces.length
      if (next) afterAGap(next[1])
      all.push({ cluster, chunk })
    }
    return all
  }

  return {
    add(piece) {
      put(piece)
      return makeRoom()
    },
    take() {
      const taken: LookPiece[] = []
      for (const [chunk, pieces] of chunks) {
        if (taken.length === atOnce) break
        taken.push(...pieces.splice(0, atOnce - taken.length))
        if (pieces.length === 0) chunks.delete(chunk)
      }
      bytes -= sizeOf(taken)
      return taken
    },
    putBack(taken) {
      const later = [...chunks.values()].flat()
      chunks = new Map()
      bytes = 0
      for (const piece of [...taken, ...later]) put(piece)
      return makeRoom()
    },
    isEmpty: () => chunks.size === 0,
    isLong: () => [...chunks.values()].reduce((count, pieces) => count + pieces.length, 0) > atOnce,
    has: (chunk) => chunks.has(chunk),
    hasOf: (cluster) => [...chunks.values()].some(([first]) => first?.piece.cluster === cluster),
    lost: () => lost,
  }
}

/** Marks the look after those that were lost as one that shows another jam. */
function afterAGap(pieces: LookPiece[]) {
  const [first] = pieces
  if (first) pieces[0] = { ...first, jam: null, piece: { ...first.piece, changes: [first.piece.fromAt] } }
}

const sizeOf = (pieces: readonly LookPiece[]): number => pieces.reduce((sum, one) => sum + bytesOf(one), 0)

function bytesOf({ piece, texts }: LookPiece): number {
  let bytes = aroundBytes + piece.data.byteLength
  for (const text of texts.values()) bytes += text.length
  return bytes
}
