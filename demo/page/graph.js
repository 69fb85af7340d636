/** The server's picture: who waits for whom, drawn and kept in calm motion. */
import { layOut } from './layout.js'
import { describe, shortAge, summary } from './words.js'

const space = 'http://www.w3.org/2000/svg'
/** Milliseconds until about two thirds of a way are gone. */
const pace = 140
const calmly = matchMedia('(prefers-reduced-motion: reduce)')

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(space, tag)
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, String(value))
  node.append(...children)
  return node
}

const kindOf = (node) => {
  if (node.kind === 'bot') return 'bot'
  if (node.wait) return 'waits'
  if (node.kind === 'prepared') return 'root prepared'
  const state = node.state.startsWith('idle in transaction')
    ? 'paused'
    : node.state === 'active'
      ? 'busy'
      : 'idle'
  return node.isRoot ? `root ${state}` : state
}

/** Inside the dot: not everybody can tell colours apart. */
function glyphOf(node, r) {
  const kind = kindOf(node)
  const k = r / 15
  if (kind.startsWith('waits')) {
    if (r < 9) return ''
    return inside(shortAge(node.wait.seconds ?? 0), r)
  }
  if (kind.includes('paused'))
    return svg('path', { class: 'sign', d: `M${-4 * k} ${-5 * k}v${10 * k} M${4 * k} ${-5 * k}v${10 * k}` })
  if (kind.includes('busy'))
    return svg('path', {
      class: 'sign full',
      d: `M${-3.5 * k} ${-5 * k}l${9 * k} ${5 * k}l${-9 * k} ${5 * k}z`,
    })
  if (kind.includes('prepared')) return inside('2PC', r)
  if (kind === 'root idle') return svg('path', { class: 'sign', d: `M${-4.5 * k} 0h${9 * k}` })
  if (kind === 'bot') return svg('path', { class: 'sign full', d: star(4.6 * (r / 7)) })
  return ''
}

const inside = (text, r) =>
  svg('text', { class: 'inside', dy: '0.36em', 'font-size': Math.min(10, r * 0.72).toFixed(1) }, text)

const star = (r) => {
  const points = Array.from({ length: 10 }, (_, n) => {
    const size = n % 2 ? r * 0.45 : r
    const angle = (n * Math.PI) / 5 - Math.PI / 2
    return `${(size * Math.cos(angle)).toFixed(2)} ${(size * Math.sin(angle)).toFixed(2)}`
  })
  return `M${points.join('L')}z`
}

let graphs = 0

