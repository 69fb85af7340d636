import type { Scenario } from './scenario.ts'

export const runawayQuery: Scenario = {
  id: 'runaway-query',
  title: 'A runaway query',
  story: 'The disks are busy, vacuum gets nowhere, and someone forgot a join condition.',
  cause: 'analytics joins every order with every article. (It naps between rows: your laptop stays cool.)',
  gentlest: {
    words: 'Cancel the statement: the session lives on, and only the statement is lost.',
    how: 'cancelled',
    ends: ['analytics'],
  },
  isOver: ({ active }) => !active.includes('analytics'),
  async start(stage) {
    const analytics = await stage.open('analytics')
    analytics.leave(
      'SELECT o.state, sum(o.total * s.amount), count(pg_sleep(0.02)) FROM orders AS o CROSS JOIN stock AS s GROUP BY o.state',
    )
    await stage.pause(100)
  },
}
