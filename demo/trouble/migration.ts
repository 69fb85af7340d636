import { nobodyWaits, type Scenario } from './scenario.ts'

const visitors = 10

export const migration: Scenario = {
  id: 'migration',
  title: 'A migration behind a report, and the shop behind both',
  story: 'Every page that shows a customer hangs since the release.',
  cause:
    'ALTER TABLE wants customers for itself, stands behind a long report, and every reader stands behind ALTER TABLE.',
  gentlest: {
    words: 'Cancel migrate: it has done nothing yet and can be run again with a lock_timeout.',
    how: 'cancelled',
    ends: ['migrate'],
  },
  isOver: nobodyWaits,
  clean: (admin) => admin.query('ALTER TABLE customers DROP COLUMN IF EXISTS loyalty'),
  async start(stage) {
    const report = await stage.open('monthly-report')
    report.leave(
      'SELECT c.name, sum(o.total), pg_sleep(3600) FROM customers AS c JOIN orders AS o ON o.customer = c.name GROUP BY c.name',
    )
    await stage.pause(100)
    const migrate = await stage.open('migrate')
    migrate.leave('ALTER TABLE customers ADD COLUMN IF NOT EXISTS loyalty int')
    await stage.untilWaiting(migrate)
    const shop = []
    for (let n = 1; n <= visitors; n++) {
      const web = await stage.open(`shop-${n}`)
      web.leave('SELECT name, discount FROM customers WHERE id = $1', [n])
      shop.push(web)
    }
    await stage.untilWaiting(...shop)
  },
}
