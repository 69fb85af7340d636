import type { Forest, Root, Wait } from './blocking.ts'

/** Somebody who waits, as a line of the tree. */
export type Branch = {
  readonly pid: number
  readonly wait: Wait
  /** 1 stands right behind the root. */
  readonly depth: number
  /** The blocker nearest to the root. */
  readonly behind: number
  /** Others that wait in the same way and keep nobody waiting, longest wait first: they share this line. */
  readonly same: readonly number[]
}

/** One jam with the lines that have room. */
export type Tree = {
  readonly root: Root | null
  /** Sessions that wait for each other, where there is no root. */
  readonly cycle: readonly number[]
  /** From top to bottom. */
  readonly branches: readonly Branch[]
  /** Its victims that have no line. */
  readonly more: number
  /** Its victims that stand under a jam above already: many may block the same ones. */
  readonly above: number
}

export type Trees = { readonly trees: readonly Tree[]; readonly moreTrees: number }

/** Room for the trees, and what is known of who waits. */
export type Layout = {
  /** Number of lines that there may be for victims. */
  readonly lines: number
  readonly maxTrees: number
  /** Statement by pid: waiters with the same one, for the same lock behind the same blocker, share a line. Null is like none. */
  readonly statementOf: (pid: number) => string | null
}

/** One jam before it is laid out. `victims`: everyone who waits in it, longest wait first; a cycle's members too. */
export type Jam = {
  readonly root: Root | null
  readonly cycle: readonly number[]
  readonly victims: readonly number[]
}

/** Largest number of blockers of one waiter that are examined for the way to the root. A row's queue needs one or two. */
const patience = 64

/**
 * Lays the forest out as indented lines. A waiter stands under that blocker which is nearest to the root, so that a
 * queue of 200 is one level deep, not 200. Every session has one line, under the worst jam that it waits behind.
 */
export function layOut(
  stems: readonly Jam[],
  forest: Forest,
  { lines, maxTrees, statementOf }: Layout,
): Trees {
  const placed = new Set<number>()
  const shown = stems.slice(0, maxTrees)
  let left = lines
  const trees = shown.map((stem, index): Tree => {
    const mine = stem.victims.filter((pid) => !placed.has(pid) && !stem.cycle.includes(pid))
    // Something is left for each of those that follow.
    const room = Math.max(1, left - 2 * (shown.length - 1 - index))
    const branches = grow(stem, mine, forest, { room: Math.min(room, left), statementOf })
    left -= branches.length
    for (const pid of [...mine, ...stem.cycle]) placed.add(pid)
    return {
      root: stem.root,
      cycle: stem.cycle,
      branches,
      more: mine.length - branches.reduce((sum, { same }) => sum + 1 + same.length, 0),
      above: stem.victims.filter((pid) => !stem.cycle.includes(pid)).length - mine.length,
    }
  })
  return { trees, moreTrees: stems.length - shown.length }
}

/** The roots, and the cycles that wait behind no root with everyone behind them. */
export function jamsIn(forest: Forest): Jam[] {
  const roots = forest.roots.map((root) => ({ root, cycle: [], victims: root.victims }))
  const covered = new Set(forest.roots.flatMap(({ victims }) => victims))
  const uncovered = [...forest.waits.keys()].filter((pid) => !covered.has(pid))
  const cycles = forest.cycles.filter((pids) => pids.some((pid) => !covered.has(pid)))
  const inCycles = new Set(cycles.flat())
  const others = new Set(uncovered.filter((pid) => !inCycles.has(pid)))
  const stems = cycles.map((cycle): Jam => {
    // Who waits behind it: one round for each level.
    const behind = new Set(cycle)
    for (let size = 0; size < behind.size; ) {
      size = behind.size
      for (const pid of others)
        if (forest.blockedBy(pid).some((blocker) => behind.has(blocker))) {
          behind.add(pid)
          others.delete(pid)
        }
    }
    return { root: null, cycle, victims: [...behind] }
  })
  return [...roots, ...stems]
}

/** Counts the different sessions that wait in these jams. */
export const waitingIn = (stems: readonly Jam[]): number =>
  new Set(stems.flatMap(({ victims }) => victims)).size

