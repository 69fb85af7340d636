import type { Scenario } from './scenario.ts'
import { openIfRoom } from './slots.ts'

export const connectionLeak: Scenario = {
  id: 'connection-leak',
  title: 'A connection leak, until every slot is taken',
  story: 'New visitors get “sorry, too many clients already”.',
  cause: 'loyalty-app opens a connection for every visit and closes none; what is ended it opens again.',
  // Whatever is terminated comes back: the application has to be mended.
  gentlest: null,
  isOver: ({ connected }) => connected.length === 0,
  async start(stage) {
    /** Opens one more connection; returns false when there was no room. */
    const leak = async (): Promise<boolean> => {
      const session = await openIfRoom(stage, 'loyalty-app')
      session?.leave('SELECT seen FROM visits LIMIT 1')
      return session !== null
    }
    while (await leak()) await stage.pause(20)
    stage.repeat(() => leak().catch(() => !stage.isClosed()), 1000)
  },
}
