/** Places of the dots of the server's picture. Pure: nodes and a width in, places out. */

/** @typedef {{id: string, behind: string | null, alsoBehind: string[], isRoot: boolean}} Node as in ../truth/view.ts */
/** @typedef {{x: number, y: number, r: number, label: number}} Place `label`: how many pixels a name has; 0 is none */

const cell = { width: 66, height: 70 }
const dense = { width: 26, height: 26 }
/** More than so many leaves behind one session become a field of dots without names. */
const namedLeaves = 18
const columns = { named: 5, dense: 12 }
const radius = { root: 17, node: 15, dense: 10, resting: 7 }
const gap = 14
const resting = 21
/** Below this a tree is not squeezed any further; the picture scrolls. */
const smallest = 0.55

/** Many jams are drawn smaller, until they fit or would not be readable. */
const scales = [1, 0.86, 0.74, 0.64]

/**
 * @param {Node[]} nodes
 * @param {number} width in pixels
 * @param {number} [room] how high the picture may be, if that is possible
 */
export function layOut(nodes, width, room = Infinity) {
  const jams = jamsIn(nodes)
  let picture
  for (const scale of scales) {
    picture = layOutAt(scale, nodes, jams, width)
    if (picture.height <= room) break
  }
  return picture
}

/** Finds the trees to draw: their heads, and who stands behind whom. */
function jamsIn(nodes) {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const children = Map.groupBy(
    nodes.filter((node) => byId.has(node.behind)),
    (node) => node.behind,
  )
  const inCircle = (node) => node.alsoBehind.some((id) => byId.has(id))
  const alone = nodes
    .filter((node) => !byId.has(node.behind) && !inCircle(node))
    .filter((node) => node.isRoot || children.has(node.id))
    .map((node) => [node])
  return { heads: [...alone, ...circlesIn(nodes.filter(inCircle))], children, byId }
}

function layOutAt(scale, nodes, { heads, children, byId }, width) {
  const places = new Map()
  const shelf = { x: 0, y: 8, height: 0, ids: /** @type {string[]} */ ([]) }
  /** Centres everything on its shelf. */
  const close = () => {
    for (const id of shelf.ids) places.get(id).x += Math.max(0, (width - shelf.x + gap) / 2)
    shelf.ids = []
  }
  for (const head of heads) {
    const tree = measure(head, children, scale)
    const squeeze = Math.max(smallest, Math.min(1, width / tree.width))
    const taken = tree.width * squeeze
    if (shelf.x > 0 && shelf.x + taken > width) {
      close()
      shelf.y += shelf.height + gap
      shelf.x = 0
      shelf.height = 0
    }
    const before = new Set(places.keys())
    place(tree, { left: shelf.x, top: shelf.y, scale, squeeze }, places)
    for (const id of places.keys()) if (!before.has(id)) shelf.ids.push(id)
    shelf.x += taken + gap
    shelf.height = Math.max(shelf.height, tree.height)
  }
  close()

  const jamsEnd = heads.length > 0 ? shelf.y + shelf.height : 0
  const calm = nodes.filter((node) => !places.has(node.id))
  const perRow = Math.max(1, Math.floor((width - 8) / resting))
  const calmTop = jamsEnd + (calm.length > 0 ? 30 : 0)
  calm.forEach((node, index) => {
    places.set(node.id, {
      x: 12 + (index % perRow) * resting,
      y: calmTop + Math.floor(index / perRow) * resting,
      r: radius.resting,
      label: 0,
    })
  })
  const edges = nodes.flatMap((node) =>
    [node.behind, ...node.alsoBehind]
      .filter((id) => byId.has(id))
      .map((id) => ({ key: `${node.id} > ${id}`, from: node.id, to: id, isCircle: id !== node.behind })),
  )
  return { places, edges, calm, calmTop, height: calmTop + Math.ceil(calm.length / perRow) * resting }
}

/** Those that wait for each other, one list for each circle. */
function circlesIn(members) {
  const circles = []
  const seen = new Set()
  for (const start of members) {
    if (seen.has(start.id)) continue
    const circle = [start]
    seen.add(start.id)
    for (const node of circle) {
      for (const other of members) {
        if (seen.has(other.id)) continue
        if (!node.alsoBehind.includes(other.id) && !other.alsoBehind.includes(node.id)) continue
        seen.add(other.id)
        circle.push(other)
      }
    }
    circles.push(circle)
  }
  return circles
}

/** Sizes from the leaves up. Leaves behind one session stand in rows, so that a queue of 50 stays small. */
function measure(head, children, scale) {
  const below = head.flatMap((node) => children.get(node.id) ?? [])
  const inner = below.filter((node) => children.has(node.id)).map((node) => measure([node], children, scale))
  const leaves = below.filter((node) => !children.has(node.id))
  const isDense = leaves.length > namedLeaves
  const size = isDense ? dense : cell
  const rows = Math.ceil(leaves.length / (isDense ? columns.dense : columns.named))
  const perRow = Math.ceil(leaves.length / rows) || 0
  const field = {
    leaves,
    perRow,
    isDense,
    cellWidth: size.width * scale,
    cellHeight: size.height * scale,
    // Every other row is shifted by half a cell: so the ways of the lower ones pass between the upper ones.
    width: (perRow + (rows > 1 ? 0.5 : 0)) * size.width * scale,
    height: rows * size.height * scale,
  }
  const width = inner.reduce((sum, tree) => sum + tree.width, 0) + field.width
  const height = Math.max(field.height, ...inner.map((tree) => tree.height), 0)
  return {
    head,
    inner,
    field,
    width: Math.max(width, head.length * cell.width * scale * (head.length > 1 ? 1.5 : 1)),
    height: cell.height * scale + height,
  }
}

function place(tree, { left, top, scale, squeeze }, places) {
  const { head, inner, field } = tree
  const nameRoom = cell.width * scale * squeeze - 4
  const label = nameRoom < 36 ? 0 : nameRoom
  const half = radius.root * scale
  const step = (tree.width * squeeze) / head.length
  head.forEach((node, index) => {
    places.set(node.id, {
      x: left + step * (index + 0.5),
      y: top + half,
      r: (node.isRoot ? radius.root : radius.node) * scale,
      // A head has the room of everything that stands behind it.
      label: Math.max(label, Math.min(130, step + 6)),
    })
  })
  const content = (inner.reduce((sum, one) => sum + one.width, 0) + field.width) * squeeze
  let x = left + (tree.width * squeeze - content) / 2
  const below = top + cell.height * scale
  for (const one of inner) {
    place(one, { left: x, top: below, scale, squeeze }, places)
    x += one.width * squeeze
  }
  field.leaves.forEach((node, index) => {
    const row = Math.floor(index / field.perRow)
    const shift = row % 2 ? 1 : 0.5
    places.set(node.id, {
      x: x + ((index % field.perRow) + shift) * field.cellWidth * squeeze,
      y: below + row * field.cellHeight + (field.isDense ? radius.dense * scale : half),
      r: field.isDense ? Math.max(6, radius.dense * scale * squeeze) : radius.node * scale,
      label: field.isDense ? 0 : label,
    })
  })
}
