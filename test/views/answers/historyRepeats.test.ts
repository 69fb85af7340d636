import { expect, it } from 'vitest'
import { repeatsAmong } from '../../../src/domain/incidents/repeats.ts'
import { historyListView } from '../../../src/views/answers/history.ts'
import * as of from '../../support/builders.ts'

const dayMs = 86_400_000

it('begins with those who make trouble again and again, with their names as text', () => {
  const session = of.idleInTransaction(7, 90, { applicationName: 'check<!here>`out' })
  const incidents = [0, 1, 2].map((day) =>
    of.incident({
      ...{ id: `incident-${day}`, openedAt: of.takenAt + day * dayMs, beganAt: of.takenAt + day * dayMs },
      finding: { kind: 'idleInTransaction', session, seconds: 90 },
    }),
  )
  const entries = incidents.map((incident) => ({
    ...{ cluster: 'orders', incident, proposals: [], at: incident.openedAt, link: null },
  }))
  const shown = (repeats: ReturnType<typeof repeatsAmong>) =>
    JSON.stringify(
      historyListView({
        entries,
        repeats,
        page: 1,
        pages: 1,
        sinceMs: 7 * dayMs,
        now: of.takenAt + 3 * dayMs,
      }),
    )
  const view = shown(repeatsAmong(incidents, 'UTC'))
  expect(view).toContain('3 times ')
  expect(view).toContain('always about 03:00 UTC')
  expect(view).not.toContain('"mrkdwn","text":"check<!here>')
  expect(shown([])).not.toContain('Again and again')
})
