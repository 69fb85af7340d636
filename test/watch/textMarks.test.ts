import { expect, it } from 'vitest'
import { createTextMarks } from '../../src/watch/textMarks.ts'

const hourMs = 3_600_000

function marksAt(first: number) {
  const at = { now: first }
  const added: [cluster: string, ids: string[], at: number][] = []
  const failing = { isBroken: false }
  const marks = createTextMarks({
    history: {
      async addTexts(cluster, texts, time) {
        if (failing.isBroken) throw new Error('its disk is full')
        added.push([cluster, [...texts.keys()], time])
      },
    },
    now: () => at.now,
  })
  const mark = (cluster: string, ...ids: string[]) => marks.mark(cluster, new Map(ids.map((id) => [id, id])))
  return { at, failing, marks, mark, takeAdded: () => added.splice(0) }
}

it('marks a statement when it is new, and once in a while as long as it is named', async () => {
  const { at, mark, takeAdded } = marksAt(0)
  await mark('orders', 'a', 'b')
  expect(takeAdded()).toEqual([['orders', ['a', 'b'], 0]])
  await mark('orders', 'a', 'c')
  await mark('stock', 'a')
  expect(takeAdded()).toEqual([
    ['orders', ['c'], 0],
    ['stock', ['a'], 0],
  ])
  at.now = hourMs / 2
  await mark('orders', 'a', 'b', 'c')
  expect(takeAdded()).toEqual([])
  at.now = hourMs / 2 + 1
  await mark('orders', 'a')
  expect(takeAdded()).toEqual([['orders', ['a'], at.now]])
})

it('marks again where the clock was set back, where it could not, and where a cluster is watched again', async () => {
  const { at, failing, marks, mark, takeAdded } = marksAt(10 * hourMs)
  failing.isBroken = true
  await expect(mark('orders', 'a')).rejects.toThrow('full')
  failing.isBroken = false
  await mark('orders', 'a')
  expect(takeAdded()).toEqual([['orders', ['a'], at.now]])
  at.now -= hourMs
  await mark('orders', 'a')
  expect(takeAdded()).toEqual([['orders', ['a'], at.now]])
  marks.forget('orders')
  await mark('orders', 'a')
  expect(takeAdded()).toEqual([['orders', ['a'], at.now]])
})
