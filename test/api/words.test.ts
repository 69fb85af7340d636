import { expect, it } from 'vitest'
import { blockingJson, sessionJson } from '../../src/answers/json.ts'
import { briefs } from '../../src/api/mcp/briefs.ts'
import { words } from '../../src/api/mcp/words.ts'
import { openedWith } from '../../src/domain/incidents/incident.ts'
import { incidentPartOf } from '../../src/views/documentParts.ts'
import * as of from '../support/builders.ts'

const picture = of.picture(
  [of.idleInTransaction(1, 90), of.waiting(2, 60, { query: 'SELECT 1' }), of.session(3, { query: null })],
  of.rowQueue(1, [[2, 60]]),
)
const page = { total: 3, next: null }

const incident = incidentPartOf(
  openedWith(
    { kind: 'unreachable', code: 'ECONNREFUSED', reason: 'x', seconds: 0, last: null },
    null,
    { cluster: 'orders', takenAt: of.takenAt },
    'card',
  ),
  { silenced: false, maskText: () => null },
)

it('a list of clusters counts all open incidents, also those that are left out', () => {
  const listed = (incidents: readonly (typeof incident)[], incidentsLeftOut = 0) => ({
    ...{ total: 1, next: null },
    clusters: [{ name: 'orders', seen: true, why: null, incidents, incidentsLeftOut }],
  })
  expect(words.clusters(listed([]))).toBe('orders: no open incidents.')
  expect(words.clusters(listed([incident]))).not.toMatch(/more/)
  expect(words.clusters(listed([incident, incident], 5))).toMatch(/, and 6 more$/)
  expect(briefs.clusters.of(listed([incident, incident], 5))).toMatchObject({ clusters: [{ open: 7 }] })
})

it('a line of a session says whom it waits for and its statement, where there is one', () => {
  const sessions = picture.snapshot.sessions.map((session) => sessionJson(session, picture))
  const { roots, cycles, ...head } = blockingJson(picture, [])
  const lines = words.sessions({ ...head, ...page, totals: null, sessions }).split('\n')
  expect(lines.find((line) => line.startsWith('2 '))).toMatch(/waits behind 1.*statement "/)
  expect(lines.find((line) => line.startsWith('1 '))).not.toMatch(/waits behind/)
  expect(lines.find((line) => line.startsWith('3 '))).not.toMatch(/waits behind|statement/)
  expect(roots).toHaveLength(1)
  expect(cycles).toEqual([])
})

it('a moment of the past was seen or not, which is not calm', () => {
  const seen = { ...blockingJson(picture, []), ...page, sessionsLeftOut: 0 }
  expect(words.at(seen)).toMatch(/^It was seen at .*\nSession 1 kept 1 session waiting\.$/)
  expect(words.at({ ...seen, roots: [] })).toMatch(/Nobody waited/)
  const nothing = { takenAt: null, roots: null, cycles: null, sessions: null }
  const notSeen = { at: '03:12', why: null, before: '03:11', after: null }
  expect(words.at({ cluster: 'orders', ...nothing, notSeen })).toBe(
    'Nothing was seen of orders at 03:12, which is not calm.\nThe look before it is of 03:11.',
  )
})
