import { nobodyWaits, type Scenario } from './scenario.ts'

const key = 4711

export const advisoryLock: Scenario = {
  id: 'advisory-lock',
  title: 'A forgotten advisory lock',
  story: 'No job has run since last night, though every worker says it is up.',
  cause:
    'nightly-sync took an advisory lock for its whole session and sits idle: no transaction, no statement.',
  gentlest: {
    words: 'Terminate nightly-sync: it has no transaction, so nothing is lost.',
    how: 'terminated',
    ends: ['nightly-sync'],
  },
  isOver: nobodyWaits,
  async start(stage) {
    const holder = await stage.open('nightly-sync')
    await holder.run('SELECT pg_advisory_lock($1)', [key])
    const workers = []
    for (let n = 1; n <= 5; n++) {
      const worker = await stage.open(`worker-${n}`)
      // Each does its job and lets the next one.
      worker.run('SELECT pg_advisory_lock($1)', [key]).then(
        () => worker.leave('SELECT pg_advisory_unlock($1)', [key]),
        () => {},
      )
      workers.push(worker)
    }
    await stage.untilWaiting(...workers)
  },
}
