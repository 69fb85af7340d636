import { expect, it } from 'vitest'

const { layOut } = await import(new URL('../page/layout.js', import.meta.url).href)
const { summary } = await import(new URL('../page/words.js', import.meta.url).href)

type Given = { id: string; behind?: string; alsoBehind?: string[]; isRoot?: boolean }
const nodes = (...given: Given[]) =>
  given.map(({ id, behind = null, alsoBehind = [], isRoot = false }) => ({
    id,
    pid: 1,
    name: id,
    behind,
    alsoBehind,
    isRoot,
    wait: behind || alsoBehind.length > 0 ? { seconds: 1 } : null,
  }))
const many = (count: number, behind?: string) =>
  Array.from({ length: count }, (_, n): Given => ({ id: `n${n}`, ...(behind ? { behind } : {}) }))

it('a waiter stands below the one it waits for, and everybody else at the bottom', () => {
  const given = nodes(
    { id: 'root', isRoot: true },
    { id: 'a', behind: 'root' },
    { id: 'b', behind: 'a' },
    { id: 'calm' },
  )
  const { places, edges, calm } = layOut(given, 400)
  const y = (id: string) => places.get(id).y
  expect(y('root')).toBeLessThan(y('a'))
  expect(y('a')).toBeLessThan(y('b'))
  expect(y('b')).toBeLessThan(y('calm'))
  expect(edges.map(({ from, to }: { from: string; to: string }) => `${from} ${to}`)).toEqual([
    'a root',
    'b a',
  ])
  expect(calm.map(({ id }: Given) => id)).toEqual(['calm'])
})

it.each([3, 17, 60, 300])('%i waiters stay inside and do not touch each other', (count) => {
  const { places, height } = layOut(nodes({ id: 'root', isRoot: true }, ...many(count, 'root')), 380)
  const all: { x: number; y: number; r: number }[] = [...places.values()]
  for (const [index, a] of all.entries()) {
    expect(a.x - a.r).toBeGreaterThanOrEqual(0)
    expect(a.x + a.r).toBeLessThanOrEqual(380)
    expect(a.y + a.r).toBeLessThanOrEqual(height + 20)
    for (const b of all.slice(index + 1))
      expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(a.r + b.r - 1)
  }
})

it('those that wait for each other stand side by side', () => {
  const { places, edges } = layOut(
    nodes({ id: 'a', alsoBehind: ['b'] }, { id: 'b', alsoBehind: ['a'] }, { id: 'c', behind: 'a' }),
    400,
  )
  expect(places.get('a').y).toBe(places.get('b').y)
  expect(places.get('c').y).toBeGreaterThan(places.get('a').y)
  expect(edges.filter(({ isCircle }: { isCircle: boolean }) => isCircle)).toHaveLength(2)
})

it('draws smaller what would not fit', () => {
  const jams = ['a', 'b', 'c', 'd'].flatMap((root): Given[] => [
    { id: root, isRoot: true },
    ...many(5, root).map((one) => ({ ...one, id: root + one.id })),
  ])
  expect(layOut(nodes(...jams), 400, 300).height).toBeLessThan(layOut(nodes(...jams), 400).height)
})

it.each([
  [{ state: 'silent', version: '18.4', nodes: [] }, 'The server does not answer.'],
  [{ state: 'up', nodes: nodes({ id: 'a' }) }, 'Nobody waits for a lock.'],
  [
    { state: 'up', waiting: 1, nodes: nodes({ id: 'root', isRoot: true }, { id: 'a', behind: 'root' }) },
    '1 session waits behind root (1).',
  ],
])('says in one sentence what is there', (view, sentence) => {
  expect(summary(view)).toBe(sentence)
})
