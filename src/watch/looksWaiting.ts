import type { PastLook } from '../domain/history/look.ts'

/** A look on its way into the record. `jam`: what `jamIn` says of it. */
export type WaitingLook = { readonly look: PastLook; readonly jam: string }

/** Looks of one cluster, in the order in which they came: at least one. */
export type LooksOfOne = {
  readonly cluster: string
  readonly looks: readonly [WaitingLook, ...WaitingLook[]]
}

/** Queue of the looks that are not written yet. Of more than memory has room for, the oldest are lost. */
export type LooksWaiting = {
  add(cluster: string, look: WaitingLook): void
  /** Takes the first of them out of the queue. */
  take(): readonly LooksOfOne[]
  /** Puts what was taken in front again. */
  putBack(taken: readonly LooksOfOne[]): void
  isEmpty(): boolean
  has(cluster: string): boolean
  /** Number of the looks that were lost here. */
  lost(): number
}

/** Looks that are taken at once, so that after a failure others get their turn. */
const atOnce = 200
/** Weight of all that may wait while the store takes none: about 30 MB. */
const mostWeight = 30_000

export function createLooksWaiting(): LooksWaiting {
  const queues = new Map<string, WaitingLook[]>()
  /** Sessions in all looks that wait, and the looks themselves. */
  let weight = 0
  let lost = 0

  function queueOf(cluster: string): WaitingLook[] {
    const queue = queues.get(cluster) ?? []
    queues.set(cluster, queue)
    return queue
  }

  /** Takes the first looks of a cluster. */
  function shift(cluster: string, most: number): WaitingLook[] {
    const queue = queueOf(cluster)
    const taken = queue.splice(0, most)
    weight -= weightOf(taken)
    if (queue.length === 0) queues.delete(cluster)
    return taken
  }

  /** Loses the oldest looks of whoever has most of them. */
  function makeRoom() {
    while (weight > mostWeight) {
      const [longest] = [...queues].reduce((a, b) => (b[1].length > a[1].length ? b : a))
      lost += shift(longest, 1).length
    }
  }

  return {
    add(cluster, look) {
      queueOf(cluster).push(look)
      weight += weightOf([look])
      makeRoom()
    },
    take() {
      let room = atOnce
      return [...queues.keys()].flatMap((cluster) => {
        const [first, ...others] = room > 0 ? shift(cluster, room) : []
        if (!first) return []
        room -= 1 + others.length
        return [{ cluster, looks: [first, ...others] }]
      })
    },
    putBack(taken) {
      for (const { cluster, looks } of taken) {
        queueOf(cluster).unshift(...looks)
        weight += weightOf(looks)
      }
      makeRoom()
    },
    isEmpty: () => queues.size === 0,
    has: (cluster) => queues.has(cluster),
    lost: () => lost,
  }
}

const weightOf = (looks: readonly WaitingLook[]): number =>
  looks.reduce((sum, { look }) => sum + 1 + ('snapshot' in look ? look.snapshot.sessions.length : 0), 0)
