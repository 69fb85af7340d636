import type { Scenario } from './scenario.ts'

/** Others still get in: nine in ten slots are taken. */
const isNearlyFull = `
  SELECT sum(numbackends) >= 0.9 * current_setting('max_connections')::int AS met FROM pg_stat_database`

export const idleLeak: Scenario = {
  id: 'idle-leak',
  title: 'A leak that one approval ends',
  story: 'The shop says “sorry, too many clients already”, now and then.',
  cause:
    'coupon-app opened a connection for every visit and closed none. Now it hangs, and its idle connections take nearly every slot.',
  gentlest: {
    words: 'Terminate all idle connections of coupon-app with one request: nothing runs in them.',
    how: 'terminated',
    ends: ['coupon-app'],
  },
  card: /connections are used/,
  isOver: ({ connected }) => connected.length === 0,
  async start(stage) {
    let isFull = false
    while (!isFull) {
      const session = await stage.open('coupon-app')
      isFull = (await session.run(isNearlyFull)).rows[0].met
      await session.run('SELECT seen FROM visits LIMIT 1')
    }
  },
}
