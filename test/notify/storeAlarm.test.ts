import { beforeEach, expect, it } from 'vitest'
import { createLog } from '../../src/log.ts'
import { createStoreAlarm } from '../../src/notify/storeAlarm.ts'

const full = Object.assign(new Error('database or disk is full'), { errcode: 13 })

let time: number
let broken: Error | null
let slackWorks: boolean
let recovered: number
let posts: string[]
beforeEach(() => {
  time = 0
  broken = null
  slackWorks = true
  recovered = 0
  posts = []
})
const alarmOf = (...channels: string[]) =>
  createStoreAlarm({
    probe: async () => {
      if (broken) throw broken
    },
    channels: new Set(channels),
    post: async (channel, { text }) => {
      if (!slackWorks) throw new Error('no Slack')
      posts.push(`${channel} ${text.split(/[:.\n]/)[0]}`)
    },
    recovered: () => recovered++,
    log: createLog({ level: 'silent' }),
    steady: () => time,
  })

it('reports each channel once that the store fails, and once that it works', async () => {
  const alarm = alarmOf('A', 'B')
  await alarm.check()
  expect(posts).toEqual([])
  broken = full
  await alarm.check()
  await alarm.check()
  expect(alarm.failure()).toBe('its disk is full')
  expect(posts).toEqual(['A My store cannot be used', 'B My store cannot be used'])
  expect(recovered).toBe(0)
  broken = null
  await alarm.check()
  await alarm.check()
  expect(alarm.failure()).toBeNull()
  expect(recovered).toBe(1)
  expect(posts.slice(2)).toEqual(['A My store can be used again', 'B My store can be used again'])
})

it('reports what is seen once a minute at most, and the same again after ten', async () => {
  const alarm = alarmOf('A')
  await alarm.report('A', 'nothing is reported while the store works')
  expect(posts).toEqual([])
  expect(alarm.noted(full)).toBe(true)
  await alarm.report('A', 'one')
  await alarm.report('A', 'two')
  time = 59_999
  await alarm.report('A', 'two')
  expect(posts).toEqual(['A one'])
  time = 60_000
  await alarm.report('A', 'two')
  time = 659_999
  await alarm.report('A', 'two')
  expect(posts).toEqual(['A one', 'A two'])
  time = 660_000
  await alarm.report('A', 'two')
  expect(posts).toEqual(['A one', 'A two', 'A two'])
})

it('does not let the line about the store hold back what is seen', async () => {
  const alarm = alarmOf('A')
  broken = full
  await alarm.check()
  await alarm.report('A', 'a jam')
  await alarm.report('A', '')
  expect(posts).toEqual(['A My store cannot be used', 'A a jam'])
})

it('tries again what Slack did not take', async () => {
  const alarm = alarmOf('A')
  broken = full
  slackWorks = false
  await alarm.check()
  await alarm.report('A', 'a jam')
  slackWorks = true
  await alarm.report('A', 'a jam')
  expect(posts).toEqual(['A a jam'])
  broken = null
  slackWorks = false
  await alarm.check()
  slackWorks = true
  await alarm.check()
  expect(posts).toEqual(['A a jam', 'A My store can be used again'])
})

it('takes nothing else for a fault of the store', async () => {
  const alarm = alarmOf('A')
  expect(alarm.noted(new TypeError('ours'))).toBe(false)
  expect(alarm.noted(Object.assign(new Error('constraint'), { errcode: 1555 }))).toBe(false)
  expect(alarm.noted(Object.assign(new Error('write'), { errcode: 778 }))).toBe(true)
  expect(alarm.failure()).toBe('its disk reports an error')
  broken = new TypeError('ours')
  await expect(alarm.check()).rejects.toBe(broken)
})
