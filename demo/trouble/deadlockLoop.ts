import type { Actor } from './actor.ts'
import type { Scenario } from './scenario.ts'

export const deadlockLoop: Scenario = {
  id: 'deadlock-loop',
  title: 'A deadlock, again and again',
  story: 'One in two transfers fails, and the log is full of “deadlock detected”.',
  cause:
    'two applications change the same two rows in opposite order; the server ends one of them each second.',
  // The server solves it by itself, each time: the order of the statements has to be mended.
  gentlest: null,
  isOver: ({ connected }) => connected.length < 2,
  async start(stage) {
    const there = await stage.open('transfer-a')
    const back = await stage.open('transfer-b')
    const take = (actor: Actor, id: number) =>
      actor.run('UPDATE accounts SET balance = balance - 1 WHERE id = $1', [id])
    const finish = (second: Promise<unknown>, actor: Actor) =>
      second.then(
        () => actor.run('COMMIT'),
        () => actor.run('ROLLBACK'),
      )
    const round = async () => {
      await Promise.all([there.run('BEGIN'), back.run('BEGIN')])
      await Promise.all([take(there, 1), take(back, 2)])
      await Promise.all([finish(take(there, 2), there), finish(take(back, 1), back)])
    }
    stage.repeat(round, 700)
    await stage.untilWaiting(there, back)
  },
}
