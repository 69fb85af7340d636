import { expect, it } from 'vitest'
import { attempt, ClusterError, unreadable } from '../../src/postgres/cluster.ts'

const failing = (error: Error) => attempt(() => Promise.reject(error), unreadable)

it('hands on what was read', async () => {
  expect(await attempt(async () => ['read'], unreadable)).toEqual(['read'])
})

it('says why the cluster could not be read', async () => {
  expect(await failing(new ClusterError('It is down.', '57P03', true))).toEqual({ unread: 'It is down.' })
})

it('hides no other error', async () => {
  await expect(failing(new TypeError('a fault of ours'))).rejects.toThrow('a fault of ours')
})
