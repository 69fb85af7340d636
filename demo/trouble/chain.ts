import { nobodyWaits, type Scenario } from './scenario.ts'

const links = ['intake', 'pricing', 'picking', 'shipping', 'mailer']

export const chain: Scenario = {
  id: 'chain',
  title: 'A chain: each waits for the one before',
  story: 'Confirmation mails are late, and nobody sees why: the mailer is healthy.',
  cause: 'intake is idle in its transaction; each of the others holds a row that the next one wants.',
  gentlest: {
    words: 'Terminate intake: the others then go on one after the other.',
    how: 'terminated',
    ends: ['intake'],
  },
  isOver: nobodyWaits,
  async start(stage) {
    for (const [index, name] of links.entries()) {
      const link = await stage.open(name)
      await link.run('BEGIN')
      await link.run('UPDATE stock SET amount = amount - 1 WHERE id = $1', [101 + index])
      if (index === 0) continue
      const wanted = link.run('UPDATE stock SET amount = amount + 1 WHERE id = $1', [100 + index])
      // Who gets its row finishes, and so lets the next one in.
      wanted.then(() => link.leave('COMMIT')).catch(() => {})
      await stage.untilWaiting(link)
    }
  },
}