/** @param {{onPoint: (text: string | null) => void}} listeners */
export function createGraph({ onPoint }) {
  const arrowId = `arrow-${++graphs}`
  const title = svg('title', {})
  const links = svg('g', { class: 'links' })
  const dots = svg('g', { class: 'dots' })
  const calmText = svg('text', { class: 'calm-text', x: 4 })
  const arrow = svg(
    'marker',
    {
      id: arrowId,
      class: 'arrow',
      viewBox: '0 0 8 8',
      refX: 7,
      refY: 4,
      markerWidth: 7,
      markerHeight: 7,
      orient: 'auto',
    },
    svg('path', { d: 'M0 0.500L8 4L0 7.500z' }),
  )
  const root = svg('svg', { class: 'graph', role: 'img', 'aria-label': 'Who waits for whom' })
  root.append(title, svg('defs', {}, arrow), links, calmText, dots)

  /** By id: the drawn dot, where it is, and where it goes. */
  const drawn = new Map()
  const edges = new Map()
  let running = 0
  let before = 0

  const step = (now) => {
    const part = calmly.matches ? 1 : 1 - Math.exp(-Math.min(64, Math.max(0, now - before)) / pace)
    before = now
    let moving = false
    for (const [id, dot] of drawn) {
      for (const name of ['x', 'y', 'r', 'shown']) {
        const left = dot.to[name] - dot.at[name]
        const near = name === 'shown' ? 0.02 : 0.3
        dot.at[name] = Math.abs(left) < near ? dot.to[name] : dot.at[name] + left * part
        moving ||= dot.at[name] !== dot.to[name]
      }
      dot.group.setAttribute('transform', `translate(${dot.at.x.toFixed(1)} ${dot.at.y.toFixed(1)})`)
      dot.circle.setAttribute('r', dot.at.r.toFixed(1))
      dot.group.style.opacity = dot.at.shown.toFixed(2)
      if (dot.at.shown === 0 && dot.to.shown === 0) {
        dot.group.remove()
        drawn.delete(id)
      }
    }
    for (const [key, edge] of edges) {
      const [from, to] = [drawn.get(edge.from), drawn.get(edge.to)]
      if (!from || !to || edge.isGone) {
        edge.path.remove()
        edges.delete(key)
        continue
      }
      edge.path.setAttribute('d', wayBetween(from.at, to.at, edge.isCircle, to.label.textContent ? 15 : 0))
      edge.path.style.opacity = Math.min(from.at.shown, to.at.shown).toFixed(2)
    }
    running = moving ? requestAnimationFrame(step) : 0
  }
  const move = () => {
    if (running) return
    before = performance.now()
    running = requestAnimationFrame(step)
  }

  const dotFor = (node, place) => {
    const known = drawn.get(node.id)
    if (known) return known
    const circle = svg('circle', { r: 0 })
    const glyph = svg('g', { class: 'glyph' })
    const label = svg('text', { class: 'name' })
    const group = svg('g', { class: 'dot' }, circle, glyph, label)
    group.addEventListener('pointerenter', () => onPoint(drawn.get(node.id)?.text ?? null))
    group.addEventListener('pointerleave', () => onPoint(null))
    dots.append(group)
    const dot = { group, circle, glyph, label, at: { x: place.x, y: place.y, r: 0, shown: 0 }, drawnAs: '' }
    drawn.set(node.id, dot)
    return dot
  }

  const draw = (view, width, room) => {
    const { places, edges: wanted, calm, height, calmTop } = layOut(view.nodes, width, room)
    const names = new Map(view.nodes.map((node) => [node.id, node.name]))
    root.setAttribute('viewBox', `0 0 ${width} ${Math.max(height, 60)}`)
    root.style.height = `${Math.max(height, 60)}px`
    title.textContent = summary(view)
    calmText.setAttribute('y', calmTop - 14)
    calmText.textContent = calm.length > 0 ? `Not waiting: ${calm.length}` : ''

    const present = new Set()
    for (const node of view.nodes) {
      const place = places.get(node.id)
      if (!place) continue
      present.add(node.id)
      const dot = dotFor(node, place)
      dot.to = { x: place.x, y: place.y, r: place.r, shown: 1 }
      dot.text = { line: describe(node, (id) => names.get(id) ?? '?'), query: node.query }
      const font = Math.max(9, Math.min(11, place.r * 0.75))
      const label = cut(node.name, place.label, font)
      const looks = JSON.stringify([kindOf(node), place.r, label, node.wait?.seconds])
      if (looks === dot.drawnAs) continue
      dot.drawnAs = looks
      dot.group.setAttribute('class', `dot ${kindOf(node)}`)
      dot.glyph.replaceChildren(glyphOf(node, place.r))
      dot.label.textContent = label
      dot.label.setAttribute('y', place.r + font + 2)
      dot.label.setAttribute('font-size', font)
    }
    for (const [id, dot] of drawn) {
      if (present.has(id)) continue
      dot.group.classList.add('gone')
      dot.to = { ...dot.to, r: 2, shown: 0 }
    }
    const keys = new Set(wanted.map(({ key }) => key))
    for (const [key, edge] of edges) edge.isGone = !keys.has(key)
    for (const edge of wanted) {
      if (edges.has(edge.key)) continue
      const path = svg('path', {
        class: edge.isCircle ? 'link circle' : 'link',
        'marker-end': `url(#${arrowId})`,
      })
      links.append(path)
      edges.set(edge.key, { ...edge, path })
    }
    move()
  }

  return { node: root, draw }
}

/** A letter is a little wider than half of its height. */
function cut(name, pixels, font) {
  const letters = Math.floor(pixels / (font * 0.56))
  if (letters < 4) return ''
  return name.length <= letters ? name : `${name.slice(0, letters - 1)}…`
}

/** From the one that waits, up to the one it waits for. */
function wayBetween(from, to, isCircle, room) {
  if (isCircle) {
    const side = from.x < to.x ? 1 : -1
    const lift = 26 * side
    return `M${from.x + from.r * side} ${from.y - 6 * side}Q${(from.x + to.x) / 2} ${from.y - lift} ${to.x - (to.r + 3) * side} ${to.y - 6 * side}`
  }
  const start = from.y - from.r
  // Its name stands below the dot.
  const end = to.y + to.r + 3 + room
  const middle = (start + end) / 2
  return `M${from.x} ${start}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${end}`
}
