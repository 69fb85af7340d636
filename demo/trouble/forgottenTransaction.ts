import type { Scenario } from './scenario.ts'

export const forgottenTransaction: Scenario = {
  id: 'forgotten-transaction',
  title: 'A forgotten transaction',
  story: 'Nobody complains yet, but tables grow and a deployment is planned for tonight.',
  cause: 'nightly-import wrote a row and never committed. Nobody waits for it so far; vacuum does.',
  gentlest: {
    words: 'Terminate nightly-import: nothing runs in it, and only its open transaction is lost.',
    how: 'terminated',
    ends: ['nightly-import'],
  },
  isOver: ({ connected }) => !connected.includes('nightly-import'),
  async start(stage) {
    const importer = await stage.open('nightly-import')
    await importer.run('BEGIN')
    await importer.run("INSERT INTO orders VALUES (5001, 'imported', 'open', 1) -- supplier Globex")
  },
}
