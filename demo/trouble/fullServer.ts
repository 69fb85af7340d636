import { botUser } from '../admin.ts'
import { nobodyWaits, type Scenario } from './scenario.ts'
import { openIfRoom } from './slots.ts'

const loseBot = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1'
const findBot = 'SELECT pid FROM pg_stat_activity WHERE usename = $1'

export const fullServer: Scenario = {
  id: 'full-server',
  title: 'A server that accepts nobody',
  story: 'The shop is down: “sorry, too many clients already”. The bot cannot look any more, either.',
  cause:
    'basket is idle in its transaction, and visitors wait for its row until every slot is taken. The bot has lost its connections: only the operating system still shows it the processes.',
  gentlest: {
    words:
      'Find basket among the processes (/pg sessions), the one that is idle in transaction, and terminate it: all who wait go on and leave.',
    how: 'terminated',
    ends: ['basket'],
  },
  card: /^🔴 \S+ accepts no connections/,
  isOver: nobodyWaits,
  clean: (admin) => admin.query('UPDATE stock SET amount = 100 WHERE id = 150'),
  async start(stage) {
    const { admin } = stage.primary
    const basket = await stage.open('basket')
    await basket.run('BEGIN')
    await basket.run('UPDATE stock SET amount = amount - 1 WHERE id = 150')
    /** One visitor more; returns false when there was no room. */
    const visit = async (): Promise<boolean> => {
      const cart = await openIfRoom(stage, 'cart')
      // Who gets the row has what it came for, and leaves.
      cart?.run('UPDATE stock SET amount = amount - 1 WHERE id = 150').then(cart.drop, () => {})
      return cart !== null
    }
    do {
      await admin.query(loseBot, [botUser])
      while (await visit());
    } while ((await admin.query(findBot, [botUser])).length > 0)
    // Visitors come as long as there is something to wait for: who is ended in vain leaves its slot to the next one.
    stage.repeat(async () => {
      if (basket.pid() === null) throw new Error('the row is free')
      await visit().catch(() => !stage.isClosed())
    }, 200)
    await stage.untilWaiting(...stage.actors().filter(({ name, pid }) => name === 'cart' && pid() !== null))
  },
}
