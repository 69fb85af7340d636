import type { Actor } from './actor.ts'
import { nobodyWaits, type Scenario } from './scenario.ts'

/** The server no longer has this session: then it does not come back either. */
const isGone = (actor: Actor) => actor.pid() === null

export const stubbornRetry: Scenario = {
  id: 'stubborn-retry',
  title: 'An application that retries whatever is cancelled',
  story: 'The service desk cannot book stock; it was fixed a minute ago, and it is back.',
  cause:
    'importer holds the rows while it works for ten minutes, and starts again as soon as it is cancelled.',
  gentlest: {
    words: 'Terminate importer: a cancel only makes it begin again.',
    how: 'terminated',
    ends: ['importer'],
  },
  isOver: ({ waiting, connected }) =>
    nobodyWaits({ waiting, connected, active: [] }) && !connected.includes('importer'),
  clean: (admin) => admin.query('UPDATE stock SET amount = 100 WHERE id <= 20'),
  async start(stage) {
    const importer = await stage.open('importer')
    const work = async () => {
      try {
        await importer.run('BEGIN')
        await importer.run('UPDATE stock SET amount = amount + 10 WHERE id <= 20')
        await importer.run('SELECT pg_sleep(600)')
        await importer.run('COMMIT')
      } catch (error) {
        if (isGone(importer)) throw error
        await importer.run('ROLLBACK')
      }
    }
    stage.repeat(work, 50)
    await stage.pause(100)
    const desks = []
    for (let n = 1; n <= 3; n++) {
      const desk = await stage.open(`desk-${n}`)
      const book = () => desk.run('UPDATE stock SET amount = amount - 1 WHERE id = $1', [n])
      stage.repeat(
        () =>
          book().catch((error) => {
            if (isGone(desk)) throw error
          }),
        500,
      )
      desks.push(desk)
    }
    await stage.untilWaiting(...desks)
  },
}
