import { nobodyWaits, type Scenario } from './scenario.ts'

/** It may wait for the report's snapshot instead, where others changed rows at that very moment: that hides the lock. */
const replayWaits = (what: 'anything' | 'lock') =>
  `SELECT count(*) = 1 AS met FROM pg_stat_activity WHERE backend_type = 'startup'
    AND (wait_event_type = 'Lock'${what === 'lock' ? '' : " OR wait_event = 'RecoveryConflictSnapshot'"})`

const reportReads =
  "SELECT count(*) = 1 AS met FROM pg_locks WHERE pid = $1 AND relation = 'regions'::regclass AND granted"

export const standbyConflict: Scenario = {
  id: 'standby-conflict',
  title: 'A standby that falls behind a report',
  story: 'The dashboards hang, and what the standby shows is getting older and older.',
  cause:
    'a report on the standby reads regions; a release changed that table on the primary, and the replay of its lock waits for the report, with every later reader behind it.',
  gentlest: {
    words: 'Cancel yearly-report on the standby: replay goes on, and only the report is lost.',
    how: 'cancelled',
    ends: ['yearly-report'],
  },
  isOver: nobodyWaits,
  clean: (admin) => admin.query('ALTER TABLE regions DROP COLUMN IF EXISTS vat'),
  async start(stage) {
    const standby = await stage.standby()
    const release = await stage.open('release')
    for (;;) {
      const report = await stage.open('yearly-report', standby)
      report.leave('SELECT count(*), pg_sleep(3600) FROM regions')
      await stage.until(standby, reportReads, [report.pid()])
      await release.run('ALTER TABLE regions ADD COLUMN IF NOT EXISTS vat numeric')
      await stage.until(standby, replayWaits('anything'))
      const [waits] = await standby.admin.query(replayWaits('lock'))
      if (waits?.met === true) break
      report.drop()
      await report.ended
    }
    const charts = []
    for (let n = 1; n <= 4; n++) {
      const chart = await stage.open(`chart-${n}`, standby)
      chart.leave('SELECT name FROM regions WHERE id = $1', [n])
      charts.push(chart)
    }
    await stage.untilWaiting(...charts)
  },
}
