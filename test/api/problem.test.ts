import { expect, it, test } from 'vitest'
import { apiErrorOf, refusalError } from '../../src/api/problem.ts'
import { clusterErrorWith } from '../../src/postgres/errors.ts'
import { StoreError } from '../../src/store/failure.ts'

test.each([
  ['notAllowed', 403],
  ['notWatched', 404],
  ['unknownProposal', 404],
  ['keyReused', 422],
  ['notSeen', 503],
  ['changed', 409],
] as const)('a refusal with %s has the status %i', (code, status) => {
  expect(refusalError({ code, reason: 'it is so' })).toMatchObject({
    status,
    code,
    message: 'Refused: it is so.',
  })
})

it('a reason ends once, be it a clause or a sentence', () => {
  const unseen = clusterErrorWith('ECONNREFUSED')
  const messages = [
    apiErrorOf(unseen)?.message,
    refusalError({ code: 'notSeen', reason: unseen.reason }).message,
  ]
  for (const message of messages) {
    expect(message).toContain(unseen.reason)
    expect(message).not.toMatch(/\.\./)
  }
})

it('a failure is of the cluster, of the store, or ours, of which nothing is told', () => {
  expect(apiErrorOf(clusterErrorWith('DEADLINE'))).toMatchObject({ status: 503, code: 'notSeen' })
  expect(apiErrorOf(new StoreError('its disk is full', null))).toMatchObject({
    status: 503,
    code: 'storeUnavailable',
    message: expect.not.stringContaining('disk'),
  })
  expect(apiErrorOf(new TypeError('x is undefined'))).toBeNull()
})