/** So many and more share a line: of two, each with its pid says more. */
const fewestFolded = 3

function grow(
  stem: Jam,
  victims: readonly number[],
  forest: Forest,
  { room, statementOf }: { readonly room: number } & Pick<Layout, 'statementOf'>,
): Branch[] {
  const tops = new Set(stem.root ? [stem.root.pid] : stem.cycle)
  const order = new Map(stem.victims.map((pid, index) => [pid, index]))
  const known = new Map<number, readonly number[]>()
  const blockersOf = (pid: number) => {
    const blockers = known.get(pid) ?? forest.blockedBy(pid)
    known.set(pid, blockers)
    return blockers
  }
  const topOf = (pid: number) => blockersOf(pid).find((blocker) => tops.has(blocker))
  const isVictim = (pid: number) => order.has(pid) && !tops.has(pid)

  /** Under whom it stands: a root itself, else somebody right behind one, else whoever has waited longest. */
  const parentOf = (pid: number): number | null => {
    const top = topOf(pid)
    if (top !== undefined) return top
    const blockers = blockersOf(pid)
      .filter((blocker) => isVictim(blocker) && blocker !== pid)
      .sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
      .slice(0, patience)
    return blockers.find((blocker) => topOf(blocker) !== undefined) ?? nearestWay(blockers)
  }
  /** Breadth first over the blockers, for chains of several levels. */
  const nearestWay = (starts: readonly number[]): number | null => {
    const from = new Map(starts.map((pid) => [pid, pid]))
    let steps = 0
    // A map hands out what is added while it is walked.
    for (const [pid, start] of from) {
      if (topOf(pid) !== undefined) return start
      if (++steps > patience * 4) break
      for (const next of blockersOf(pid)) if (isVictim(next) && !from.has(next)) from.set(next, start)
    }
    return starts[0] ?? null
  }

  // Who asks for the same lock in the same mode has the same holders before it, and so the same place in the tree.
  const alike = Map.groupBy(victims, (pid) => {
    const wait = forest.waits.get(pid)
    const statement = statementOf(pid)
    return wait && statement !== null
      ? JSON.stringify([wait.mode, wait.target, wait.relationName, statement])
      : String(pid)
  })
  const crowds = [...alike.values()].filter(({ length }) => length >= fewestFolded)
  const hidden = new Set(crowds.flatMap(([, ...others]) => others))
  // Under whom somebody else stands has a line of its own.
  const above = new Set(
    crowds.length === 0 ? [] : victims.filter((pid) => !hidden.has(pid)).map((pid) => parentOf(pid)),
  )
  const sameAs = new Map(
    crowds.map(([first = 0, ...others]) => [first, others.filter((pid) => !above.has(pid))]),
  )
  const folded = new Set([...sameAs.values()].flat())

  const parents = new Map<number, number>()
  const mine = new Set(victims)
  for (const victim of victims) {
    if (parents.size >= room) break
    if (folded.has(victim)) continue
    // With everyone between it and the root, so that no line hangs in the air.
    const way: [number, number][] = []
    for (let pid = victim; !parents.has(pid) && mine.has(pid) && !way.some(([seen]) => seen === pid); ) {
      const parent = parentOf(pid) ?? [...tops][0] ?? 0
      way.push([pid, parent])
      if (tops.has(parent)) break
      pid = parent
    }
    if (parents.size + way.length > room && parents.size > 0) break
    for (const [pid, parent] of way.slice(-room)) parents.set(pid, parent)
  }

  const children = Map.groupBy(parents.keys(), (pid) => parents.get(pid) ?? 0)
  const branches: Branch[] = []
  const visit = (parent: number, depth: number) => {
    const below = (children.get(parent) ?? []).sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
    for (const pid of below) {
      const wait = forest.waits.get(pid)
      if (wait) branches.push({ pid, wait, depth, behind: parent, same: sameAs.get(pid) ?? [] })
      visit(pid, depth + 1)
    }
  }
  for (const top of tops) visit(top, 1)
  // Behind somebody who stands under another jam: right under this one.
  for (const parent of children.keys()) if (!tops.has(parent) && !parents.has(parent)) visit(parent, 2)
  return branches
}
