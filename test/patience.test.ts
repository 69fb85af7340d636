import { expect, it, vi } from 'vitest'
import { createLog } from '../src/log.ts'
import { startPatiently } from '../src/patience.ts'
import { clusterErrorWith } from '../src/postgres/errors.ts'
import { StoreError } from '../src/store/failure.ts'

const failover = new StoreError('no', new StoreError('its server', clusterErrorWith('57P03')))

const deps = (signal = new AbortController().signal) => {
  let now = 0
  return {
    log: createLog({ level: 'silent' }),
    signal,
    steady: () => {
      now += 7000
      return now
    },
  }
}

it('starts again when the server of the store was restarting', async () => {
  const start = vi.fn().mockRejectedValueOnce(failover).mockResolvedValueOnce('app')
  expect(await startPatiently(start, deps())).toBe('app')
  expect(start).toHaveBeenCalledTimes(2)
})

it('ends with the reason of the last time when that does not pass', async () => {
  const start = vi.fn().mockRejectedValue(failover)
  await expect(startPatiently(start, deps())).rejects.toBe(failover)
  expect(start.mock.calls.length).toBeGreaterThan(1)
})

it.each([
  ['is refused', new StoreError('no', clusterErrorWith('28P01'))],
  ['is a file', new StoreError('no', Object.assign(new Error('io'), { errcode: 10 }))],
  ['is not what fails', new Error('a port')],
])('ends at once where the store %s', async (_, error) => {
  const start = vi.fn().mockRejectedValue(error)
  await expect(startPatiently(start, deps())).rejects.toBe(error)
  expect(start).toHaveBeenCalledTimes(1)
})

it('ends at once when it is asked to stop', async () => {
  const asked = new AbortController()
  const start = vi.fn(async () => {
    asked.abort()
    throw failover
  })
  await expect(startPatiently(start, deps(asked.signal))).rejects.toBe(failover)
  expect(start).toHaveBeenCalledTimes(1)
})
